/** Shapes of matrix products. */
import { intAttr } from "../../graph/attributes.js";
import { broadcastDims, shapeError, showDims } from "../inference.js";
import type { ShapeRule } from "../spec.js";

const gemm: ShapeRule = ({ node, inputs: [a, b] }) => {
  if (!a || !b) return undefined;
  const [rows, inner] = intAttr(node, "transA", 0) === 0 ? a.dims : [...a.dims].reverse();
  const [other, columns] = intAttr(node, "transB", 0) === 0 ? b.dims : [...b.dims].reverse();
  if (a.dims.length !== 2 || b.dims.length !== 2 || inner !== other)
    throw shapeError(node, `expected two matrices that multiply, came ${showDims(a.dims)} and ${showDims(b.dims)}`);
  return [{ dtype: a.dtype, dims: [rows as number, columns as number] }];
};

const matMul: ShapeRule = ({ node, inputs: [a, b] }) => {
  if (!a || !b) return undefined;
  // A vector counts as a row at the left and as a column at the right; that axis then goes again.
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  if (a.dims.length === 0 || b.dims.length === 0 || left.at(-1) !== right.at(-2))
    throw shapeError(node, `expected matrices that multiply, came ${showDims(a.dims)} and ${showDims(b.dims)}`);
  const dims = broadcastDims(node, [left.slice(0, -2), right.slice(0, -2)]);
  if (a.dims.length > 1) dims.push(left.at(-2) as number);
  if (b.dims.length > 1) dims.push(right.at(-1) as number);
  return [{ dtype: a.dtype, dims }];
};

export const shapes: Readonly<Record<string, ShapeRule>> = { Gemm: gemm, MatMul: matMul };
