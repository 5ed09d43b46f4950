/** Gradients of pools, by operator type. */
import { intAttr, intsAttr, stringAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";
import { slidingWindow, type Window } from "../window.js";

/** @throws HalpError HALP_NO_GRADIENT where the runtime pads by negative numbers, and so starts within the input. */
function windowOf(c: GradientContext, input: readonly number[]): Window {
  const w = slidingWindow(c.node, input, intsAttr(c.node, "kernel_shape") ?? []);
  const same = stringAttr(c.node, "auto_pad", "NOTSET").startsWith("SAME");
  if (same && w.strides.some((s, i) => s > (w.dilations[i] as number) * ((w.kernel[i] as number) - 1) + 2))
    throw noGradient(c, "with auto_pad its windows lie further apart than they reach");
  return w;
}

/** Whether windows lie side by side and cover the input, or all that they cover of it (`rest` is left out at the end). */
function tilesInput(w: Window, input: readonly number[]): boolean {
  return input.every(
    (extent, i) =>
      w.kernel[i] === w.strides[i] &&
      w.dilations[i] === 1 &&
      w.before[i] === 0 &&
      (w.output[i] as number) * (w.kernel[i] as number) <= extent,
  );
}

/** Each element repeated over its window: [.., o, ..] -> [.., o * k, ..], as a shape that broadcasts. */
function blocks(w: Window, lead: readonly number[]) {
  return {
    single: [...lead, ...w.output.flatMap((o) => [o, 1])],
    split: [...lead, ...w.output.flatMap((o, i) => [o, w.kernel[i] as number])],
    whole: [...lead, ...w.output.map((o, i) => o * (w.kernel[i] as number))],
  };
}

/**
 * Averages are a product over axes, the number of elements in a window too; so the gradient is one small matrix along
 * each axis: entry (window, position) is 1 / elements of the window where the position is in it.
 */
const averagePool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const dims = dimsOf(c, c.node.inputs[0]);
  const input = dims.slice(2);
  const w = windowOf(c, input);
  const lead = dims.slice(0, 2);
  if (tilesInput(w, input)) {
    const { single, split, whole } = blocks(w, lead);
    const shared = e.mul(dy, e.scalar(1 / sizeOf(w.kernel)));
    const spread = e.reshape(e.expand(e.reshape(shared, single), split), whole);
    return [
      e.pad(
        spread,
        dims.map(() => 0),
        dims.map((d, i) => d - (whole[i] as number)),
      ),
    ];
  }
  const includesPad = intAttr(c.node, "count_include_pad", 0) === 1;
  let dx = dy;
  const now = [...lead, ...w.output];
  input.forEach((extent, i) => {
    const matrix = new Float32Array((w.output[i] as number) * extent);
    for (let o = 0; o < (w.output[i] as number); o++) {
      const start = o * (w.strides[i] as number) - (w.before[i] as number);
      const taps = Array.from({ length: w.kernel[i] as number }, (_, t) => start + t * (w.dilations[i] as number));
      const inside = taps.filter((at) => at >= 0 && at < extent);
      // Padding counts where it is asked for; what ceil_mode adds beyond it never does.
      const counted = includesPad ? taps.filter((at) => at < extent + (w.after[i] as number)).length : inside.length;
      for (const at of inside) matrix[o * extent + at] = 1 / counted;
    }
    dx = e.alongAxis(dx, now, i + 2, matrix, extent);
    now[i + 2] = extent;
  });
  return [dx];
};

/**
 * The gradient goes to the elements that equal the maximum of their window, in equal parts where there are several. No
 * indices: a MaxPool that gives them is ten times slower.
 */
const maxPool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const [x = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const input = dims.slice(2);
  // With ceil_mode or auto_pad the runtime may state another shape at loading than it makes in a run: the true one over it.
  const made = c.node.outputs[0] ?? "";
  const plain = intAttr(c.node, "ceil_mode", 0) === 0 && !c.node.attributes.has("auto_pad");
  const y = plain ? made : e.reshape(made, dimsOf(c, made));
  const w = windowOf(c, input);
  return [tilesInput(w, input) ? maxOfTiles(e, w, dims, x, y, dy) : maxOfWindows(e, w, dims, x, y, dy)];
};

function maxOfTiles(e: Emit, w: Window, dims: readonly number[], x: string, y: string, dy: string): string {
  const { single, split, whole } = blocks(w, dims.slice(0, 2));
  const zero = dims.map(() => 0);
  const rest = dims.map((d, i) => d - (whole[i] as number));
  const covered = e.pad(
    x,
    zero,
    rest.map((r) => -r),
  );
  const reached = e.atLeast(e.reshape(covered, split), e.reshape(y, single));
  const count = e.reduceSum(
    reached,
    w.output.map((_, i) => 2 * i + 3),
  );
  const dx = e.mul(reached, e.div(e.reshape(dy, single), count));
  return e.pad(e.reshape(dx, whole), zero, rest);
}

/**
 * Windows that overlap, tap by tap: taps whose offsets leave the same rest by the stride fall on the same positions of the
 * input, shifted by whole strides; so they are summed, and the sums of the different rests are interleaved.
 */
function maxOfWindows(e: Emit, w: Window, dims: readonly number[], x: string, y: string, dy: string): string {
  const lead = dims.slice(0, 2);
  const input = dims.slice(2);
  const axes = input.map((_, i) => i + 2);
  const at = (list: readonly number[], i: number) => list[i] as number;
  const taps = indices(w.kernel).map((tap) => tap.map((t, i) => t * at(w.dilations, i)));
  // Cells of one stride each, as many as reach over all windows and all of the input.
  const cells = input.map((extent, i) => {
    const reach = (at(w.output, i) - 1) * at(w.strides, i) + (at(w.kernel, i) - 1) * at(w.dilations, i) + 1;
    return Math.ceil(Math.max(reach, extent + at(w.before, i)) / at(w.strides, i));
  });
  const grown = cells.map((n, i) => n * at(w.strides, i));
  const after = grown.map((n, i) => n - at(input, i) - at(w.before, i));
  const padded = e.pad(x, [0, 0, ...w.before], [0, 0, ...after], -3e38);
  const reached = taps.map((tap) =>
    e.atLeast(e.strided(padded, [...lead, ...grown], axes, tap, w.output, w.strides), y),
  );
  const count = reached.slice(1).reduce((sum, r) => e.add(sum, r), reached[0] as string);
  const share = e.div(dy, count);
  const byRest = new Map<string, string>();
  taps.forEach((tap, t) => {
    const shift = tap.map((offset, i) => Math.floor(offset / at(w.strides, i)));
    const rest = tap.map((offset, i) => offset % at(w.strides, i)).join();
    const behind = cells.map((n, i) => n - at(w.output, i) - at(shift, i));
    const placed = e.pad(e.mul(reached[t] as string, share), [0, 0, ...shift], [0, 0, ...behind]);
    const sum = byRest.get(rest);
    byRest.set(rest, sum === undefined ? placed : e.add(sum, placed));
  });
  const rests = indices(w.strides).map((rest) => byRest.get(rest.join()) ?? e.zeros([...lead, ...cells]));
  const crop = (value: string) =>
    e.slice(
      value,
      axes,
      w.before,
      w.before.map((b, i) => b + at(input, i)),
    );
  if (rests.length === 1) return crop(rests[0] as string);
  // [N, C, ...cells] for each rest -> [strides..., N, C, ...cells] -> [N, C, cell, stride, cell, stride, ...].
  const n = input.length;
  const stacked = e.concat(
    rests.map((r) => e.reshape(r, [1, ...lead, ...cells])),
    0,
  );
  const split = e.reshape(stacked, [...w.strides, ...lead, ...cells]);
  const order = [n, n + 1, ...input.flatMap((_, i) => [n + 2 + i, i])];
  return crop(e.reshape(e.transpose(split, order), [...lead, ...grown]));
}

/** All index tuples below the extents, row-major. */
function indices(extents: readonly number[]): number[][] {
  return extents.reduce<number[][]>(
    (all, extent) => all.flatMap((head) => Array.from({ length: extent }, (_, i) => [...head, i])),
    [[]],
  );
}

const globalAveragePool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const dims = dimsOf(c, c.node.inputs[0]);
  return [e.expand(e.mul(dy, e.scalar(1 / sizeOf(dims.slice(2)))), dims)];
};

const globalMaxPool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const [x = ""] = c.node.inputs;
  const axes = dimsOf(c, x)
    .map((_, i) => i)
    .slice(2);
  const reached = e.atLeast(x, c.node.outputs[0] ?? "");
  return [e.mul(reached, e.div(dy, e.reduceSum(reached, axes)))];
};

/** y = (sum of x^2 over the window)^(1/2): dx = x * (sum of dy / y over the windows that hold it). */
const lpPool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const p = intAttr(c.node, "p", 2);
  if (p !== 2) throw noGradient(c, `only p = 2 is known, this has ${p}`);
  const e = emitter(c);
  const [x = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const w = windowOf(c, dims.slice(2));
  let sum = e.div(dy, c.node.outputs[0] ?? "");
  const now = [...dims.slice(0, 2), ...w.output];
  dims.slice(2).forEach((extent, i) => {
    const matrix = new Float32Array((w.output[i] as number) * extent);
    for (let o = 0; o < (w.output[i] as number); o++)
      for (let t = 0; t < (w.kernel[i] as number); t++) {
        const at = o * (w.strides[i] as number) - (w.before[i] as number) + t * (w.dilations[i] as number);
        if (at >= 0 && at < extent) matrix[o * extent + at] = 1;
      }
    sum = e.alongAxis(sum, now, i + 2, matrix, extent);
    now[i + 2] = extent;
  });
  return [e.mul(x, sum)];
};

/** The same over all of space. */
const globalLpPool: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const p = intAttr(c.node, "p", 2);
  if (p !== 2) throw noGradient(c, `only p = 2 is known, this has ${p}`);
  const e = emitter(c);
  return [e.mul(c.node.inputs[0] ?? "", e.div(dy, c.node.outputs[0] ?? ""))];
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  AveragePool: averagePool,
  MaxPool: maxPool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
};
