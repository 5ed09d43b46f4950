/** Images changed at random while training, so that no two epochs show the same. */
import { optionError } from "./errors.js";
import type { Layout } from "./normalize.js";
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
  /** Padded by so many pixels on each side, then cropped to its size at a random place. */
  readonly crop?: number;
  /** Mirrored left to right with a probability of one half. */
  readonly flip?: boolean;
}

/**
 * "flip,crop:4", "resized-crop", "resized-crop:0.5-1", "none".
 * @throws HalpError HALP_DATA_OPTION
 */
export function parseAugmentation(text: string): Augmentation {
  const made: { -readonly [K in keyof Augmentation]: Augmentation[K] } = {};
  const wrong = () =>
    optionError(`Augmentation is a list of flip, crop:PIXELS, resized-crop[:FROM-TO], or none; got ${text}.`);
  if (text.trim() === "none") return made;
  for (const part of text.split(",")) {
    const [name = "", value, ...rest] = part.trim().split(":");
    if (rest.length > 0) throw wrong();
    if (name === "flip" && value === undefined) made.flip = true;
    else if (name === "crop" && /^\d+$/.test(value ?? "") && Number(value) > 0) made.crop = Number(value);
    else if (name === "resized-crop" && value === undefined) made.resizedCrop = {};
    else if (name === "resized-crop") {
      const [, from, to] = /^([\d.]+)-([\d.]+)$/.exec(value ?? "") ?? [];
      const scale: [number, number] = [Number(from ?? Number.NaN), Number(to ?? Number.NaN)];
      if (!(scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1)) throw wrong();
      made.resizedCrop = { scale };
    } else throw wrong();
  }
  return made;
}

/** Whether it changes anything. */
export function augments({ resizedCrop, crop, flip }: Augmentation): boolean {
  return resizedCrop !== undefined || (crop ?? 0) > 0 || flip === true;
}

/**
 * Changes images of one shape in place.
 * @param sampleDims [C, H, W] or, for NHWC, [H, W, C]
 * @param fill value of padding for each channel: that of a black pixel
 * @throws HalpError HALP_DATA_OPTION where samples are no images
 */
export function augmenter(
  augmentation: Augmentation,
  sampleDims: readonly number[],
  layout: Layout,
  fill: (channel: number) => number,
): (image: Float32Array, random: Random) => void {
  if (!augments(augmentation)) return () => {};
  if (sampleDims.length !== 3)
    throw optionError(`Only images are augmented; the data's samples are of the shape [${sampleDims.join(", ")}].`);
  const [a = 0, b = 0, c = 0] = sampleDims;
  const [channels, height, width] = layout === "NCHW" ? [a, b, c] : [c, a, b];
  const [stride, step] = layout === "NCHW" ? [height * width, 1] : [1, channels];
  const { crop = 0, flip = false, resizedCrop } = augmentation;
  const before = new Float32Array(channels * height * width);

  /** Every pixel anew: `read` gives that of channel c, row y, column x from what was there before. */
  const redraw = (image: Float32Array, read: (c: number, y: number, x: number) => number) => {
    before.set(image);
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) image[c * stride + (y * width + x) * step] = read(c, y, x);
  };
  const at = (c: number, y: number, x: number) => before[c * stride + (y * width + x) * step] as number;

  return (image, random) => {
    if (resizedCrop) {
      const part = drawPart(resizedCrop, height, width, random);
      // Half-pixel centres, as resizing has them everywhere.
      const place = (i: number, extent: number, from: number, length: number) =>
        Math.min(from + length - 1, Math.max(from, from + ((i + 0.5) * length) / extent - 0.5));
      redraw(image, (c, y, x) => {
        const [py, px] = [place(y, height, part.top, part.height), place(x, width, part.left, part.width)];
        const [y0, x0] = [Math.floor(py), Math.floor(px)];
        const [y1, x1] = [Math.min(y0 + 1, height - 1), Math.min(x0 + 1, width - 1)];
        const [v, u] = [py - y0, px - x0];
        const upper = at(c, y0, x0) * (1 - u) + at(c, y0, x1) * u;
        return upper * (1 - v) + (at(c, y1, x0) * (1 - u) + at(c, y1, x1) * u) * v;
      });
    }
    if (crop > 0) {
      const [dy, dx] = [random.below(2 * crop + 1) - crop, random.below(2 * crop + 1) - crop];
      redraw(image, (c, y, x) => {
        const [sy, sx] = [y + dy, x + dx];
        return sy < 0 || sy >= height || sx < 0 || sx >= width ? fill(c) : at(c, sy, sx);
      });
    }
    if (flip && random.below(2) === 1) redraw(image, (c, y, x) => at(c, y, width - 1 - x));
  };
}

/** Ten tries for a part of the area and ratio drawn; then the largest in the middle whose ratio is allowed. */
function drawPart(
  { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] }: NonNullable<Augmentation["resizedCrop"]>,
  height: number,
  width: number,
  random: Random,
) {
  for (let i = 0; i < 10; i++) {
    const area = height * width * (scale[0] + (scale[1] - scale[0]) * random.uniform());
    const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
    const aspect = Math.exp(low + (high - low) * random.uniform());
    const [h, w] = [Math.round(Math.sqrt(area / aspect)), Math.round(Math.sqrt(area * aspect))];
    if (h > 0 && w > 0 && h <= height && w <= width)
      return { top: random.below(height - h + 1), left: random.below(width - w + 1), height: h, width: w };
  }
  const present = width / height;
  const h = present < ratio[0] ? Math.round(width / ratio[0]) : height;
  const w = present > ratio[1] ? Math.round(height * ratio[1]) : width;
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}
