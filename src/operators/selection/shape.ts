/** Shapes of operators that take, put together or repeat elements. Their values are in `evaluate.ts`. */
import type { ValueType } from "../../graph/analysis.js";
import { intAttr } from "../../graph/attributes.js";
import { integersOf } from "../../graph/tensors.js";
import {
  allInputs,
  broadcastDims,
  integersAt,
  listFrom,
  normalAxis,
  sameAsFirst,
  shapeError,
  showDims,
} from "../inference.js";
import type { InferContext, ShapeRule } from "../spec.js";
import { padsOf, sliceRanges } from "./ranges.js";

/** Looks constants up by name, as {@link sliceRanges} and {@link padsOf} want it. */
export function constantsByName(c: InferContext) {
  return (name: string) => c.constants[c.node.inputs.indexOf(name)];
}

const concat: ShapeRule = (c) => {
  const inputs = allInputs(c);
  const [first] = inputs ?? [];
  if (!inputs || !first) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 1), first.dims.length);
  const fits = (x: ValueType) =>
    x.dims.length === first.dims.length && x.dims.every((d, i) => i === axis || d === first.dims[i]);
  if (!inputs.every(fits))
    throw shapeError(
      c.node,
      `expected shapes that are equal but for axis ${axis}, came ${inputs.map((x) => showDims(x.dims)).join(", ")}`,
    );
  const sum = inputs.reduce((n, x) => n + (x.dims[axis] as number), 0);
  return [{ dtype: first.dtype, dims: first.dims.with(axis, sum) }];
};

/** Extents of the parts: as listed (attribute, from opset 13 input), else equal; the last of `num_outputs` may be smaller. */
export function splitSizes(c: InferContext, extent: number): number[] | undefined {
  const count = c.node.outputs.length;
  const listed = listFrom(c, 1, "split");
  if (listed === "unknown") return undefined;
  const part = Math.ceil(extent / count);
  const sizes = listed ?? Array.from({ length: count }, (_, i) => Math.max(0, Math.min(part, extent - i * part)));
  if (sizes.length !== count || sizes.reduce((a, b) => a + b, 0) !== extent)
    throw shapeError(c.node, `expected ${count} parts of ${extent} together, came ${showDims(sizes)}`);
  return sizes;
}

const split: ShapeRule = (c) => {
  const [x] = c.inputs;
  if (!x) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 0), x.dims.length);
  return splitSizes(c, x.dims[axis] as number)?.map((size) => ({ dtype: x.dtype, dims: x.dims.with(axis, size) }));
};

const slice: ShapeRule = (c) => {
  const [x] = c.inputs;
  const ranges = x && sliceRanges(c.node, x.dims, constantsByName(c));
  return ranges && [{ dtype: x.dtype, dims: x.dims.map((d, axis) => ranges.get(axis)?.count ?? d) }];
};

const gather: ShapeRule = (c) => {
  const [x, indices] = c.inputs;
  if (!x || !indices) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 0), x.dims.length);
  return [{ dtype: x.dtype, dims: [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)] }];
};

const gatherElements: ShapeRule = ({ inputs: [x, indices] }) =>
  x && indices && [{ dtype: x.dtype, dims: indices.dims }];

const gatherNd: ShapeRule = (c) => {
  const [x, indices] = c.inputs;
  if (!x || !indices) return undefined;
  const from = intAttr(c.node, "batch_dims", 0) + (indices.dims.at(-1) ?? 0);
  return [{ dtype: x.dtype, dims: [...indices.dims.slice(0, -1), ...x.dims.slice(from)] }];
};

const pad: ShapeRule = (c) => {
  const [x] = c.inputs;
  const pads = x && padsOf(c.node, x.dims.length, constantsByName(c));
  if (!pads) return undefined;
  const dims = x.dims.map((d, axis) => d + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0));
  if (dims.some((d) => d < 0)) throw shapeError(c.node, `expected pads that leave ${showDims(x.dims)} some elements`);
  return [{ dtype: x.dtype, dims }];
};

const tile: ShapeRule = (c) => {
  const [x] = c.inputs;
  const repeats = integersAt(c, 1);
  if (!x || !repeats || repeats === "unknown") return undefined;
  if (repeats.length !== x.dims.length)
    throw shapeError(c.node, `expected ${x.dims.length} repeats, came ${showDims(repeats)}`);
  return [{ dtype: x.dtype, dims: x.dims.map((d, axis) => d * (repeats[axis] as number)) }];
};

const expand: ShapeRule = (c) => {
  const [x] = c.inputs;
  const wanted = integersAt(c, 1);
  if (!x || !wanted || wanted === "unknown") return undefined;
  return [{ dtype: x.dtype, dims: broadcastDims(c.node, [x.dims, wanted]) }];
};

/** `k` was an attribute before opset 10. */
const topK: ShapeRule = (c) => {
  const [x] = c.inputs;
  const k = c.opset < 10 ? [intAttr(c.node, "k", 1)] : integersAt(c, 1);
  if (!x || !k || k === "unknown") return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", -1), x.dims.length);
  const dims = x.dims.with(axis, k[0] ?? 1);
  return [
    { dtype: x.dtype, dims },
    { dtype: "int64", dims },
  ];
};

const oneHot: ShapeRule = (c) => {
  const [indices, , values] = c.inputs;
  const depth = c.constants[1]?.dtype.includes("int") ? integersOf(c.constants[1])[0] : undefined;
  if (!indices || !values || depth === undefined) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", -1), indices.dims.length + 1);
  return [{ dtype: values.dtype, dims: indices.dims.toSpliced(axis, 0, depth) }];
};

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Pad: pad,
  Tile: tile,
  Expand: expand,
  ScatterND: sameAsFirst,
  ScatterElements: sameAsFirst,
  Trilu: sameAsFirst,
  TopK: topK,
  OneHot: oneHot,
};
