/** Shapes of Resize and Upsample. */
import { floatsAttr, intsAttr, stringAttr } from "../../graph/attributes.js";
import { numbersOf } from "../elements.js";
import { integersAt, isGiven, normalAxis, shapeError, showDims } from "../inference.js";
import type { InferContext, ShapeRule } from "../spec.js";

/** Extents are whole parts of float32 products, as ONNX Runtime takes them. */
function scaled(c: InferContext, dims: readonly number[], scales: readonly number[], axes: readonly number[]) {
  if (scales.length !== axes.length)
    throw shapeError(c.node, `expected ${axes.length} scales for an input of ${showDims(dims)}, came ${scales.length}`);
  const factor = new Map(axes.map((axis, i) => [axis, scales[i] as number]));
  return dims.map((d, axis) => Math.floor(Math.fround(d * Math.fround(factor.get(axis) ?? 1))));
}

/** Extents as wanted; or, where the aspect ratio must stay, the largest within them or the smallest around them. */
function sized(c: InferContext, dims: readonly number[], sizes: readonly number[], axes: readonly number[]) {
  if (sizes.length !== axes.length)
    throw shapeError(c.node, `expected ${axes.length} sizes for an input of ${showDims(dims)}, came ${sizes.length}`);
  const policy = stringAttr(c.node, "keep_aspect_ratio_policy", "stretch");
  const wanted = new Map(axes.map((axis, i) => [axis, sizes[i] as number]));
  if (policy === "stretch") return dims.map((d, axis) => wanted.get(axis) ?? d);
  const ratios = axes.map((axis) => Math.fround((wanted.get(axis) as number) / (dims[axis] as number)));
  const ratio = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return dims.map((d, axis) => (wanted.has(axis) ? Math.round(Math.fround(ratio * d)) : d));
}

const resize: ShapeRule = (c) => {
  const [x] = c.inputs;
  if (!x) return undefined;
  const rank = x.dims.length;
  const axes = intsAttr(c.node, "axes")?.map((axis) => normalAxis(c.node, axis, rank)) ?? x.dims.map((_, i) => i);
  const [scalesInput, sizesInput] = c.opset < 11 ? [1, -1] : [2, 3];
  if (sizesInput > 0 && isGiven(c, sizesInput)) {
    const sizes = integersAt(c, sizesInput);
    if (!sizes || sizes === "unknown") return undefined;
    return [{ dtype: x.dtype, dims: sized(c, x.dims, sizes, axes) }];
  }
  if (!isGiven(c, scalesInput)) throw shapeError(c.node, "expected scales or sizes, came neither");
  const scales = numbersOf(c.constants[scalesInput]);
  return scales && [{ dtype: x.dtype, dims: scaled(c, x.dims, scales, axes) }];
};

/** Scales were an attribute before opset 9. */
const upsample: ShapeRule = (c) => {
  const [x] = c.inputs;
  const scales = c.node.inputs[1] ? numbersOf(c.constants[1]) : floatsAttr(c.node, "scales");
  return (
    x &&
    scales && [
      {
        dtype: x.dtype,
        dims: scaled(
          c,
          x.dims,
          scales,
          x.dims.map((_, i) => i),
        ),
      },
    ]
  );
};

export const shapes: Readonly<Record<string, ShapeRule>> = { Resize: resize, Upsample: upsample };
