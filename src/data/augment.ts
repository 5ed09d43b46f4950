/** Images changed at random while training, so that no two epochs show the same. */
import { optionError } from "./errors.js";
import { channelsOf, type Layout } from "./normalize.js";
import type { Random } from "./random.js";

/** In the order in which they are applied. */
export interface Augmentation {
  /** A random part, scaled (bilinear) to the image's size: area and aspect ratio drawn from ranges (Szegedy et al. 2015). */
  readonly resizedCrop?: {
    /** Share of the area. Default [0.08, 1]. */
    readonly scale?: readonly [number, number];
    /** Width over height. Default [3/4, 4/3]. */
    readonly ratio?: readonly [number, number];
  };
  /** Padded by so many pixels on each side, then cropped to its size at a random place. Less than the image's height and width. */
  readonly crop?: number;
  /** Mirrored left to right with a probability of one half. */
  readonly flip?: boolean;
}

/** Changes one normalised sample in place. */
export type Augmenter = (values: Float32Array, offset: number, random: Random) => void;

const defaultScale = [0.08, 1] as const;
const defaultRatio = [3 / 4, 4 / 3] as const;

/**
 * "flip,crop:4", "resized-crop", "resized-crop:0.5-1", "none".
 * @throws HalpError HALP_DATA_OPTION
 */
export function parseAugmentation(text: string): Augmentation {
  const made: { -readonly [K in keyof Augmentation]: Augmentation[K] } = {};
  const wrong = () =>
    optionError(
      `Augmentation is a list of flip, crop:PIXELS and resized-crop[:FROM-TO] (shares of the area, up to 1), each once at most, or none; got ${text}.`,
    );
  if (text.trim() === "none") return made;
  for (const part of text.split(",")) {
    const [name = "", value, ...rest] = part.trim().split(":");
    if (rest.length > 0) throw wrong();
    if (name === "flip" && value === undefined && made.flip === undefined) made.flip = true;
    else if (name === "crop" && /^[1-9]\d{0,5}$/.test(value ?? "") && made.crop === undefined)
      made.crop = Number(value);
    else if (name === "resized-crop" && made.resizedCrop === undefined) {
      if (value === undefined) {
        made.resizedCrop = {};
        continue;
      }
      const [, from, to] = /^([\d.]+)-([\d.]+)$/.exec(value) ?? [];
      const scale: [number, number] = [Number(from ?? Number.NaN), Number(to ?? Number.NaN)];
      if (!isScale(scale)) throw wrong();
      made.resizedCrop = { scale };
    } else throw wrong();
  }
  return made;
}

/** Whether it changes anything. */
export function augments({ resizedCrop, crop, flip }: Augmentation): boolean {
  return resizedCrop !== undefined || (crop !== undefined && crop !== 0) || flip === true;
}

const isScale = ([from, to]: readonly [number, number]): boolean => from > 0 && from <= to && to <= 1;

/**
 * Whether samples of this shape can be augmented so.
 * @throws HalpError HALP_DATA_OPTION
 */
export function checkAugmentation(
  augmentation: Augmentation,
  sampleDims: readonly number[],
  layout: Layout,
  labelDims: readonly number[] = [],
): void {
  if (!augments(augmentation)) return;
  if (labelDims.length > 1)
    throw optionError(
      `Labels of the shape [${labelDims.join(", ")}] would not move with an image that is flipped or cropped. Leave augmentation out, or change both in a data module.`,
    );
  if (sampleDims.length !== 3) {
    throw optionError(
      `Only images are augmented, samples of three dimensions; the data's have the shape [${sampleDims.join(", ")}]. Leave augmentation out.`,
    );
  }
  const { crop = 0, resizedCrop } = augmentation;
  const [height, width] = extentsOf(sampleDims, layout);
  if (!Number.isInteger(crop) || crop < 0 || crop >= Math.min(height, width)) {
    throw optionError(
      `A crop pads by a whole number of pixels, less than the image's ${height} x ${width}; got ${crop}.`,
    );
  }
  const { scale = defaultScale, ratio = defaultRatio } = resizedCrop ?? {};
  if (!isScale(scale)) throw optionError(`A resized crop's scale is a range within (0, 1]; got ${scale.join(" to ")}.`);
  if (!(ratio[0] > 0 && ratio[0] <= ratio[1] && ratio[1] < Number.POSITIVE_INFINITY))
    throw optionError(`A resized crop's ratio is a range of positive numbers; got ${ratio.join(" to ")}.`);
}

const extentsOf = (sampleDims: readonly number[], layout: Layout): [height: number, width: number] => {
  const [a = 0, b = 0, c = 0] = sampleDims;
  return layout === "NCHW" ? [b, c] : [a, b];
};

/**
 * @param sampleDims [C, H, W] or, for NHWC, [H, W, C]
 * @param fill value of padding for each channel, which is that of a raw 0; channels beyond its end get 0
 * @returns undefined where nothing is to be done
 * @throws HalpError HALP_DATA_OPTION where samples are no images, or the augmentation makes no sense for them
 */
export function createAugmenter(
  augmentation: Augmentation,
  sampleDims: readonly number[],
  layout: Layout,
  fill: ArrayLike<number>,
): Augmenter | undefined {
  if (!augments(augmentation)) return undefined;
  checkAugmentation(augmentation, sampleDims, layout);
  const channels = channelsOf(sampleDims, layout);
  const [height, width] = extentsOf(sampleDims, layout);
  const size = channels * height * width;
  // Of a channel, and of a pixel.
  const [stride, step] = layout === "NCHW" ? [height * width, 1] : [1, channels];
  const { crop = 0, flip = false, resizedCrop } = augmentation;
  const before = new Float32Array(size);

  /** Moved by (dy, dx), then mirrored. */
  const move = (values: Float32Array, offset: number, dy: number, dx: number, mirrored: boolean): void => {
    before.set(values.subarray(offset, offset + size));
    for (let c = 0; c < channels; c++) {
      const padding = fill[c] ?? 0;
      for (let y = 0; y < height; y++) {
        const sy = y + dy;
        const inside = sy >= 0 && sy < height;
        const from = c * stride + sy * width * step;
        let to = offset + c * stride + y * width * step;
        for (let x = 0; x < width; x++, to += step) {
          const sx = (mirrored ? width - 1 - x : x) + dx;
          values[to] = inside && sx >= 0 && sx < width ? before[from + sx * step]! : padding;
        }
      }
    }
  };

  const rows = createTaps(height);
  const columns = createTaps(width);
  /** One part scaled to the whole, bilinear. No part is larger than the whole, so no kernel need be widened. */
  const scale = (values: Float32Array, offset: number, part: Part): void => {
    before.set(values.subarray(offset, offset + size));
    setTaps(rows, part.top, part.height);
    setTaps(columns, part.left, part.width);
    for (let c = 0; c < channels; c++) {
      let to = offset + c * stride;
      for (let y = 0; y < height; y++) {
        const v = rows.weight[y]!;
        const upper = c * stride + rows.first[y]! * width * step;
        const lower = c * stride + rows.second[y]! * width * step;
        for (let x = 0; x < width; x++, to += step) {
          const u = columns.weight[x]!;
          const left = columns.first[x]! * step;
          const right = columns.second[x]! * step;
          const above = before[upper + left]! * (1 - u) + before[upper + right]! * u;
          const below = before[lower + left]! * (1 - u) + before[lower + right]! * u;
          values[to] = above * (1 - v) + below * v;
        }
      }
    }
  };

  return (values, offset, random) => {
    if (resizedCrop) scale(values, offset, drawPart(resizedCrop, height, width, random));
    const dy = crop > 0 ? random.below(2 * crop + 1) - crop : 0;
    const dx = crop > 0 ? random.below(2 * crop + 1) - crop : 0;
    const mirrored = flip && random.below(2) === 1;
    if (dy !== 0 || dx !== 0 || mirrored) move(values, offset, dy, dx, mirrored);
  };
}

/** For each place of a line the two that it lies between, and the second's weight. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weight: Float64Array;
}

const createTaps = (extent: number): Taps => ({
  first: new Int32Array(extent),
  second: new Int32Array(extent),
  weight: new Float64Array(extent),
});

/** Half-pixel centres, clamped to the part: nothing from outside of it is seen. */
function setTaps({ first, second, weight }: Taps, from: number, length: number): void {
  for (let i = 0; i < first.length; i++) {
    const place = Math.min(length - 1, Math.max(0, ((i + 0.5) * length) / first.length - 0.5));
    const whole = Math.floor(place);
    first[i] = from + whole;
    second[i] = from + Math.min(whole + 1, length - 1);
    weight[i] = place - whole;
  }
}

interface Part {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Ten tries for a part of the area and ratio drawn; then the largest in the middle whose ratio is allowed. */
function drawPart(
  { scale = defaultScale, ratio = defaultRatio }: NonNullable<Augmentation["resizedCrop"]>,
  height: number,
  width: number,
  random: Random,
): Part {
  const low = Math.log(ratio[0]);
  const high = Math.log(ratio[1]);
  for (let i = 0; i < 10; i++) {
    const area = height * width * (scale[0] + (scale[1] - scale[0]) * random.uniform());
    const aspect = Math.exp(low + (high - low) * random.uniform());
    const h = Math.round(Math.sqrt(area / aspect));
    const w = Math.round(Math.sqrt(area * aspect));
    if (h > 0 && w > 0 && h <= height && w <= width)
      return { top: random.below(height - h + 1), left: random.below(width - w + 1), height: h, width: w };
  }
  const present = width / height;
  const h = present < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height;
  const w = present > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width;
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}
