/** Gradients of convolutions, by operator type. */
import { attr, intAttr } from "../../graph/attributes.js";
import type { Attribute } from "../../graph/ir.js";
import { byteLengthOf, deriveTensor } from "../../graph/lazy-tensor.js";
import { float32sIn, sizeOf } from "../../graph/tensors.js";
import { convolutionAttributes } from "../blocks.js";
import { dimsOf, type Emit, emitForm, emitter, noGradient } from "../emit.js";
import type { FormTask, GradientContext, GradientRule } from "../spec.js";
import { slidingWindow, spreadingWindow } from "../window.js";
import { convolutionTask } from "./forms.js";
import { type Layer, span } from "./layer.js";
import { phasesOf, spreadByPhases } from "./phases.js";
import { weightGradient } from "./weight-gradient.js";

function attributesOf(
  layer: Layer,
  before: readonly number[],
  after: readonly number[],
  more: Readonly<Record<string, Attribute>> = {},
) {
  const { kernel, strides, dilations } = layer.window;
  return {
    ...convolutionAttributes(kernel, layer.groups, { strides, dilations, pads: [...before, ...after] }),
    ...more,
  };
}

/**
 * The weight of the adjoint convolution: input and output channels swapped within each group, taps in reverse order.
 * [groups * out, in, ...kernel] -> [groups * in, out, ...kernel]. A constant is made anew, anything else by nodes.
 */
function flipped(c: GradientContext, e: Emit, name: string, groups: number): string {
  const dims = dimsOf(c, name);
  const [total = 1, inner = 1, ...kernel] = dims;
  const outer = total / groups;
  const taps = sizeOf(kernel);
  const swapped = [groups * inner, outer, ...kernel];
  const flip = (bytes: Uint8Array): Uint8Array => {
    const w = float32sIn(bytes);
    const out = new Float32Array(w.length);
    for (let g = 0; g < groups; g++)
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < inner; i++) {
          const from = ((g * outer + o) * inner + i) * taps;
          const to = ((g * inner + i) * outer + o) * taps;
          for (let k = 0; k < taps; k++) out[to + taps - 1 - k] = w[from + k] as number;
        }
    return new Uint8Array(out.buffer);
  };
  const constant = c.constant(name);
  if (constant?.dtype === "float32") {
    const name = e.builder.freshName("flipped");
    // Lazy where the weight is: of a large network the flipped weights take as much memory again.
    return e.builder.initializer(
      deriveTensor(
        constant,
        { name, dims: swapped, storage: "raw", external: undefined },
        byteLengthOf(constant),
        flip,
      ),
    );
  }
  const order = kernel.map((_, i) => i + 3);
  let w = e.transpose(e.reshape(name, [groups, outer, inner, ...kernel]), [0, 2, 1, ...order]);
  w = e.reshape(w, swapped);
  if (taps === 1) return w;
  const axes = kernel.map((_, i) => i + 2);
  // From the last tap to before the first: an end below -extent, as Slice has it.
  return e.slice(
    w,
    axes,
    kernel.map((k) => k - 1),
    kernel.map((k) => -k - 1),
    kernel.map(() => -1),
  );
}

/** Gradient of the large side: what every position of the small side took from it is spread back. */
function spread(c: GradientContext, e: Emit, layer: Layer, small: string, weight: string): string {
  const { window, large, rank } = layer;
  const space = Array.from({ length: rank }, (_, i) => i);
  const unit = window.strides.every((s) => s === 1);
  const before = space.map((i) => span(window, i) - 1 - (window.before[i] as number));
  const after = space.map((i) => span(window, i) - 1 - (window.after[i] as number));
  const canFlip = c.constant(weight)?.dtype === "float32" || c.opset >= 10;
  // Stride 1: a plain convolution with the flipped kernel, the fastest form there is.
  if (unit && canFlip && [...before, ...after].every((p) => p >= 0)) {
    const { kernel, strides, dilations } = window;
    const geometry = { kernel, strides, dilations, pads: [...before, ...after], groups: layer.groups };
    const [total = 1, inner = 1] = dimsOf(c, weight);
    const smallDims = [layer.batch, total, ...layer.small];
    const flippedDims = [layer.groups * inner, total / layer.groups, ...kernel];
    const inputs = [
      { value: small, dims: smallDims },
      { value: flipped(c, e, weight, layer.groups), dims: flippedDims },
    ];
    const task = convolutionTask(geometry, inputs, c.choose?.blockSize);
    return emitForm(e, task, c.constant(weight) ? undefined : c.choose);
  }
  // The rest that no window reached: rows that the last stride left over.
  const rest = space.map((i) => {
    const reached = (window.strides[i] as number) * ((layer.small[i] as number) - 1) + span(window, i);
    return (large[i] as number) + (window.before[i] as number) + (window.after[i] as number) - reached;
  });
  const fits = rest.every((r, i) => r >= 0 && r < (window.strides[i] as number));
  const transposed = (e: Emit, [small = "", weight = ""]: readonly string[]): string => {
    if (fits) {
      const more = rest.some((r) => r > 0) ? { output_padding: attr.ints(rest) } : {};
      return e.op("ConvTranspose", [small, weight], attributesOf(layer, window.before, window.after, more));
    }
    const whole = e.op(
      "ConvTranspose",
      [small, weight],
      attributesOf(
        layer,
        window.before,
        space.map(() => 0),
      ),
    );
    const crop = space.map((i) => (window.after[i] as number) - (rest[i] as number));
    return e.pad(whole, [0, 0, ...space.map(() => 0)], [0, 0, ...crop.map((n) => -n)]);
  };
  const [total = 1, inner = 1] = dimsOf(c, weight);
  const block = c.choose?.blockSize;
  const phases = block !== undefined && canFlip ? phasesOf(layer) : undefined;
  const { before: pads, dilations, strides } = window;
  const task: FormTask = {
    key: `ConvTranspose pads=${pads},${rest} strides=${strides} dilations=${dilations} group=${layer.groups}`,
    inputs: [
      { value: small, dims: [layer.batch, total, ...layer.small], isImages: rank === 2 },
      { value: weight, dims: dimsOf(c, weight) },
    ],
    ...(rank === 2 ? { images: layer.groups * inner } : {}),
    forms: {
      plain: transposed,
      ...(block !== undefined && phases !== undefined
        ? { blocks: (e, inputs) => spreadByPhases(e, layer, phases, inputs, [total, inner], block) }
        : {}),
    },
  };
  return emitForm(e, task, c.constant(weight) ? undefined : c.choose);
}

function biasGradient(c: GradientContext, e: Emit, dy: string): string {
  const axes = dimsOf(c, c.node.outputs[0]).map((_, i) => i);
  return e.reduceSum(dy, axes.toSpliced(1, 1), false);
}

const conv: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const [x = "", w = ""] = c.node.inputs;
  const [batch = 1, channels = 1, ...large] = dimsOf(c, x);
  const [, outputs = 1, ...small] = dimsOf(c, c.node.outputs[0]);
  const groups = intAttr(c.node, "group", 1);
  const window = slidingWindow(c.node, large, dimsOf(c, w).slice(2));
  const layer: Layer = { window, batch, groups, small, large, rank: large.length };
  const weight = () =>
    weightGradient(c, e, layer, { value: dy, channels: outputs / groups }, { value: x, channels: channels / groups });
  return [
    c.wants(0) ? spread(c, e, layer, dy, w) : undefined,
    c.wants(1) ? weight() : undefined,
    c.wants(2) ? biasGradient(c, e, dy) : undefined,
  ];
};

/** The transposed convolution spreads its input: its gradient is the plain convolution with the same weight. */
const convTranspose: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const [x = "", w = ""] = c.node.inputs;
  const [batch = 1, channels = 1, ...small] = dimsOf(c, x);
  const [, outputs = 1, ...large] = dimsOf(c, c.node.outputs[0]);
  const groups = intAttr(c.node, "group", 1);
  const window = spreadingWindow(c.node, small, dimsOf(c, w).slice(2));
  const layer: Layer = { window, batch, groups, small, large, rank: small.length };
  if ([...window.before, ...window.after].some((p) => p < 0)) throw noGradient(c, "its pads are negative");
  const input = () => {
    // Just so many windows as there were inputs; rows of output padding may hold more.
    const after = small.map(
      (n, i) =>
        (window.strides[i] as number) * (n - 1) + span(window, i) - (large[i] as number) - (window.before[i] as number),
    );
    const cropped = e.pad(dy, [0, 0, ...small.map(() => 0)], [0, 0, ...after.map((n) => Math.min(n, 0))]);
    return e.op(
      "Conv",
      [cropped, w],
      attributesOf(
        layer,
        window.before,
        after.map((n) => Math.max(n, 0)),
      ),
    );
  };
  const weight = () =>
    weightGradient(c, e, layer, { value: x, channels: channels / groups }, { value: dy, channels: outputs / groups });
  return [
    c.wants(0) ? input() : undefined,
    c.wants(1) ? weight() : undefined,
    c.wants(2) ? biasGradient(c, e, dy) : undefined,
  ];
};

export const gradients: Readonly<Record<string, GradientRule>> = { Conv: conv, ConvTranspose: convTranspose };
