/** The gradient of a strided convolution's input as one convolution in blocks, whose channels are the phases of its positions. */
import { convolutionAttributes, convolveToBlocks, fromBlocks, wholeBlocks } from "../blocks.js";
import type { Emit } from "../emit.js";
import type { Layer } from "./layer.js";

/** Along one axis: which taps the positions of one phase are made of. */
export interface Phases {
  readonly stride: number;
  /** Taps of each phase, zeros among them. */
  readonly taps: number;
  /** Zeros before the kernel's taps, and after them, to make `stride * taps`. */
  readonly zeros: readonly [number, number];
  /** Of the small side, whose positions are those of a phase. */
  readonly pads: readonly [number, number];
}

/**
 * The large side's positions that lie a stride apart are a phase: each phase is a plain convolution of the small side with
 * every stride-th tap. Undefined where phases would differ in size, or would need a crop.
 *
 * Position s j + r takes w[t] from position i of the small side where s i + t = s j + r + p, p the padding before. With b =
 * ceil(p / s), t = s (j - i + b) + r - (s b - p): so with s b - p zeros before the taps, row j - i + b of the taps in rows of s.
 */
export function phasesOf({ groups, large, rank, small, window }: Layer): Phases[] | undefined {
  if (groups !== 1 || rank !== 2 || window.dilations.some((d) => d !== 1)) return undefined;
  const axes = large.map((size, i): Phases => {
    const [stride, kernel, before] = [window.strides, window.kernel, window.before].map((list) => list[i]) as [
      number,
      number,
      number,
    ];
    const back = Math.ceil(before / stride);
    const front = stride * back - before;
    const taps = Math.max(back + 1, Math.ceil((kernel + front) / stride));
    return {
      stride,
      taps,
      zeros: [front, stride * taps - kernel - front],
      pads: [taps - 1 - back, size / stride - (small[i] as number) + back],
    };
  });
  const fits = axes.every(({ stride, pads }, i) => (large[i] as number) % stride === 0 && pads.every((p) => p >= 0));
  return fits ? axes : undefined;
}

/** All phases as channels of one convolution in blocks, which are then put in between each other. @param channels of small and large side */
export function spreadByPhases(
  e: Emit,
  { batch, large }: Layer,
  phases: readonly Phases[],
  [small = "", weight = ""]: readonly string[],
  [total, inner]: readonly [number, number],
  block: number,
): string {
  const all = wholeBlocks(inner, block);
  const [h, w] = phases as [Phases, Phases];
  const filled = e.pad(weight, [0, 0, h.zeros[0], w.zeros[0]], [0, all - inner, h.zeros[1], w.zeros[1]]);
  let taps = e.reshape(filled, [total, all, h.taps, h.stride, w.taps, w.stride]);
  const turned = [2, 4].filter((_, i) => (phases[i] as Phases).taps > 1);
  if (turned.length > 0)
    taps = e.slice(
      taps,
      turned,
      turned.map(() => -1),
      turned.map((axis) => -1 - (axis === 2 ? h : w).taps),
      turned.map(() => -1),
    );
  const outputs = h.stride * w.stride * all;
  const kernel = [h.taps, w.taps];
  const byPhase = e.reshape(e.transpose(taps, [3, 5, 1, 0, 2, 4]), [outputs, total, ...kernel]);
  const attributes = convolutionAttributes(kernel, 1, { pads: [h.pads[0], w.pads[0], h.pads[1], w.pads[1]] });
  const made = convolveToBlocks(e, [small, byPhase], [outputs, total, ...kernel], block, attributes, "all");
  const [rows, columns] = large.map((size, i) => size / (phases[i] as Phases).stride) as [number, number];
  const apart = e.reshape(made, [batch, h.stride, w.stride, all / block, rows, columns, block]);
  const between = e.reshape(e.transpose(apart, [0, 3, 4, 1, 5, 2, 6]), [batch, all, ...large]);
  return fromBlocks(e, between, inner);
}
