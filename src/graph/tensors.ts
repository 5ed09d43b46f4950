/** Reading and making constant tensors. */
import { HalpError } from "../errors.js";
import type { DataType, Tensor } from "./ir.js";
import { deriveTensor } from "./lazy-tensor.js";

/** Bytes an element takes; 0 for strings and types that halp does not know. */
export const elementBytes: Readonly<Record<DataType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
  string: 0,
  other: 0,
};

/** ONNX TensorProto.DataType numbers. */
export const dataTypeCode: Readonly<Record<Exclude<DataType, "other">, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

const byCode = new Map<number, DataType>(Object.entries(dataTypeCode).map(([k, v]) => [v, k as DataType]));

export function dataTypeOf(code: number): DataType {
  return byCode.get(code) ?? "other";
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((n, d) => n * d, 1);
}

function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes); // a Buffer's slice is no copy
}

/**
 * The elements of a float32 tensor: a view where the bytes are aligned, else a copy. Never write to it.
 * @throws HalpError HALP_TENSOR_TYPE where the tensor is of another type.
 */
export function float32Of(tensor: Tensor): Float32Array {
  if (tensor.dtype !== "float32")
    throw new HalpError("HALP_TENSOR_TYPE", `Tensor "${tensor.name}" is ${tensor.dtype}; expected float32.`);
  return float32sIn(tensor.bytes);
}

/** Bytes as float32 elements: a view where they are aligned, else a copy. */
export function float32sIn(bytes: Uint8Array): Float32Array {
  const b = aligned(bytes, 4);
  return new Float32Array(b.buffer, b.byteOffset, b.byteLength >> 2);
}

/** The elements of an integer or bool tensor as numbers; int64 beyond 2^53 is clamped to it (ends such as INT64_MAX). */
export function integersOf(tensor: Tensor): number[] {
  const view = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const n = sizeOf(tensor.dims);
  const read: Partial<Record<DataType, (i: number) => number>> = {
    int64: (i) => clampInt64(view.getBigInt64(8 * i, true)),
    int32: (i) => view.getInt32(4 * i, true),
    int16: (i) => view.getInt16(2 * i, true),
    int8: (i) => view.getInt8(i),
    uint32: (i) => view.getUint32(4 * i, true),
    uint16: (i) => view.getUint16(2 * i, true),
    uint8: (i) => view.getUint8(i),
    bool: (i) => view.getUint8(i),
  };
  const at = read[tensor.dtype];
  if (!at) throw new HalpError("HALP_TENSOR_TYPE", `Tensor "${tensor.name}" is ${tensor.dtype}; expected integers.`);
  return Array.from({ length: n }, (_, i) => at(i));
}

const LIMIT = BigInt(Number.MAX_SAFE_INTEGER);
export function clampInt64(v: bigint): number {
  return v > LIMIT ? Number.MAX_SAFE_INTEGER : v < -LIMIT ? Number.MIN_SAFE_INTEGER : Number(v);
}

export function float32Tensor(name: string, dims: readonly number[], data: Float32Array | readonly number[]): Tensor {
  const f = data instanceof Float32Array ? data : Float32Array.from(data);
  return {
    name,
    dtype: "float32",
    dtypeCode: 1,
    dims,
    storage: "raw",
    bytes: new Uint8Array(f.buffer, f.byteOffset, f.byteLength),
  };
}

export function int64Tensor(name: string, dims: readonly number[], data: readonly number[]): Tensor {
  const b = BigInt64Array.from(data, (v) => BigInt(v));
  return { name, dtype: "int64", dtypeCode: 7, dims, storage: "raw", bytes: new Uint8Array(b.buffer) };
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const b = aligned(bytes, 4);
  return new Uint32Array(b.buffer, b.byteOffset, b.byteLength >> 2);
}

/**
 * The tensor with only the given positions of one axis, in the order given. Works for every type of whole-byte elements.
 */
export function takeAlongAxis(tensor: Tensor, axis: number, keep: ArrayLike<number>): Tensor {
  const width = elementBytes[tensor.dtype];
  if (width === 0)
    throw new HalpError("HALP_TENSOR_TYPE", `Tensor "${tensor.name}" of type ${tensor.dtype} cannot be sliced.`);
  const outer = sizeOf(tensor.dims.slice(0, axis));
  const n = tensor.dims[axis] ?? 1;
  const inner = sizeOf(tensor.dims.slice(axis + 1)) * width;
  const dims = tensor.dims.map((d, i) => (i === axis ? keep.length : d));
  return deriveTensor(tensor, { dims, storage: "raw", external: undefined }, outer * keep.length * inner, (bytes) =>
    runsOf(bytes, outer, n, inner, keep),
  );
}

/** Of `outer` rows of `n` runs of `inner` bytes each, the given runs of each row. */
function runsOf(from: Uint8Array, outer: number, n: number, inner: number, keep: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(outer * keep.length * inner);
  // Word by word where it can be: a call for each few bytes takes ten times as long.
  const words = inner % 4 === 0;
  const unit = words ? 4 : 1;
  const source = words ? wordsOf(from) : from;
  const target = words ? wordsOf(bytes) : bytes;
  const run = inner / unit;
  let to = 0;
  for (let o = 0; o < outer; o++)
    for (let k = 0; k < keep.length; k++) {
      const at = (o * n + (keep[k] ?? 0)) * run;
      if (run > 64) target.set(source.subarray(at, at + run), to);
      else for (let i = 0; i < run; i++) target[to + i] = source[at + i] as number;
      to += run;
    }
  return bytes;
}
