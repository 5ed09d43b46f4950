import type { Normalization } from "./dataset.js";
import { optionError } from "./errors.js";

export type Layout = "NCHW" | "NHWC";

/** value = raw * factor[c] + shift[c], for each channel. */
export interface ChannelAffine {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

/** Channels of a sample in a layout: its first dimension, or its last. Samples of rank 0 have one. */
export function channelsOf(sampleDims: readonly number[], layout: Layout): number {
  return (layout === "NCHW" ? sampleDims[0] : sampleDims.at(-1)) ?? 1;
}

/**
 * (raw * scale - mean) / std as one multiplication and one addition per channel.
 * @throws HalpError HALP_DATA_OPTION where mean or std do not fit the channels, or std holds a 0
 */
export function resolveNormalization(
  options: Normalization | undefined,
  channels: number,
  defaultScale: number,
): ChannelAffine {
  const scale = options?.scale ?? defaultScale;
  if (!Number.isFinite(scale) || scale === 0) throw optionError(`The scale is a finite number but 0; got ${scale}.`);
  const mean = perChannel("mean", options?.mean ?? [0], channels);
  const std = perChannel("std", options?.std ?? [1], channels);
  const zero = std.indexOf(0);
  if (zero >= 0) throw optionError(`std divides, so it may hold no 0; got ${std.join(", ")}.`);
  return {
    factor: Float64Array.from(std, (s) => scale / s),
    shift: Float64Array.from(std, (s, c) => -mean[c]! / s),
  };
}

function perChannel(name: string, values: readonly number[], channels: number): readonly number[] {
  if (!values.every(Number.isFinite)) throw optionError(`${name} holds finite numbers; got ${values.join(", ")}.`);
  if (values.length === channels) return values;
  if (values.length === 1) return new Array<number>(channels).fill(values[0]!);
  throw optionError(
    `${name} takes one number, or one for each of the ${channels} channel${channels === 1 ? "" : "s"} of the data; got ${values.length}.`,
  );
}

/** Applies the affine map to the sample of `size` values at `offset`. */
export function normalizeInPlace(
  out: Float32Array,
  offset: number,
  size: number,
  layout: Layout,
  { factor, shift }: ChannelAffine,
): void {
  const channels = factor.length;
  if (layout === "NHWC") {
    for (let i = 0; i < size; i++) {
      const c = i % channels;
      out[offset + i] = out[offset + i]! * factor[c]! + shift[c]!;
    }
    return;
  }
  const plane = size / channels;
  for (let c = 0; c < channels; c++) {
    const f = factor[c]!;
    const s = shift[c]!;
    const end = offset + (c + 1) * plane;
    for (let i = offset + c * plane; i < end; i++) out[i] = out[i]! * f + s;
  }
}

/** Copies one image of interleaved bytes (HWC) into `out` in the layout asked for. */
export function spreadInterleaved(
  bytes: Uint8Array,
  start: number,
  channels: number,
  plane: number,
  layout: Layout,
  out: Float32Array,
  offset: number,
): void {
  if (layout === "NHWC") {
    out.set(bytes.subarray(start, start + channels * plane), offset);
    return;
  }
  for (let c = 0; c < channels; c++) {
    const to = offset + c * plane;
    for (let i = 0, from = start + c; i < plane; i++, from += channels) out[to + i] = bytes[from]!;
  }
}

/** Copies one image of planar bytes (CHW) into `out` in the layout asked for. */
export function spreadPlanar(
  bytes: Uint8Array,
  start: number,
  channels: number,
  plane: number,
  layout: Layout,
  out: Float32Array,
  offset: number,
): void {
  if (layout === "NCHW") {
    out.set(bytes.subarray(start, start + channels * plane), offset);
    return;
  }
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) out[offset + i * channels + c] = bytes[start + c * plane + i]!;
  }
}
