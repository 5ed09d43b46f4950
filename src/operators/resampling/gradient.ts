/** Gradients of Resize and Upsample: the adjoint of the interpolation along each axis. */
import { dimsOf, emitter, noGradient } from "../emit.js";
import type { GradientRule } from "../spec.js";
import { interpolation, type Taps } from "./interpolation.js";

/** Times that each input position is repeated, where the resampling does nothing else. */
function repeats(taps: Taps, extent: number): number | undefined {
  const times = taps.length / extent;
  if (!Number.isInteger(times)) return undefined;
  const plain = taps.every((t, o) => {
    const used = t.filter((tap) => tap.weight !== 0);
    return used.length === 1 && used[0]?.weight === 1 && used[0].at === Math.floor(o / times);
  });
  return plain ? times : undefined;
}

const resample: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const before = dimsOf(c, c.node.inputs[0]);
  const after = dimsOf(c, c.node.outputs[0]);
  const axes = interpolation(c.node, c.opset, before, after, (name) => c.constant(name));
  if (typeof axes === "string") throw noGradient(c, axes);
  const times = before.map((extent, axis) => {
    const taps = axes.get(axis);
    return taps ? repeats(taps, extent) : 1;
  });
  // Each element repeated a whole number of times along all axes: a sum over blocks.
  if (times.every((t) => t !== undefined)) {
    if (times.every((t) => t === 1)) return [dy];
    const split = e.reshape(
      dy,
      before.flatMap((extent, axis) => (times[axis] === 1 ? [extent] : [extent, times[axis] as number])),
    );
    const blocks: number[] = [];
    let at = 0;
    for (const t of times) {
      at += t === 1 ? 1 : 2;
      if (t !== 1) blocks.push(at - 1);
    }
    return [e.reduceSum(split, blocks, false)];
  }
  let dx = dy;
  const now = [...after];
  for (const [axis, taps] of axes) {
    const extent = before[axis] as number;
    const matrix = new Float32Array(taps.length * extent);
    taps.forEach((t, o) => {
      for (const { at, weight } of t) matrix[o * extent + at] = (matrix[o * extent + at] as number) + weight;
    });
    dx = e.alongAxis(dx, now, axis, matrix, extent);
    now[axis] = extent;
  }
  return [dx];
};

export const gradients: Readonly<Record<string, GradientRule>> = { Resize: resample, Upsample: resample };
