/** Shapes of pools. */
import type { ValueType } from "../../graph/analysis.js";
import { intsAttr } from "../../graph/attributes.js";
import { shapeError } from "../inference.js";
import type { ShapeRule } from "../spec.js";
import { slidingWindow } from "../window.js";

const pool: ShapeRule = ({ node, inputs: [x] }) => {
  if (!x) return undefined;
  const kernel = intsAttr(node, "kernel_shape");
  if (!kernel) throw shapeError(node, "expected an attribute kernel_shape, came none");
  const dims = [...x.dims.slice(0, 2), ...slidingWindow(node, x.dims.slice(2), kernel).output];
  const indices: ValueType = { dtype: "int64", dims };
  return node.outputs.map((_, i) => (i === 0 ? { dtype: x.dtype, dims } : indices));
};

const globalPool: ShapeRule = ({ inputs: [x] }) =>
  x && [{ dtype: x.dtype, dims: x.dims.map((d, axis) => (axis < 2 ? d : 1)) }];

export const shapes: Readonly<Record<string, ShapeRule>> = {
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
};
