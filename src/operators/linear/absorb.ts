/** What input channels of one value each come to behind a matrix product with constant weights. */
import { floatAttr, intAttr } from "../../graph/attributes.js";
import type { Tensor } from "../../graph/ir.js";
import { float32Of } from "../../graph/tensors.js";
import type { AbsorbRule } from "../spec.js";

/** values [K] times the matrix [K, N], or [N, K] where it lies transposed, times a factor. */
function product(values: Float64Array, matrix: Tensor, transposed: boolean, factor: number): Float64Array {
  const data = float32Of(matrix);
  const [rows = 0, columns = 0] = matrix.dims;
  const [inner, outputs] = transposed ? [columns, rows] : [rows, columns];
  const added = new Float64Array(outputs);
  for (let k = 0; k < inner; k++) {
    const value = factor * (values[k] as number);
    if (value === 0) continue;
    for (let o = 0; o < outputs; o++)
      added[o] = (added[o] as number) + value * (data[transposed ? o * columns + k : k * columns + o] as number);
  }
  return added;
}

const gemm: AbsorbRule = ({ node, type, constant }) => {
  const [a = "", b = ""] = node.inputs;
  const weight = constant(b);
  if (weight?.dtype !== "float32" || !type(a) || intAttr(node, "transA", 0) !== 0) return undefined;
  const factor = floatAttr(node, "beta", 1);
  return {
    inputAxis: 1,
    outputAxis: 1,
    uniform: true,
    ...(factor === 0 ? {} : { bias: { slot: 2, factor } }),
    added: (values) => product(values, weight, intAttr(node, "transB", 0) !== 0, floatAttr(node, "alpha", 1)),
  };
};

const matMul: AbsorbRule = ({ node, type, constant }) => {
  const [a = "", b = ""] = node.inputs;
  const weight = constant(b);
  const rank = type(a)?.dims.length ?? 0;
  if (weight?.dtype !== "float32" || weight.dims.length !== 2 || rank < 2) return undefined;
  return {
    inputAxis: rank - 1,
    outputAxis: rank - 1,
    uniform: true,
    added: (values) => product(values, weight, false, 1),
  };
};

export const absorptions: Readonly<Record<string, AbsorbRule>> = { Gemm: gemm, MatMul: matMul };
