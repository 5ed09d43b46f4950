/** Images one by one, wherever they come from, as samples of one shape. */
import { batchSource, labelParts } from "./batching.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { decodeImage, readImageSize } from "./decode-image.js";
import { shapeError } from "./errors.js";
import type { Labels } from "./label-array.js";
import { normalizeInPlace, resolveNormalization, spreadInterleaved } from "./normalize.js";

export interface ImageSamples {
  /** For messages. */
  readonly name: string;
  readonly size: number;
  /** What an image is called in messages. */
  readonly nameOf: (index: number) => string;
  /** The file that holds it, or its bytes. */
  readonly read: (index: number, signal?: AbortSignal) => Promise<string | Uint8Array>;
  readonly labels?: Labels;
  readonly classNames?: readonly string[];
}

/**
 * Images are decoded batch by batch; nothing is kept. Without a size all have to have that of the first.
 * @throws HalpError HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_DATA_OPTION
 */
export async function imageDataset(images: ImageSamples, spec: DatasetSpec): Promise<Dataset> {
  const { name, size: count, nameOf, read, labels, classNames } = images;
  const layout = spec.layout ?? "NCHW";
  const channels = spec.channels ?? 3;
  let size = spec.size;
  if (!size) {
    const { width, height } = await readImageSize(await read(0), nameOf(0));
    size = [height, width];
  }
  const [height, width] = size;
  const plane = height * width;
  const norm = resolveNormalization(spec.normalize, channels, 1 / 255);
  const decodeOptions = {
    channels,
    ...(spec.size ? { size: spec.size } : {}),
    ...(spec.fit ? { fit: spec.fit } : {}),
  };

  const byClass = labels instanceof Int32Array ? labels : undefined;
  const readerWith = (signal: AbortSignal) => async (index: number, out: Float32Array, offset: number) => {
    const image = await decodeImage(await read(index, signal), nameOf(index), decodeOptions);
    if (image.width !== width || image.height !== height) {
      throw shapeError(
        nameOf(index),
        `is ${image.height} x ${image.width} (height x width), the first image is ${height} x ${width}. Give a size to bring all to one shape.`,
      );
    }
    spreadInterleaved(image.bytes, 0, channels, plane, layout, out, offset);
    normalizeInPlace(out, offset, channels * plane, layout, norm);
    return byClass?.[index] ?? -1;
  };
  const classes = spec.classes ?? classNames?.length;
  return batchSource({
    name,
    size: count,
    sampleDims: layout === "NCHW" ? [channels, height, width] : [height, width, channels],
    ...labelParts(labels),
    layout,
    norm,
    ...(classes === undefined ? {} : { classes }),
    ...(classNames === undefined ? {} : { classNames }),
    open: async (signal) => {
      const over = new AbortController();
      return {
        readInto: readerWith(signal ? AbortSignal.any([signal, over.signal]) : over.signal),
        close: async () => over.abort(),
      };
    },
  });
}
