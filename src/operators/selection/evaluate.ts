/** Values of operators that take, put together or repeat elements: the bytes move, whatever their type. */
import { intAttr } from "../../graph/attributes.js";
import type { Tensor } from "../../graph/ir.js";
import { elementBytes, integersOf, sizeOf } from "../../graph/tensors.js";
import { broadcasting, gathered, strided, stridesOf, withDims } from "../elements.js";
import { normalAxis } from "../inference.js";
import type { EvaluateRule, InferContext } from "../spec.js";
import { sliceRanges } from "./ranges.js";
import { constantsByName, shapes, splitSizes } from "./shape.js";

const one = (tensor: Tensor | undefined) => tensor && [tensor];

/** Dims that the shape rule gives the first output. */
const outputDims = (c: InferContext, opType: string) => shapes[opType]?.(c)?.[0]?.dims;

const concat: EvaluateRule = (c) => {
  const dims = outputDims(c, "Concat");
  const parts = c.constants.filter((t) => t !== undefined);
  const [first] = parts;
  if (!dims || !first || parts.length !== c.node.inputs.length) return undefined;
  const width = elementBytes[first.dtype];
  if (width === 0) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 1), dims.length);
  const bytes = new Uint8Array(sizeOf(dims) * width);
  const outer = sizeOf(dims.slice(0, axis));
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const part of parts) {
      const run = (part.bytes.length / outer) | 0;
      bytes.set(part.bytes.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  return [{ ...withDims(first, dims), bytes }];
};

const split: EvaluateRule = (c) => {
  const [x] = c.constants;
  if (!x) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 0), x.dims.length);
  const strides = stridesOf(x.dims);
  let start = 0;
  const parts = splitSizes(c, x.dims[axis] as number)?.map((size) => {
    const dims = x.dims.with(axis, size);
    const part = gathered(x, dims, strided(dims, strides, start * (strides[axis] as number)));
    start += size;
    return part;
  });
  return parts?.every((p) => p !== undefined) ? parts : undefined;
};

const slice: EvaluateRule = (c) => {
  const [x] = c.constants;
  const ranges = x && sliceRanges(c.node, x.dims, constantsByName(c));
  if (!ranges) return undefined;
  const strides = stridesOf(x.dims);
  const dims = x.dims.map((d, axis) => ranges.get(axis)?.count ?? d);
  const offset = strides.reduce((sum, s, axis) => sum + s * (ranges.get(axis)?.start ?? 0), 0);
  const steps = strides.map((s, axis) => s * (ranges.get(axis)?.step ?? 1));
  return one(gathered(x, dims, strided(dims, steps, offset)));
};

const gather: EvaluateRule = (c) => {
  const [x, indices] = c.constants;
  const dims = outputDims(c, "Gather");
  if (!x || !indices || !dims) return undefined;
  const axis = normalAxis(c.node, intAttr(c.node, "axis", 0), x.dims.length);
  const extent = x.dims[axis] as number;
  const picked = integersOf(indices).map((i) => (i < 0 ? i + extent : i));
  if (picked.some((i) => i < 0 || i >= extent)) return undefined;
  const inner = sizeOf(x.dims.slice(axis + 1));
  const count = picked.length;
  return one(
    gathered(x, dims, (position) => {
      const run = Math.floor(position / inner);
      const at = picked[run % count] as number;
      return (Math.floor(run / count) * extent + at) * inner + (position % inner);
    }),
  );
};

const expand: EvaluateRule = (c) => {
  const [x] = c.constants;
  const dims = outputDims(c, "Expand");
  return x && dims && one(gathered(x, dims, broadcasting(x.dims, dims)));
};

const tile: EvaluateRule = (c) => {
  const [x] = c.constants;
  const dims = outputDims(c, "Tile");
  if (!x || !dims) return undefined;
  const strides = stridesOf(x.dims);
  const own = stridesOf(dims);
  return one(
    gathered(x, dims, (position) =>
      strides.reduce((sum, stride, axis) => {
        const coordinate = Math.floor(position / (own[axis] as number)) % (dims[axis] as number);
        return sum + stride * (coordinate % (x.dims[axis] as number));
      }, 0),
    ),
  );
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Expand: expand,
  Tile: tile,
};
