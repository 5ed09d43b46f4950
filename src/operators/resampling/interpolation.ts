/** How Resize and Upsample make each output position of an axis out of input positions: one small matrix per axis. */
import { floatAttr, floatsAttr, intAttr, intsAttr, stringAttr } from "../../graph/attributes.js";
import type { Node, Tensor } from "../../graph/ir.js";
import { integersOf } from "../../graph/tensors.js";
import { numbersOf } from "../elements.js";

/** Along one axis: output position o is the sum over its taps of weight times input position. */
export type Taps = readonly (readonly { readonly at: number; readonly weight: number }[])[];

interface Axis {
  readonly input: number;
  readonly output: number;
  readonly scale: number;
}

/** In float32, as the runtime computes it: a coordinate that lies half way between two positions must do so here too. */
const f = Math.fround;

/** Input coordinate of an output position (ONNX Resize, `coordinate_transformation_mode`); undefined: not known to halp. */
function coordinate(mode: string, o: number, { input, output, scale }: Axis): number | undefined {
  switch (mode) {
    case "asymmetric":
      return f(o / scale);
    case "half_pixel":
      return f(f((o + 0.5) / scale) - 0.5);
    case "pytorch_half_pixel":
      return output > 1 ? f(f((o + 0.5) / scale) - 0.5) : 0;
    case "tf_half_pixel_for_nn":
      return f((o + 0.5) / scale);
    case "align_corners":
      return output > 1 ? f((o * (input - 1)) / (output - 1)) : 0;
    case "half_pixel_symmetric": {
      const adjustment = f(output / f(scale * input));
      return f(f(f(input / 2) * f(1 - adjustment)) + f(f((o + 0.5) / scale) - 0.5));
    }
    default:
      return undefined;
  }
}

function nearest(mode: string, x: number): number {
  switch (mode) {
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    default:
      return Math.ceil(x - 0.5);
  }
}

/** Keys' cubic kernel at the four neighbours of a fraction (Keys 1981, eqs. 4 and 15), a = `cubic_coeff_a`. */
function cubic(t: number, a: number): [number, number, number, number] {
  const near = (d: number) => (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  const far = (d: number) => a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}

/**
 * Taps for each resampled axis; a string says why they cannot be told. Opset 10 Resize and Upsample have asymmetric
 * coordinates and floor.
 */
export function interpolation(
  node: Node,
  opset: number,
  before: readonly number[],
  after: readonly number[],
  constant: (name: string) => Tensor | undefined,
): Map<number, Taps> | string {
  const old = node.opType === "Upsample" || opset < 11;
  const method = stringAttr(node, "mode", "nearest");
  const transformation = old ? "asymmetric" : stringAttr(node, "coordinate_transformation_mode", "half_pixel");
  const stated = stringAttr(node, "nearest_mode", "round_prefer_floor");
  if (intAttr(node, "antialias", 0) === 1) return "it resamples with antialiasing";
  const scales = givenScales(node, old, before.length, constant) ?? keptRatio(node, before, constant);
  const axes = new Map<number, Taps>();
  // Where no extent changes the runtime copies, whatever the scales are.
  if (before.every((extent, axis) => extent === after[axis])) return axes;
  for (let axis = 0; axis < before.length; axis++) {
    const [input, output] = [before[axis] as number, after[axis] as number];
    if (input === output && (scales?.get(axis) ?? 1) === 1) continue;
    const shape: Axis = { input, output, scale: f(scales?.get(axis) ?? output / input) };
    // Before opset 11 the runtime rounds up where it makes fewer positions, else down.
    const rounding = !old ? stated : shape.scale < 1 ? "ceil" : "floor";
    const taps: { at: number; weight: number }[][] = [];
    for (let o = 0; o < output; o++) {
      const x = coordinate(transformation, o, shape);
      if (x === undefined) return `its coordinates are ${transformation}`;
      taps.push(tapsAt(node, method, rounding, x, input));
    }
    axes.set(axis, taps);
  }
  return axes;
}

function tapsAt(node: Node, method: string, rounding: string, x: number, extent: number) {
  const within = (i: number) => Math.min(Math.max(i, 0), extent - 1);
  if (method === "nearest") return [{ at: within(nearest(rounding, x)), weight: 1 }];
  if (method === "cubic") {
    const low = Math.floor(x);
    const weights = cubic(x - low, floatAttr(node, "cubic_coeff_a", -0.75));
    const excludes = intAttr(node, "exclude_outside", 0) === 1;
    const taps = weights.map((weight, k) => ({ i: low - 1 + k, weight }));
    const used = excludes ? taps.filter((t) => t.i >= 0 && t.i < extent) : taps;
    const sum = excludes ? used.reduce((n, t) => n + t.weight, 0) : 1;
    return used.map((t) => ({ at: within(t.i), weight: t.weight / sum }));
  }
  const clamped = Math.min(Math.max(x, 0), extent - 1);
  const low = Math.floor(clamped);
  const t = clamped - low;
  return [
    { at: low, weight: 1 - t },
    { at: within(low + 1), weight: t },
  ];
}

/** The one scale of all axes where sizes are bounds and the aspect ratio is kept (opset 18). */
function keptRatio(node: Node, before: readonly number[], constant: (name: string) => Tensor | undefined) {
  const policy = stringAttr(node, "keep_aspect_ratio_policy", "stretch");
  const tensor = constant(node.inputs[3] ?? "");
  if (policy === "stretch" || !tensor) return undefined;
  const rank = before.length;
  const sizes = integersOf(tensor);
  const axes = intsAttr(node, "axes")?.map((a) => (a < 0 ? a + rank : a)) ?? sizes.map((_, i) => i);
  const ratios = axes.map((axis, i) => (sizes[i] as number) / (before[axis] as number));
  const ratio = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return new Map(axes.map((axis) => [axis, ratio]));
}

/** Scales as given; undefined where sizes are given instead. */
function givenScales(node: Node, old: boolean, rank: number, constant: (name: string) => Tensor | undefined) {
  const name = node.inputs[old ? 1 : 2];
  const tensor = name ? constant(name) : undefined;
  const list = tensor ? (numbersOf(tensor) ?? integersOf(tensor)) : floatsAttr(node, "scales");
  if (!list || list.length === 0) return undefined;
  const axes = intsAttr(node, "axes")?.map((a) => (a < 0 ? a + rank : a)) ?? list.map((_, i) => i);
  return new Map(axes.map((axis, i) => [axis, list[i] as number]));
}
