/** Windows that slide over space: what Conv, ConvTranspose and the pools share. */
import { intAttr, intsAttr, stringAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import { shapeError, showDims } from "./inference.js";

/** A window along each spatial axis, with `auto_pad` resolved to numbers. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first element of each axis. */
  readonly before: readonly number[];
  /** Padding after the last element of each axis. Without what `ceil_mode` adds. */
  readonly after: readonly number[];
  /** Spatial extents of the output. */
  readonly output: readonly number[];
}

type AutoPad = "NOTSET" | "SAME_UPPER" | "SAME_LOWER" | "VALID";

function listOf(node: Node, name: string, length: number, otherwise: number): number[] {
  const list = intsAttr(node, name);
  if (!list || list.length === 0) return new Array<number>(length).fill(otherwise);
  if (list.length !== length) throw shapeError(node, `expected ${length} entries in ${name}, came ${showDims(list)}`);
  return list;
}

function autoPad(node: Node): AutoPad {
  return stringAttr(node, "auto_pad", "NOTSET") as AutoPad;
}

/**
 * The window of a convolution or pool.
 * @param input spatial extents of the input
 * @param kernel spatial extents of the kernel
 * @throws HalpError HALP_SHAPE where the window does not fit into the padded input.
 */
export function slidingWindow(node: Node, input: readonly number[], kernel: readonly number[]): Window {
  const rank = input.length;
  if (kernel.length !== rank)
    throw shapeError(node, `expected a kernel of ${rank} spatial dimensions, came ${showDims(kernel)}`);
  const strides = listOf(node, "strides", rank, 1);
  const dilations = listOf(node, "dilations", rank, 1);
  const mode = autoPad(node);
  const pads = mode === "NOTSET" ? listOf(node, "pads", 2 * rank, 0) : new Array<number>(2 * rank).fill(0);
  const ceil = intAttr(node, "ceil_mode", 0) === 1;
  const output: number[] = [];
  for (let i = 0; i < rank; i++) {
    const extent = input[i] as number;
    const stride = strides[i] as number;
    const span = (dilations[i] as number) * ((kernel[i] as number) - 1) + 1;
    let padding = (pads[i] as number) + (pads[i + rank] as number);
    if (mode === "SAME_UPPER" || mode === "SAME_LOWER") {
      const wanted = Math.ceil(extent / stride);
      // As ONNX Runtime pads: the dilation of a pool does not count (and convolutions must not have one here).
      padding = (wanted - 1) * stride + (kernel[i] as number) - extent;
      const total = Math.max(0, padding);
      const small = Math.floor(total / 2);
      pads[i] = mode === "SAME_UPPER" ? small : total - small;
      pads[i + rank] = total - (pads[i] as number);
    }
    const before = pads[i] as number;
    const room = extent + padding - span;
    let count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // The last window must start within the input or the padding before it.
    if (ceil && (count - 1) * stride >= extent + before) count--;
    if (room < 0 || count < 1)
      throw shapeError(
        node,
        `expected an input of at least ${span} with its padding along spatial axis ${i}, came ${extent + padding}`,
      );
    output.push(count);
  }
  return { kernel, strides, dilations, before: pads.slice(0, rank), after: pads.slice(rank), output };
}

/** The window of a transposed convolution: `output` is what it spreads to, `before` and `after` what is cut off. */
export function spreadingWindow(node: Node, input: readonly number[], kernel: readonly number[]): Window {
  const rank = input.length;
  if (kernel.length !== rank)
    throw shapeError(node, `expected a kernel of ${rank} spatial dimensions, came ${showDims(kernel)}`);
  const strides = listOf(node, "strides", rank, 1);
  const dilations = listOf(node, "dilations", rank, 1);
  const extra = listOf(node, "output_padding", rank, 0);
  const mode = autoPad(node);
  const pads = mode === "NOTSET" ? listOf(node, "pads", 2 * rank, 0) : new Array<number>(2 * rank).fill(0);
  const wanted = intsAttr(node, "output_shape")?.slice(-rank);
  const same = mode === "SAME_UPPER" || mode === "SAME_LOWER";
  const output: number[] = [];
  for (let i = 0; i < rank; i++) {
    const stride = strides[i] as number;
    const span = (dilations[i] as number) * ((kernel[i] as number) - 1) + 1;
    const whole = stride * ((input[i] as number) - 1) + (extra[i] as number) + span;
    if (!wanted && !same) {
      output.push(whole - (pads[i] as number) - (pads[i + rank] as number));
      continue;
    }
    const extent = wanted?.[i] ?? Math.min(whole, (input[i] as number) * stride);
    const total = Math.max(0, whole - extent);
    const small = Math.floor(total / 2);
    pads[i] = mode === "SAME_UPPER" ? small : total - small;
    pads[i + rank] = total - (pads[i] as number);
    output.push(extent);
  }
  if (output.some((d) => d < 1)) throw shapeError(node, `expected an output with elements, came ${showDims(output)}`);
  return { kernel, strides, dilations, before: pads.slice(0, rank), after: pads.slice(rank), output };
}
