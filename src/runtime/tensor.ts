/** Tensors as they go in and out of a session. */
import { HalpError } from "../errors.js";
import { sizeOf } from "../graph/tensors.js";

/** Element types that a session takes and gives. */
export interface RuntimeArrays {
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  /** Bit patterns of half floats. */
  readonly float16: Uint16Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  /** 0 or 1. */
  readonly bool: Uint8Array;
}
export type RuntimeType = keyof RuntimeArrays;
export type RuntimeArray = RuntimeArrays[RuntimeType];

/** Row-major elements with their dims. As an input it is not copied: leave it alone while the run lasts. */
export interface RuntimeTensor {
  readonly dtype: RuntimeType;
  readonly dims: readonly number[];
  readonly data: RuntimeArray;
}

const makers: { readonly [T in RuntimeType]: (n: number) => RuntimeArrays[T] } = {
  float32: (n) => new Float32Array(n),
  float64: (n) => new Float64Array(n),
  float16: (n) => new Uint16Array(n),
  int8: (n) => new Int8Array(n),
  int16: (n) => new Int16Array(n),
  int32: (n) => new Int32Array(n),
  int64: (n) => new BigInt64Array(n),
  uint8: (n) => new Uint8Array(n),
  uint16: (n) => new Uint16Array(n),
  uint32: (n) => new Uint32Array(n),
  uint64: (n) => new BigUint64Array(n),
  bool: (n) => new Uint8Array(n),
};

export function isRuntimeType(name: string | undefined): name is RuntimeType {
  return name !== undefined && Object.hasOwn(makers, name);
}

/** A float32 tensor around (not a copy of) the data. @throws HalpError HALP_TENSOR_SHAPE where dims and length differ. */
export function floatTensor(data: Float32Array, dims: readonly number[]): RuntimeTensor {
  return runtimeTensor("float32", data, dims);
}

/** A tensor around (not a copy of) the data. @throws HalpError HALP_TENSOR_SHAPE where dims and length differ. */
export function runtimeTensor<T extends RuntimeType>(
  dtype: T,
  data: RuntimeArrays[T],
  dims: readonly number[],
): RuntimeTensor {
  if (data.length !== sizeOf(dims))
    throw new HalpError(
      "HALP_TENSOR_SHAPE",
      `Expected ${sizeOf(dims)} elements for dims [${dims.join(", ")}], came ${data.length}.`,
    );
  return { dtype, dims, data };
}

/** A tensor of zeros. */
export function zeroTensor(dtype: RuntimeType, dims: readonly number[]): RuntimeTensor {
  return { dtype, dims, data: makers[dtype](sizeOf(dims)) };
}

/** The elements as a Float32Array. @throws HalpError HALP_TENSOR_TYPE where the tensor is of another type. */
export function floatsOf(tensor: RuntimeTensor): Float32Array {
  if (tensor.dtype !== "float32")
    throw new HalpError("HALP_TENSOR_TYPE", `Expected a float32 tensor, came ${tensor.dtype}.`);
  return tensor.data as Float32Array;
}
