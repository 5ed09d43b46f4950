/** Numbers as they lie in .npy and IDX files, whatever their width and byte order. */

export type NumberType =
  | "bool"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "uint64"
  | "int64"
  | "float16"
  | "float32"
  | "float64";

/** Bytes that one number takes. */
export function numberBytes(type: NumberType): 1 | 2 | 4 | 8 {
  switch (type) {
    case "bool":
    case "uint8":
    case "int8":
      return 1;
    case "uint16":
    case "int16":
    case "float16":
      return 2;
    case "uint32":
    case "int32":
    case "float32":
      return 4;
    default:
      return 8;
  }
}

/** An array with its shape, in row-major order. */
export interface NumberArray {
  readonly type: NumberType;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Values of an IEEE 754 half. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function reader(view: DataView, type: NumberType, little: boolean): (at: number) => number {
  switch (type) {
    case "bool":
    case "uint8":
      return (at) => view.getUint8(at);
    case "int8":
      return (at) => view.getInt8(at);
    case "uint16":
      return (at) => view.getUint16(at, little);
    case "int16":
      return (at) => view.getInt16(at, little);
    case "uint32":
      return (at) => view.getUint32(at, little);
    case "int32":
      return (at) => view.getInt32(at, little);
    case "uint64":
      return (at) => Number(view.getBigUint64(at, little));
    case "int64":
      return (at) => Number(view.getBigInt64(at, little));
    case "float16":
      return (at) => halfToNumber(view.getUint16(at, little));
    case "float32":
      return (at) => view.getFloat32(at, little);
    case "float64":
      return (at) => view.getFloat64(at, little);
  }
}

/** Writes all numbers in `bytes` to `out` from `offset` on; 64-bit numbers are rounded to what `out` holds. */
export function convertInto(
  bytes: Uint8Array,
  type: NumberType,
  littleEndian: boolean,
  out: Float32Array | Float64Array,
  offset: number,
): void {
  if (type === "uint8") {
    out.set(bytes, offset);
    return;
  }
  const width = numberBytes(type);
  const read = reader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), type, littleEndian);
  const count = bytes.byteLength / width;
  for (let i = 0; i < count; i++) out[offset + i] = read(i * width);
}
