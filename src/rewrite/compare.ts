/** Comparing a tensor of a rewritten network with the same tensor of its masked original. */
import { sizeOf } from "../graph/tensors.js";
import type { RuntimeTensor } from "../runtime/index.js";

/** Kernels of sigmoid and softmax are exact to about 1e-7 of one, however small what they return. */
const smallestScale = 0.01;

export interface Difference {
  /** Largest and mean absolute difference, relative to the largest finite magnitude in the reference, or to {@link smallestScale}. */
  readonly max: number;
  readonly mean: number;
}

/**
 * @param keptOf old positions that stay along each axis of the reference; undefined where all stay.
 * @returns infinite where the shapes differ, or where only one of the two is finite.
 */
export function difference(
  reference: RuntimeTensor,
  pruned: RuntimeTensor,
  keptOf: (axis: number) => Int32Array | undefined,
): Difference {
  const dims = reference.dims.map((d, axis) => keptOf(axis)?.length ?? d);
  const none = { max: Number.POSITIVE_INFINITY, mean: Number.POSITIVE_INFINITY };
  if (dims.join() !== pruned.dims.join()) return none;
  const offsets = offsetsOf(reference.dims, keptOf);
  let scale = smallestScale;
  for (const v of reference.data) if (Number.isFinite(Number(v))) scale = Math.max(scale, Math.abs(Number(v)));
  let max = 0;
  let sum = 0;
  for (let i = 0; i < offsets.length; i++) {
    const a = Number(reference.data[offsets[i] as number]);
    const b = Number(pruned.data[i]);
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const d = Math.abs(a - b);
    if (!Number.isFinite(d)) return none;
    max = Math.max(max, d);
    sum += d;
  }
  return { max: max / scale, mean: sum / scale / Math.max(1, offsets.length) };
}

/** Flat index in the whole tensor of each element of the cut one. */
function offsetsOf(dims: readonly number[], keptOf: (axis: number) => Int32Array | undefined): Int32Array {
  let offsets: Int32Array = Int32Array.of(0);
  dims.forEach((extent, axis) => {
    const stride = sizeOf(dims.slice(axis + 1));
    const kept = keptOf(axis);
    const count = kept?.length ?? extent;
    const next = new Int32Array(offsets.length * count);
    offsets.forEach((base, i) => {
      for (let k = 0; k < count; k++) next[i * count + k] = base + (kept ? (kept[k] as number) : k) * stride;
    });
    offsets = next;
  });
  return offsets;
}
