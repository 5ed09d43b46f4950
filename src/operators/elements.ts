/** Elements of small constants, for constant folding: as numbers where they are computed, as bytes where they only move. */
import type { DataType, Tensor } from "../graph/ir.js";
import { dataTypeCode, elementBytes, integersOf, sizeOf } from "../graph/tensors.js";

const isWhole = (dtype: DataType) => /^u?int|^bool$/.test(dtype);

/**
 * The elements as numbers; undefined where the type is none that halp computes with, or an int64 is beyond 2^53 and so
 * not exact.
 */
export function numbersOf(tensor: Tensor | undefined): number[] | undefined {
  if (!tensor) return undefined;
  const { bytes, dtype } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = sizeOf(tensor.dims);
  if (dtype === "float32") return Array.from({ length: n }, (_, i) => view.getFloat32(4 * i, true));
  if (dtype === "float64") return Array.from({ length: n }, (_, i) => view.getFloat64(8 * i, true));
  if (!isWhole(dtype) || dtype === "uint64") return undefined;
  const values = integersOf(tensor);
  return values.every((v) => Math.abs(v) < Number.MAX_SAFE_INTEGER) ? values : undefined;
}

/** A tensor of these elements; undefined where one of them cannot be held exactly (a fraction, an overflow). */
export function tensorOf(dtype: DataType, dims: readonly number[], values: readonly number[]): Tensor | undefined {
  if (dtype === "other" || dtype === "string") return undefined;
  const width = elementBytes[dtype];
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  const limit = dtype === "bool" ? 1 : 2 ** (dtype.startsWith("u") ? 8 * width : 8 * width - 1) - 1;
  for (const [i, v] of values.entries()) {
    if (dtype === "float32") view.setFloat32(4 * i, v, true);
    else if (dtype === "float64") view.setFloat64(8 * i, v, true);
    else if (!isWhole(dtype) || dtype === "uint64") return undefined;
    else {
      if (!Number.isSafeInteger(v) || v > limit || v < (dtype.startsWith("u") || dtype === "bool" ? 0 : -limit - 1))
        return undefined;
      if (width === 8) view.setBigInt64(8 * i, BigInt(v), true);
      else if (width === 4) view.setInt32(4 * i, v, true);
      else if (width === 2) view.setInt16(2 * i, v, true);
      else view.setInt8(i, v);
    }
  }
  return { name: "", dtype, dtypeCode: dataTypeCode[dtype], dims, storage: "raw", bytes };
}

/** The same elements under other dims. */
export function withDims(tensor: Tensor, dims: readonly number[]): Tensor {
  const { dtype, dtypeCode, bytes } = tensor;
  return { name: "", dtype, dtypeCode, dims, storage: "raw", bytes };
}

/** A tensor of `dims` whose element i is element `from(i)` of the source; undefined for types of no whole bytes. */
export function gathered(
  tensor: Tensor,
  dims: readonly number[],
  from: (position: number) => number,
): Tensor | undefined {
  const width = elementBytes[tensor.dtype];
  if (width === 0) return undefined;
  const n = sizeOf(dims);
  const bytes = new Uint8Array(n * width);
  const source = tensor.bytes;
  for (let i = 0; i < n; i++) {
    const at = from(i) * width;
    for (let b = 0; b < width; b++) bytes[i * width + b] = source[at + b] as number;
  }
  return { ...withDims(tensor, dims), bytes };
}

/** Row-major strides. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] as number) * (dims[axis + 1] as number);
  return strides;
}

/**
 * Position in a source for a position in `dims`: each coordinate times its own stride, plus an offset. Broadcasting has
 * strides of 0, slicing has steps, transposing has them in another order.
 */
export function strided(dims: readonly number[], strides: readonly number[], offset = 0): (position: number) => number {
  return (position) => {
    let at = offset;
    for (let axis = dims.length - 1, rest = position; axis >= 0; axis--) {
      const extent = dims[axis] as number;
      at += (rest % extent) * (strides[axis] as number);
      rest = Math.floor(rest / extent);
    }
    return at;
  };
}

/** {@link strided} for a shape that is broadcast to `dims`. */
export function broadcasting(own: readonly number[], dims: readonly number[]): (position: number) => number {
  const strides = stridesOf(own);
  const shift = dims.length - own.length;
  return strided(
    dims,
    dims.map((_, axis) => (axis < shift || own[axis - shift] === 1 ? 0 : (strides[axis - shift] as number))),
  );
}
