import { type FileHandle, open } from "node:fs/promises";
import { fileError, formatError } from "./errors.js";
import { type NumberArray, type NumberType, numberBytes } from "./numbers.js";

/** What an .npy file says before its numbers begin. Format: numpy/doc "NEP 1: A simple file format for NumPy arrays". */
export interface NpyHeader {
  readonly type: NumberType;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
  /** Where the numbers begin. */
  readonly dataOffset: number;
}

const types: Readonly<Record<string, NumberType>> = {
  b1: "bool",
  u1: "uint8",
  i1: "int8",
  u2: "uint16",
  i2: "int16",
  u4: "uint32",
  i4: "int32",
  u8: "uint64",
  i8: "int64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
};

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"

/** Bytes of the fixed part, and of the whole header, given at least 12 bytes of the file. */
function headerLength(start: Uint8Array, file: string): { fixed: number; total: number } {
  if (start.length < 12 || magic.some((byte, i) => start[i] !== byte)) {
    throw formatError(file, "not an .npy array (it does not begin as NumPy writes one).");
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const major = start[6]!;
  if (major < 1 || major > 3) throw formatError(file, `.npy format ${major} is not known; halp reads 1, 2 and 3.`);
  const fixed = major === 1 ? 10 : 12;
  return { fixed, total: fixed + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)) };
}

/** @throws HalpError HALP_DATA_FORMAT */
export function parseNpyHeader(bytes: Uint8Array, file: string): NpyHeader {
  const { fixed, total } = headerLength(bytes, file);
  if (bytes.length < total) throw formatError(file, "truncated: it ends inside its header.");
  const text = new TextDecoder().decode(bytes.subarray(fixed, total));
  const descr = /'descr'\s*:\s*'([<>|=])([a-zA-Z]\d+)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shapeText = /'shape'\s*:\s*\(([^)]*)\)/.exec(text);
  const type = descr ? types[descr[2]!] : undefined;
  if (!type) {
    const found = /'descr'\s*:\s*([^}]*?),\s*'fortran_order/.exec(text)?.[1] ?? text.trim();
    throw formatError(
      file,
      `holds elements of type ${found}; halp reads real numbers: ${Object.values(types).join(", ")}.`,
    );
  }
  if (!order || !shapeText) throw formatError(file, `its header cannot be understood: ${text.trim()}`);
  const shape = shapeText[1]!
    .split(",")
    .map((s) => s.trim())
    .filter((s) => s !== "")
    .map(Number);
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw formatError(file, `its shape cannot be understood: (${shapeText[1]})`);
  }
  if (order[1] === "True" && shape.length > 1) {
    throw formatError(file, "is in Fortran order; save it as np.save(path, np.ascontiguousarray(x)).");
  }
  return { type, littleEndian: descr![1] !== ">", shape, dataOffset: total };
}

/** Bytes of all numbers that the header announces. */
export function npyDataBytes(header: NpyHeader): number {
  return header.shape.reduce((a, b) => a * b, numberBytes(header.type));
}

/**
 * A whole array out of the bytes of an .npy file; a view, not a copy.
 * @throws HalpError HALP_DATA_FORMAT
 */
export function parseNpy(bytes: Uint8Array, file: string): NumberArray {
  const header = parseNpyHeader(bytes, file);
  const end = header.dataOffset + npyDataBytes(header);
  checkLength(bytes.length, end, header, file);
  return { ...header, bytes: bytes.subarray(header.dataOffset, end) };
}

/**
 * The header of an .npy file, read alone: the numbers stay on disk.
 * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_MISSING
 */
export async function readNpyHeader(path: string): Promise<NpyHeader> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (cause) {
    throw fileError(path, cause);
  }
  try {
    const { size } = await handle.stat();
    const start = await readUpTo(handle, Math.min(size, 12));
    const { total } = headerLength(start, path);
    const header = parseNpyHeader(await readUpTo(handle, Math.min(size, total)), path);
    checkLength(size, header.dataOffset + npyDataBytes(header), header, path);
    return header;
  } finally {
    await handle.close();
  }
}

async function readUpTo(handle: FileHandle, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  const { bytesRead } = await handle.read(buffer, 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

function checkLength(has: number, needs: number, header: NpyHeader, file: string): void {
  if (has >= needs) return;
  throw formatError(
    file,
    `truncated: ${header.type} numbers of shape (${header.shape.join(", ")}) take ${needs} bytes, the file has ${has}.`,
  );
}
