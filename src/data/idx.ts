import { formatError } from "./errors.js";
import { type NumberArray, type NumberType, numberBytes } from "./numbers.js";

const types: Readonly<Record<number, NumberType>> = {
  8: "uint8",
  9: "int8",
  11: "int16",
  12: "int32",
  13: "float32",
  14: "float64",
};

/** Whether the bytes may begin an IDX file: two zeros, a known type, a plausible rank. */
export function looksLikeIdx(start: Uint8Array): boolean {
  return (
    start.length >= 4 &&
    start[0] === 0 &&
    start[1] === 0 &&
    types[start[2]!] !== undefined &&
    start[3]! > 0 &&
    start[3]! <= 8
  );
}

/**
 * An array out of the bytes of an IDX file (the format of MNIST: magic, dimensions and numbers, all big-endian).
 * @throws HalpError HALP_DATA_FORMAT
 */
export function parseIdx(bytes: Uint8Array, file: string): NumberArray {
  if (!looksLikeIdx(bytes))
    throw formatError(file, "not an IDX file (its first four bytes are not an IDX magic number).");
  const type = types[bytes[2]!]!;
  const rank = bytes[3]!;
  const dataOffset = 4 + 4 * rank;
  if (bytes.length < dataOffset) throw formatError(file, "truncated: it ends inside its header.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const needs = dataOffset + shape.reduce((a, b) => a * b, numberBytes(type));
  if (bytes.length !== needs) {
    const what = bytes.length < needs ? "truncated" : "too long";
    throw formatError(
      file,
      `${what}: ${type} numbers of shape (${shape.join(", ")}) take ${needs} bytes, there are ${bytes.length}.`,
    );
  }
  return { type, littleEndian: false, shape, bytes: bytes.subarray(dataOffset) };
}

/** Bytes of an IDX file of bytes (type 8). @param shape their product is the number of values */
export function idxBytes(shape: readonly number[], values: Uint8Array): Uint8Array {
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + values.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(2, 8);
  view.setUint8(3, shape.length);
  shape.forEach((d, i) => {
    view.setUint32(4 + 4 * i, d);
  });
  bytes.set(values, header);
  return bytes;
}
