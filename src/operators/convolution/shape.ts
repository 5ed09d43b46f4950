/** Shapes of convolutions. */
import { intAttr, intsAttr } from "../../graph/attributes.js";
import { shapeError, showDims } from "../inference.js";
import type { ShapeRule } from "../spec.js";
import { slidingWindow, spreadingWindow } from "../window.js";

function convolution(transposed: boolean): ShapeRule {
  return ({ node, inputs: [x, w] }) => {
    if (!x || !w) return undefined;
    const [batch, channels, ...space] = x.dims;
    if (batch === undefined || channels === undefined || w.dims.length !== x.dims.length)
      throw shapeError(
        node,
        `expected input and weight of equal rank, came ${showDims(x.dims)} and ${showDims(w.dims)}`,
      );
    const groups = intAttr(node, "group", 1);
    const [first = 0, second = 0, ...kernel] = w.dims;
    // Conv's weight is [out, in / groups, ...kernel], ConvTranspose's [in, out / groups, ...kernel].
    const wanted = transposed ? first : second * groups;
    if (wanted !== channels)
      throw shapeError(
        node,
        `expected ${wanted} input channels for a weight of ${showDims(w.dims)} in ${groups} groups, came ${showDims(x.dims)}`,
      );
    const stated = intsAttr(node, "kernel_shape");
    if (stated && stated.join() !== kernel.join())
      throw shapeError(
        node,
        `expected kernel_shape ${showDims(kernel)} as the weight has it, came ${showDims(stated)}`,
      );
    const { output } = transposed ? spreadingWindow(node, space, kernel) : slidingWindow(node, space, kernel);
    return [{ dtype: x.dtype, dims: [batch, transposed ? second * groups : first, ...output] }];
  };
}

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Conv: convolution(false),
  ConvTranspose: convolution(true),
};
