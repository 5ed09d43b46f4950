import type { Tensor } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";

/** Bits an element takes in `raw_data`, by TensorProto.DataType; strings (8) have no such size. */
const bits: Readonly<Record<number, number>> = {
  1: 32, // float
  2: 8, // uint8
  3: 8, // int8
  4: 16, // uint16
  5: 16, // int16
  6: 32, // int32
  7: 64, // int64
  9: 8, // bool
  10: 16, // float16
  11: 64, // double
  12: 32, // uint32
  13: 64, // uint64
  14: 64, // complex64
  15: 128, // complex128
  16: 16, // bfloat16
  17: 8, // float8e4m3fn
  18: 8, // float8e4m3fnuz
  19: 8, // float8e5m2
  20: 8, // float8e5m2fnuz
  21: 4, // uint4
  22: 4, // int4
  23: 4, // float4e2m1
  24: 8, // float8e8m0
  25: 2, // uint2
  26: 2, // int2
};

/** Bytes that type and dimensions of a tensor ask for; undefined for strings and for types that halp does not know. */
export function expectedBytes(tensor: Pick<Tensor, "dtypeCode" | "dims">): number | undefined {
  const width = bits[tensor.dtypeCode];
  return width === undefined ? undefined : Math.ceil((width * sizeOf(tensor.dims)) / 8);
}
