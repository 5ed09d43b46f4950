import type { Sharp } from "sharp";
import { HalpError } from "../errors.js";
import { formatError } from "./errors.js";

type SharpFunction = typeof import("sharp").default;

/** Interleaved bytes: row by row, pixel by pixel, channel by channel. */
export interface DecodedImage {
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export interface DecodeOptions {
  readonly channels: 1 | 3;
  /** [height, width] to bring the image to; absent: as it is. */
  readonly size?: readonly [number, number];
  readonly fit?: "cover" | "stretch";
}

let loading: Promise<SharpFunction> | undefined;

/** sharp is loaded when the first image is read, so that everything else works where it has no build. */
function loadSharp(): Promise<SharpFunction> {
  loading ??= import("sharp").then(
    (module) => {
      // Its cache goes by file name: a second read of the same image would not see that the file has changed.
      module.default.cache(false);
      return module.default;
    },
    (cause) => {
      loading = undefined;
      throw new HalpError(
        "HALP_DATA_DECODER",
        `Images are decoded by the package sharp, which cannot be loaded (${(cause as Error).message.split("\n")[0]}). Install it with: npm install sharp`,
        { cause },
      );
    },
  );
  return loading;
}

/** An image that claims more pixels is refused: a broken one of 200 bytes would else take many seconds to unpack. */
const mostPixels = 2 ** 26;

/** Colour profiles and EXIF rotation are not applied: networks were trained on the pixels as stored. */
async function openImage(image: string | Uint8Array): Promise<Sharp> {
  const sharp = await loadSharp();
  return sharp(image, { ignoreIcc: true, failOn: "warning", limitInputPixels: mostPixels });
}

/**
 * Width and height, from the header alone.
 * @param from a file, or its bytes
 * @param name for messages
 * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_DECODER
 */
export async function readImageSize(from: string | Uint8Array, name: string): Promise<ImageSize> {
  const image = await openImage(from);
  try {
    const { width, height } = await image.metadata();
    return { width, height };
  } catch (cause) {
    throw brokenImage(name, cause);
  }
}

/**
 * PNG and JPEG to 8-bit RGB (alpha dropped, 16-bit and palette images brought to 8) or luma.
 * Resizing is bilinear with the kernel widened when an image shrinks (antialiased, as Pillow and torchvision do it);
 * "cover" keeps proportions and crops at the centre, "stretch" does not.
 * @param from a file, or its bytes
 * @param name for messages
 * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_DECODER
 */
export async function decodeImage(
  from: string | Uint8Array,
  name: string,
  options: DecodeOptions,
): Promise<DecodedImage> {
  const image = await openImage(from);
  try {
    let pipeline = image.removeAlpha().toColourspace("srgb");
    if (options.size) {
      const [height, width] = options.size;
      const fit = options.fit === "stretch" ? "fill" : "cover";
      pipeline = pipeline.resize({ width, height, fit, kernel: "linear", fastShrinkOnLoad: false });
    }
    const { data, info } = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const bytes = toChannels(data, info.channels, options.channels, width * height);
    return { bytes, width, height, channels: options.channels };
  } catch (cause) {
    throw brokenImage(name, cause);
  }
}

function toChannels(bytes: Uint8Array, from: number, to: 1 | 3, pixels: number): Uint8Array {
  if (from === to) return bytes;
  const out = new Uint8Array(pixels * to);
  if (to === 3) {
    for (let i = 0; i < pixels; i++) out.fill(bytes[i * from]!, i * 3, i * 3 + 3);
    return out;
  }
  // ITU-R 601 luma in 16-bit fixed point, as Pillow's convert("L") has it; equal channels stay what they are.
  for (let i = 0, at = 0; i < pixels; i++, at += from) {
    out[i] = (bytes[at]! * 19595 + bytes[at + 1]! * 38470 + bytes[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return out;
}

function brokenImage(path: string, cause: unknown): HalpError {
  const text = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
  return formatError(path, `cannot be decoded as a PNG or JPEG image (${text}).`, cause);
}
