/** Gradients of the softmax family, by operator type. */
import { intAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { dimsOf, type Emit, emitter } from "../emit.js";
import type { GradientRule } from "../spec.js";

/** Before opset 13 all axes from `axis` (default 1) on count as one; from then on `axis` (default the last) alone. */
function alongSoftmaxAxis(back: (e: Emit, dy: string, y: string, axis: number) => string): GradientRule {
  return (c) => {
    const dy = c.outputGradient(0);
    if (dy === undefined || !c.wants(0)) return [];
    const e = emitter(c);
    const y = c.node.outputs[0] ?? "";
    const dims = dimsOf(c, y);
    const given = intAttr(c.node, "axis", c.opset < 13 ? 1 : -1);
    const axis = given < 0 ? given + dims.length : given;
    if (c.opset >= 13 || axis === dims.length - 1) return [back(e, dy, y, axis)];
    const flat = [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))];
    return [e.reshape(back(e, e.reshape(dy, flat), e.reshape(y, flat), 1), dims)];
  };
}

export const gradients: Readonly<Record<string, GradientRule>> = {
  // dx = y (dy - sum(y dy))
  Softmax: alongSoftmaxAxis((e, dy, y, axis) => e.mul(y, e.sub(dy, e.reduceSum(e.mul(y, dy), [axis])))),
  // dx = dy - exp(y) sum(dy)
  LogSoftmax: alongSoftmaxAxis((e, dy, y, axis) => e.sub(dy, e.mul(e.op("Exp", [y]), e.reduceSum(dy, [axis])))),
};
