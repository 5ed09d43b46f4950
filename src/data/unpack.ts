/** What is compressed, within bounds: a small file must not fill the memory. */
import { constants } from "node:buffer";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { unzipSync } from "fflate";
import { HalpError } from "../errors.js";
import { formatError } from "./errors.js";

export interface UnpackLimits {
  /** Bytes that what is taken out of one archive may come to. Default 2^32. */
  readonly unpackedBytes?: number;
}

const defaultBytes = 2 ** 32;
/** DEFLATE makes 258 bytes of two bits at best: whoever claims more lies. */
const mostPerByte = 1032;

const inflate = promisify(gunzip);

function limitError(file: string, bytes: number): HalpError {
  return new HalpError(
    "HALP_DATA_LIMIT",
    `${file}: unpacked it comes to more than ${bytes} bytes, which is all that is allowed. Unpack it and give the files, or raise limits.unpackedBytes.`,
    { file, exitCode: 2 },
  );
}

/** @throws HalpError HALP_DATA_FORMAT, HALP_DATA_LIMIT */
export async function unpackGzip(bytes: Uint8Array, file: string, limits: UnpackLimits = {}): Promise<Uint8Array> {
  const { unpackedBytes = defaultBytes } = limits;
  try {
    return await inflate(bytes, { maxOutputLength: Math.min(unpackedBytes, constants.MAX_LENGTH) });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw limitError(file, unpackedBytes);
    throw formatError(file, `its gzip data is broken or truncated (${(cause as Error).message}).`, cause);
  }
}

/**
 * The files of a zip archive that are wanted, by name.
 * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_LIMIT
 */
export function unpackZip(
  archive: Uint8Array,
  file: string,
  take: (name: string) => boolean,
  limits: UnpackLimits = {},
): Map<string, Uint8Array> {
  const { unpackedBytes = defaultBytes } = limits;
  let total = 0;
  try {
    const files = unzipSync(archive, {
      filter: ({ name, size, originalSize }) => {
        if (!take(name)) return false;
        // Asked before any memory is taken.
        if (originalSize > mostPerByte * size + 64)
          throw new Error(`"${name}" says that ${size} bytes hold ${originalSize}`);
        total += originalSize;
        if (total > unpackedBytes) throw limitError(file, unpackedBytes);
        return true;
      },
    });
    return new Map(Object.entries(files));
  } catch (cause) {
    if (cause instanceof HalpError) throw cause;
    throw formatError(file, `not a zip archive, or a broken one (${(cause as Error).message}).`, cause);
  }
}
