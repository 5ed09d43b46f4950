/** Shapes and values of operators that only lay the same elements out anew. */
import type { ValueType } from "../../graph/analysis.js";
import { intAttr, intsAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { gathered, strided, stridesOf, withDims } from "../elements.js";
import { integersAt, listFrom, normalAxis, shapeError, showDims } from "../inference.js";
import type { EvaluateRule, InferContext, ShapeRule } from "../spec.js";

/** Type of the output from that of the input. */
type Layout = (c: InferContext, x: ValueType) => readonly number[] | undefined;

/** 0 copies the extent at its place (but with `allowzero`), -1 takes what is left. */
const reshaped: Layout = (c, x) => {
  const wanted = integersAt(c, 1) ?? intsAttr(c.node, "shape");
  if (!wanted || wanted === "unknown") return undefined;
  const copies = intAttr(c.node, "allowzero", 0) === 0;
  const dims = wanted.map((d, i) => (d === 0 && copies ? (x.dims[i] ?? 0) : d));
  const free = dims.indexOf(-1);
  if (free >= 0) {
    const rest = sizeOf(dims.filter((_, i) => i !== free));
    dims[free] = rest === 0 ? 0 : sizeOf(x.dims) / rest;
  }
  if (sizeOf(dims) !== sizeOf(x.dims) || !dims.every((d) => Number.isInteger(d) && d >= 0))
    throw shapeError(c.node, `expected a shape that ${showDims(x.dims)} fits into, came ${showDims(wanted)}`);
  return dims;
};

const flattened: Layout = (c, x) => {
  const rank = x.dims.length;
  const stated = intAttr(c.node, "axis", 1);
  const axis = stated === rank ? rank : normalAxis(c.node, stated, rank);
  return [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))];
};

const squeezed: Layout = (c, x) => {
  const axes = listFrom(c, 1, "axes");
  if (axes === "unknown") return undefined;
  if (!axes) return x.dims.filter((d) => d !== 1);
  const gone = axes.map((axis) => normalAxis(c.node, axis, x.dims.length));
  if (gone.some((axis) => x.dims[axis] !== 1))
    throw shapeError(c.node, `expected extent 1 along axes ${showDims(axes)}, came ${showDims(x.dims)}`);
  return x.dims.filter((_, axis) => !gone.includes(axis));
};

const unsqueezed: Layout = (c, x) => {
  const axes = listFrom(c, 1, "axes");
  if (!axes || axes === "unknown") return undefined;
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(c.node, axis, rank)));
  if (added.size !== axes.length) throw shapeError(c.node, `expected distinct axes, came ${showDims(axes)}`);
  const rest = [...x.dims];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as number)));
};

/** Order of the axes; back to front where the node does not say. */
function orderOf(c: InferContext, rank: number): number[] {
  const order = intsAttr(c.node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i) || order.length !== rank)
    throw shapeError(c.node, `expected an order of ${rank} axes, came ${showDims(order)}`);
  return order;
}
const transposed: Layout = (c, x) => orderOf(c, x.dims.length).map((axis) => x.dims[axis] as number);

/** [N, C, H, W] to [N, C / b^2, H b, W b], or back. */
function blocks(toSpace: boolean): Layout {
  return ({ node }, { dims }) => {
    const [n = 0, c = 0, h = 0, w = 0] = dims;
    const b = intAttr(node, "blocksize", 1);
    const made = toSpace ? [n, c / (b * b), h * b, w * b] : [n, c * b * b, h / b, w / b];
    if (dims.length !== 4 || made.some((d) => !Number.isInteger(d)))
      throw shapeError(node, `expected [N, C, H, W] that blocks of ${b} divide, came ${showDims(dims)}`);
    return made;
  };
}

function shape(layout: Layout): ShapeRule {
  return (c) => {
    const [x] = c.inputs;
    const dims = x && layout(c, x);
    return dims && [{ dtype: x.dtype, dims }];
  };
}

/** The elements keep their order. */
function relabel(layout: Layout): EvaluateRule {
  return (c) => {
    const [x] = c.constants;
    const dims = x && layout(c, x);
    return dims && [withDims(x, dims)];
  };
}

const transposeValue: EvaluateRule = (c) => {
  const [x] = c.constants;
  if (!x) return undefined;
  const strides = stridesOf(x.dims);
  const order = orderOf(c, x.dims.length);
  const dims = order.map((axis) => x.dims[axis] as number);
  const made = gathered(
    x,
    dims,
    strided(
      dims,
      order.map((axis) => strides[axis] as number),
    ),
  );
  return made && [made];
};

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Reshape: shape(reshaped),
  Flatten: shape(flattened),
  Squeeze: shape(squeezed),
  Unsqueeze: shape(unsqueezed),
  Transpose: shape(transposed),
  DepthToSpace: shape(blocks(true)),
  SpaceToDepth: shape(blocks(false)),
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  Reshape: relabel(reshaped),
  Flatten: relabel(flattened),
  Squeeze: relabel(squeezed),
  Unsqueeze: relabel(unsqueezed),
  Transpose: transposeValue,
};
