/** Gradients of operators that only move elements: the same move backwards. */
import { intAttr, intsAttr, stringAttr } from "../../graph/attributes.js";
import { dimsOf, type Emit, emitter } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";

type Back = (e: Emit, dy: string, dims: readonly number[], c: GradientContext) => string;

function moved(back: Back): GradientRule {
  return (c) => {
    const dy = c.outputGradient(0);
    if (dy === undefined || !c.wants(0)) return [];
    return [back(emitter(c), dy, dimsOf(c, c.node.inputs[0]), c)];
  };
}

const reshape: Back = (e, dy, dims) => e.reshape(dy, dims);

const transpose: Back = (e, dy, dims, c) => {
  const perm = intsAttr(c.node, "perm") ?? dims.map((_, i) => dims.length - 1 - i);
  const inverse = new Array<number>(perm.length);
  perm.forEach((from, to) => {
    inverse[from] = to;
  });
  return e.transpose(dy, inverse);
};

/** Out of [N, C, H b, W b] into [N, C b b, H, W], or the way back. Blocks before channels (DCR) or after them (CRD). */
const depthToSpace: Back = (e, dy, [n = 1, channels = 1, h = 1, w = 1], c) => {
  const b = intAttr(c.node, "blocksize", 1);
  const rest = channels / (b * b);
  const split = e.reshape(dy, [n, rest, h, b, w, b]);
  const depthFirst = stringAttr(c.node, "mode", "DCR") === "DCR";
  return e.reshape(e.transpose(split, depthFirst ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]), [n, channels, h, w]);
};

const spaceToDepth: Back = (e, dy, [n = 1, channels = 1, h = 1, w = 1], c) => {
  const b = intAttr(c.node, "blocksize", 1);
  const split = e.reshape(dy, [n, b, b, channels, h / b, w / b]);
  return e.reshape(e.transpose(split, [0, 3, 4, 1, 5, 2]), [n, channels, h, w]);
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  Reshape: moved(reshape),
  Flatten: moved(reshape),
  Squeeze: moved(reshape),
  Unsqueeze: moved(reshape),
  Transpose: moved(transpose),
  DepthToSpace: moved(depthToSpace),
  SpaceToDepth: moved(spaceToDepth),
};
