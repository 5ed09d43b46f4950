import { readdir, readFile, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { fileError, formatError } from "./errors.js";

const inflate = promisify(gunzip);

/**
 * A whole file, unpacked where it is gzipped (by its first bytes, not by its name).
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw fileError(path, cause);
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await inflate(bytes);
  } catch (cause) {
    throw formatError(path, `its gzip data is broken or truncated (${(cause as Error).message}).`, cause);
  }
}

/** Names in a folder; undefined where the path is a file. @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT */
export async function namesInFolder(path: string): Promise<readonly string[] | undefined> {
  try {
    return (await stat(path)).isDirectory() ? await readdir(path) : undefined;
  } catch (cause) {
    throw fileError(path, cause);
  }
}
