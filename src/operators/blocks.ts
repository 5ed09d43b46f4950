/**
 * ONNX Runtime's blocked layout: images as [batch, channels / block, rows, columns, block], channels filled up to whole
 * blocks, which the runtime still takes for [batch, channels, rows, columns]. Its fastest convolutions work on it. It uses
 * them itself where weights are constant; what is here emits them where weights are fed.
 */
import { attr } from "../graph/attributes.js";
import type { Attribute } from "../graph/ir.js";
import type { Emit } from "./emit.js";

/** Domain of the operators. With another number of channels a block than the machine's they fail, or end the process. */
export const blockedDomain = "com.microsoft.nchwc";

/** Channels with those that fill up the last block. */
export const wholeBlocks = (channels: number, block: number): number => Math.ceil(channels / block) * block;

/** What a convolution has for attributes; one that slides by single steps over what is not padded, unless told otherwise. */
export function convolutionAttributes(
  kernel: readonly number[],
  groups: number,
  {
    strides = [1, 1],
    dilations = [1, 1],
    pads = [0, 0, 0, 0],
  }: { readonly [name in "strides" | "dilations" | "pads"]?: readonly number[] } = {},
): Readonly<Record<string, Attribute>> {
  return {
    kernel_shape: attr.ints(kernel),
    strides: attr.ints(strides),
    dilations: attr.ints(dilations),
    pads: attr.ints(pads),
    group: attr.int(groups),
  };
}

/** Images of so many channels, in blocks; made once for all uses. What fills up the last block is 0. */
export function toBlocks(e: Emit, x: string, channels: number): string {
  // The operator takes whole fours only, and fills them up to whole blocks itself.
  const missing = (4 - (channels % 4)) % 4;
  return e.builder.sharedNode("ReorderInput", e.pad(x, [0, 0, 0, 0], [0, missing, 0, 0]), blockedDomain);
}

export function fromBlocks(e: Emit, x: string, channels: number): string {
  return e.op("ReorderOutput", [x], { channels: attr.int(channels) }, blockedDomain);
}

/** A convolution of what is in blocks, to blocks. Inputs as of Conv, the weight in blocks too. */
export function convolveBlocks(
  e: Emit,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
): string {
  return e.op("Conv", inputs, attributes, blockedDomain);
}

/** Whether {@link convolveToBlocks} does it: all channels together, or each by itself. */
export function fitsBlocks(groups: number, [outputs, inputs]: readonly number[]): boolean {
  return groups === 1 || (groups === outputs && inputs === 1);
}

/** What a convolution does with its channels: sums over all, or over those too few for a block; or leaves each by itself. */
export type Channels = "all" | "few" | "each";

/**
 * Conv of [x, w, bias?], not in blocks, to blocks. Few channels are read as they are, all others in blocks.
 * The second list is the dims of w.
 */
export function convolveToBlocks(
  e: Emit,
  [x = "", w = "", bias]: readonly string[],
  [outputs = 1, inputs = 1, ...kernel]: readonly number[],
  block: number,
  attributes: Readonly<Record<string, Attribute>>,
  channels: Channels,
): string {
  const o = wholeBlocks(outputs, block);
  const i = channels === "all" ? wholeBlocks(inputs, block) : inputs;
  const filled = e.pad(w, [0, 0, 0, 0], [o - outputs, i - inputs, 0, 0]);
  // [o, i, h, w] as [o / block, i / block, h, w, i in its block, o in its block]; otherwise [o / block, i, h, w, o in its block].
  const [split, order] =
    channels === "all"
      ? [
          [o / block, block, i / block, block, ...kernel],
          [0, 2, 4, 5, 3, 1],
        ]
      : [
          [o / block, block, i, ...kernel],
          [0, 2, 3, 4, 1],
        ];
  const weight = e.reshape(e.transpose(e.reshape(filled, split), order), [o, i, ...kernel]);
  const more = bias === undefined ? [] : [e.pad(bias, [0], [o - outputs])];
  const grouped = channels === "each" ? { ...attributes, group: attr.int(o) } : attributes;
  const input = channels === "few" ? x : toBlocks(e, x, channels === "each" ? outputs : inputs);
  return convolveBlocks(e, [input, weight, ...more], grouped);
}

/**
 * Inputs and attributes of a convolution that multiplies each channel by a factor and adds a number to it.
 * @param x in blocks @param factor [channels] @param addend the same, if any
 */
export function scaleBlocks(
  e: Emit,
  x: string,
  factor: string,
  addend: string | undefined,
  channels: number,
  block: number,
): { readonly inputs: readonly string[]; readonly attributes: Readonly<Record<string, Attribute>> } {
  const all = wholeBlocks(channels, block);
  const fill = (v: string) => e.pad(v, [0], [all - channels]);
  const weight = e.reshape(fill(factor), [all, 1, 1, 1]);
  return {
    inputs: addend === undefined ? [x, weight] : [x, weight, fill(addend)],
    attributes: convolutionAttributes([1, 1], all),
  };
}

/** ReduceSum or ReduceMean over all but the channels: [channels]. @param dims of the images without blocks */
export function reduceBlocks(e: Emit, opType: string, x: string, dims: readonly number[], block: number): string {
  const [batch = 1, channels = 1, rows = 1, columns = 1] = dims;
  const all = wholeBlocks(channels, block);
  const split = e.reshape(x, [batch, all / block, rows * columns, block]);
  const perSample = e.reshape(e.reduce(opType, split, [2], false), [batch, all]);
  return firstOf(e, e.reduce(opType, perSample, [0], false), 0, all, channels);
}

/**
 * Sums of the products of two images' positions: [batch, channels, 1, 1]. Each channel of each sample is convolved with
 * the other's, which is as large as it is. @param dims of the images without blocks
 */
export function productsOfBlocks(e: Emit, x: string, y: string, dims: readonly number[], block: number): string {
  const [batch = 1, channels = 1, ...space] = dims;
  const all = wholeBlocks(channels, block);
  const inputs = [e.reshape(x, [1, batch * all, ...space]), e.reshape(y, [batch * all, 1, ...space])];
  const sums = convolveBlocks(e, inputs, convolutionAttributes(space, batch * all));
  return firstOf(e, e.reshape(sums, [batch, all, 1, 1]), 1, all, channels);
}

/** Without what filled up the last block: the first `channels` of `all` along an axis. */
export function firstOf(e: Emit, x: string, axis: number, all: number, channels: number): string {
  return all === channels ? x : e.slice(x, [axis], [0], [channels]);
}
