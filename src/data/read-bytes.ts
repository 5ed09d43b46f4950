import { readdir, readFile, stat } from "node:fs/promises";
import { fileError, formatError } from "./errors.js";
import { type UnpackLimits, unpackGzip } from "./unpack.js";

/**
 * A whole file, unpacked where it is gzipped (by its first bytes, not by its name).
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_LIMIT
 */
export async function readBytes(path: string, limits: UnpackLimits = {}): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw fileError(path, cause);
  }
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? unpackGzip(bytes, path, limits) : bytes;
}

/** A file as text. @throws HalpError HALP_DATA_FORMAT where it is longer than a text can be (512 MiB) */
export function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder().decode(bytes);
  } catch (cause) {
    throw formatError(file, `its ${bytes.length} bytes cannot be read as text; give the labels as .npy.`, cause);
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
