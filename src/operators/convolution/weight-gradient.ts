/** The gradient of a convolution's weight: ways to compute it, and their choice. */
import { attr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { convolutionAttributes, convolveBlocks, firstOf, fromBlocks, toBlocks, wholeBlocks } from "../blocks.js";
import { type Emit, emitForm } from "../emit.js";
import type { Forms, FormTask, GradientContext } from "../spec.js";
import { type Layer, span } from "./layer.js";

/** The small or the large side of a layer, for the gradient of its weight. */
interface SideOf {
  readonly value: string;
  /** Of a group. */
  readonly channels: number;
}

/**
 * Gradient of the weight: the sum over samples and positions of the small side times what a tap saw of the large side.
 * [groups * smallChannels, largeChannels, ...kernel], channels counted within a group.
 */
export function weightGradient(c: GradientContext, e: Emit, layer: Layer, small: SideOf, large: SideOf): string {
  const { batch, groups, window } = layer;
  const { before, dilations, kernel, strides } = window;
  const block = c.choose?.blockSize;
  const seen = seenOf(layer);
  const form =
    (emit: (e: Emit, layer: Layer, small: SideOf, large: SideOf) => string, inBlocksOf?: number): Forms[string] =>
    (e, [s = "", l = ""]) => {
      const value = seen === layer ? l : onlySeen(e, layer, { ...large, value: l }, inBlocksOf);
      return emit(e, seen, { ...small, value: s }, { ...large, value });
    };
  const canMoveRows = strides.every((s) => s === 1) && layer.rank === 2 && (kernel[0] as number) > 1;
  const parts = block === undefined ? undefined : partsOf(seen, block);
  const isImages = layer.rank === 2;
  const task: FormTask = {
    key: `gradient of the weights of Conv kernel=${kernel} before=${before} strides=${strides} dilations=${dilations} group=${groups}`,
    inputs: [
      { value: small.value, dims: [batch, groups * small.channels, ...layer.small], isImages },
      { value: large.value, dims: [batch, groups * large.channels, ...layer.large], isImages },
    ],
    forms: {
      plain: form((e, layer, small, large) => tapByTap(e, layer, small, large, "plain")),
      "samples in rows": form((e, layer, small, large) => tapByTap(e, layer, small, large, "samples in rows")),
      ...(canMoveRows
        ? { "rows moved": form((e, layer, small, large) => tapByTap(e, layer, small, large, "rows moved")) }
        : {}),
      ...(block !== undefined && parts !== undefined
        ? {
            "samples as channels": form(
              (e, layer, small, large) => asConvolution(e, layer, small, large, block, parts),
              block,
            ),
          }
        : {}),
      ...(block !== undefined && canConvolveEach(seen, small, large)
        ? {
            "samples as channels": form(
              (e, layer, small, large) => eachAsConvolution(e, layer, small, large, block),
              block,
            ),
          }
        : {}),
    },
  };
  return emitForm(e, task, c.choose);
}

/** A kernel of one tap that takes several steps at once sees some positions only: those are a layer without steps. */
function seenOf(layer: Layer): Layer {
  const { window, small } = layer;
  const one = window.kernel.every((k) => k === 1) && window.before.every((p) => p === 0);
  if (!one || window.strides.every((s) => s === 1) || reachOf(layer).after.some((a) => a > 0)) return layer;
  const still = small.map(() => 0);
  const ones = small.map(() => 1);
  return { ...layer, large: small, window: { ...window, strides: ones, dilations: ones, before: still, after: still } };
}

/** What the kernel's one tap sees of the large side. @param block to take it from what is in blocks */
function onlySeen(e: Emit, layer: Layer, { channels, value }: SideOf, block: number | undefined): string {
  const { batch, groups, large, small, window } = layer;
  const all = groups * channels;
  const zeros = small.map(() => 0);
  if (block === undefined) {
    const axes = small.map((_, i) => i + 2);
    return e.strided(value, [batch, all, ...large], axes, zeros, small, window.strides);
  }
  const filled = wholeBlocks(all, block);
  const dims = [(batch * filled) / block, ...large, block];
  const taken = e.strided(e.reshape(toBlocks(e, value, all), dims), dims, [1, 2], zeros, small, window.strides);
  return fromBlocks(e, e.reshape(taken, [batch, filled, ...small]), all);
}

/** Of the large side, padded: how far the windows reach along each axis, and what that is beyond its end. */
function reachOf({ large, small, window }: Layer): { readonly reach: number[]; readonly after: number[] } {
  const reach = small.map((n, i) => (window.strides[i] as number) * (n - 1) + span(window, i));
  return { reach, after: reach.map((r, i) => r - (large[i] as number) - (window.before[i] as number)) };
}

/**
 * In how many runs of rows the small side is cut, so that samples times runs fill whole blocks. Undefined where its rows
 * cannot be, and for what the blocked convolution does not take.
 */
function partsOf({ batch, groups, rank, small }: Layer, block: number): number | undefined {
  if (groups !== 1 || rank !== 2) return undefined;
  let parts = 1;
  while (parts < block && (batch * parts) % block !== 0) parts++;
  return block % parts === 0 && (small[0] as number) % parts === 0 ? parts : undefined;
}

/** What a product sums over. */
type Products =
  /** Positions of one sample; samples are summed afterwards. */
  | "plain"
  /** The same, and the small side is moved along the first spatial axis, by zeros before it, instead of the large one being cut. */
  | "rows moved"
  /** Positions of all samples, both sides having channels first: of many channels, sums by sample take long to add up. */
  | "samples in rows";

/** Tap by tap: the product of the small side with what the tap saw of the large side, summed over positions and samples. */
function tapByTap(e: Emit, layer: Layer, small: SideOf, large: SideOf, products: Products): string {
  const { batch, window, groups, rank } = layer;
  const inRows = products === "samples in rows";
  const wholeRows = products === "rows moved";
  const space = Array.from({ length: rank }, (_, i) => i);
  const positions = sizeOf(layer.small);
  const { reach, after } = reachOf(layer);
  const axes = space.map((i) => i + 2);
  const [s, l] = [small, large].map(({ value }) => (inRows ? e.transpose(value, [1, 0, ...axes]) : value)) as [
    string,
    string,
  ];
  const padded = e.pad(l, [0, 0, ...window.before], [0, 0, ...after]);
  const outer = inRows ? [groups * large.channels, batch] : [batch, groups * large.channels];
  const paddedDims = [...outer, ...reach];
  /** One side of a product. */
  const operand = (x: string, { channels }: SideOf, size: number) =>
    e.reshape(x, inRows ? [groups, channels, batch * size] : [batch, groups, channels, size]);
  const whole = reach.every((r, i) => r === layer.small[i]);
  const unit = window.strides.every((stride) => stride === 1);
  const rowSize = sizeOf(layer.small.slice(1));
  const views = new Map<string, string>();
  /** The large side cut to what taps at these places along all but the first axis saw, [...outer, rows * rowSize]. */
  const viewAt = (rest: readonly number[]): string => {
    const key = rest.join();
    let view = views.get(key);
    if (view === undefined) {
      const ends = rest.map((at, i) => at + (layer.small[i + 1] as number));
      view = rest.length === 0 ? padded : e.slice(padded, axes.slice(1), rest, ends);
      view = e.reshape(view, [...outer, (reach[0] as number) * rowSize]);
      views.set(key, view);
    }
    return view;
  };
  /** What a tap saw, [...outer, positions]. */
  const seenBy = (offset: readonly number[]): string => {
    if (whole) return padded;
    if (!unit) return e.strided(padded, paddedDims, axes, offset, layer.small, window.strides);
    // Stride 1: along the first spatial axis what a tap saw is one run of elements.
    const [row = 0, ...rest] = offset;
    return e.slice(viewAt(rest), [2], [row * rowSize], [row * rowSize + positions]);
  };
  const unmoved = operand(s, small, positions);
  const moved = new Map<number, string>();
  /** The small side with zeros for the rows that a tap of this row does not see. */
  const movedBy = (row: number): string => {
    let value = moved.get(row);
    if (value === undefined) {
      const rows = reach[0] as number;
      const behind = rows - (layer.small[0] as number) - row;
      value = e.pad(s, [0, 0, row, ...space.slice(1).map(() => 0)], [0, 0, behind, ...space.slice(1).map(() => 0)]);
      value = operand(value, small, rows * rowSize);
      moved.set(row, value);
    }
    return value;
  };
  const taps: string[] = [];
  for (let t = 0; t < sizeOf(window.kernel); t++) {
    const offset: number[] = new Array(rank);
    for (let i = rank - 1, at = t; i >= 0; i--) {
      offset[i] = (at % (window.kernel[i] as number)) * (window.dilations[i] as number);
      at = Math.floor(at / (window.kernel[i] as number));
    }
    const [row = 0, ...rest] = offset;
    const seen = wholeRows ? viewAt(rest) : seenBy(offset);
    const size = wholeRows ? (reach[0] as number) * rowSize : positions;
    const product = e.matMul(wholeRows ? movedBy(row) : unmoved, operand(seen, large, size), { transB: true });
    taps.push(
      e.reshape(inRows ? product : e.reduceSum(product, [0], false), [groups * small.channels, large.channels, 1]),
    );
  }
  const all = taps.length === 1 ? (taps[0] as string) : e.concat(taps, 2);
  return e.reshape(all, [groups * small.channels, large.channels, ...window.kernel]);
}

/**
 * As a convolution in ONNX Runtime's blocked layout. Its input channels, which it sums over, are the samples; its kernel is
 * the small side, as large as that is; and it slides by the taps. The large side's channels lie along the width, next to
 * each other, and the kernel's columns as far apart as there are channels: so a row of the output holds a row of taps for
 * all channels, long enough for the runtime's kernel to keep many sums in registers.
 * @param parts the small side's rows are cut in so many runs, which are input channels of their own
 */
function asConvolution(e: Emit, layer: Layer, small: SideOf, large: SideOf, block: number, parts: number): string {
  const { batch, window } = layer;
  const [down, across] = [0, 1].map((i) => ({
    kernel: window.kernel[i] as number,
    stride: window.strides[i] as number,
    dilation: window.dilations[i] as number,
    before: window.before[i] as number,
    span: span(window, i),
    size: layer.small[i] as number,
  })) as [Axis, Axis];
  const { reach, after } = reachOf(layer);
  const rows = down.size / parts;
  const outputs = wholeBlocks(small.channels, block);

  // Rows of zeros the convolution thinks up itself, and does not multiply by. Columns it cannot: there channels lie in between.
  const [above, below] = parts === 1 && (after[0] as number) >= 0 ? [down.before, after[0] as number] : [0, 0];
  let input = channelsLast(e, layer, large, block);
  input = e.pad(
    input,
    [0, down.before - above, across.before, 0],
    [0, (after[0] as number) - below, after[1] as number, 0],
  );
  const rowsSeen = down.stride * (rows - 1) + down.span - above - below;
  if (parts > 1) {
    const seen = Array.from({ length: parts * rowsSeen }, (_, i) => {
      return Math.floor(i / rowsSeen) * rows * down.stride + (i % rowsSeen);
    });
    input = e.op("Gather", [input, e.builder.int64(seen)], { axis: attr.int(1) });
  }
  input = e.reshape(input, [1, batch * parts, rowsSeen, (reach[1] as number) * large.channels]);

  // Input channels of the kernel are samples, and of each its parts: [outputs, batch * parts, rows, columns] in blocks of both.
  const samples = block / parts;
  const split = [batch / samples, samples, outputs / block, parts, rows * across.size, block];
  const inBlocks = e.reshape(toBlocks(e, small.value, small.channels), split);
  const kernel = e.reshape(e.transpose(inBlocks, [2, 0, 4, 1, 3, 5]), [outputs, batch * parts, rows, across.size]);

  const attributes = convolutionAttributes([rows, across.size], 1, {
    strides: [down.dilation, 1],
    dilations: [down.stride, across.stride * large.channels],
    pads: [above, 0, below, 0],
  });
  const sums = convolveBlocks(e, [toBlocks(e, input, batch * parts), kernel], attributes);
  const out = fromBlocks(e, sums, small.channels);
  const dims = [small.channels, down.kernel, across.span, large.channels];
  const spanned = e.reshape(out, dims);
  const taps = across.dilation === 1 ? spanned : e.strided(spanned, dims, [2], [0], [across.kernel], [across.dilation]);
  return e.transpose(taps, [0, 3, 1, 2]);
}

/** Whether every channel is a group of its own, and no row or column was left over by the last stride. */
function canConvolveEach(layer: Layer, small: SideOf, large: SideOf): boolean {
  const { after } = reachOf(layer);
  const isEach = layer.groups > 1 && small.channels === 1 && large.channels === 1;
  return isEach && layer.rank === 2 && [...layer.window.before, ...after].every((p) => p >= 0);
}

/**
 * Where each channel is convolved by itself, each channel of each sample is a channel of a convolution whose kernel is the
 * small side; what comes out is summed over the samples.
 */
function eachAsConvolution(e: Emit, layer: Layer, small: SideOf, large: SideOf, block: number): string {
  const { batch, groups, window } = layer;
  const all = wholeBlocks(groups, block);
  const input = e.reshape(toBlocks(e, large.value, groups), [1, batch * all, ...layer.large]);
  const kernel = e.reshape(toBlocks(e, small.value, groups), [batch * all, 1, ...layer.small]);
  const attributes = convolutionAttributes(layer.small, batch * all, {
    strides: window.dilations,
    dilations: window.strides,
    pads: [...window.before, ...reachOf(layer).after],
  });
  const taps = sizeOf(window.kernel);
  const perSample = e.reshape(convolveBlocks(e, [input, kernel], attributes), [batch, all / block, taps, block]);
  const sums = e.transpose(e.reduceSum(perSample, [0], false), [0, 2, 1]);
  return firstOf(e, e.reshape(sums, [all, 1, ...window.kernel]), 0, all, groups);
}

/** Along one spatial axis. */
interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly span: number;
  /** Of the small side. */
  readonly size: number;
}

/** The large side as [batch, rows, columns, channels]. */
function channelsLast(e: Emit, { batch, large: [rows = 1, columns = 1] }: Layer, side: SideOf, block: number): string {
  const { channels, value } = side;
  if (channels % block !== 0) return e.transpose(value, [0, 2, 3, 1]);
  // In blocks it is nearly that already, and the layer itself may have asked for it.
  let inBlocks = toBlocks(e, value, channels);
  if (channels > block)
    inBlocks = e.transpose(e.reshape(inBlocks, [batch, channels / block, rows * columns, block]), [0, 2, 1, 3]);
  return e.reshape(inBlocks, [batch, rows, columns, channels]);
}
