import type { ArrayStore } from "./array-store.js";
import { batchSource, labelParts, type SampleReader } from "./batching.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { shapeError } from "./errors.js";
import type { Labels } from "./label-array.js";
import { checkLabelCount } from "./labels.js";
import { channelsOf, normalizeInPlace, resolveNormalization } from "./normalize.js";
import { convertInto, numberBytes } from "./numbers.js";

/**
 * A data set of the samples in `store`. Samples keep their shape; grey images of bytes ([N, H, W]) get a channel axis.
 * @throws HalpError HALP_DATA_SHAPE, HALP_DATA_OPTION
 */
export function arrayDataset(
  name: string,
  file: string,
  store: ArrayStore,
  labels: Labels | undefined,
  spec: DatasetSpec,
  defaults: { readonly classes?: number },
): Dataset {
  const { type, littleEndian, shape } = store;
  const layout = spec.layout ?? "NCHW";
  const [size, ...rest] = shape;
  if (size === undefined || size === 0) {
    throw shapeError(file, `samples lie along the first axis of an array; its shape is [${shape.join(", ")}].`);
  }
  const grey = rest.length === 2 && type === "uint8";
  const sampleDims = !grey ? rest : layout === "NCHW" ? [1, ...rest] : [...rest, 1];
  checkImageSize(file, sampleDims, spec);
  if (labels) checkLabelCount(labels, size, spec.labels ?? file);
  const byClass = labels instanceof Int32Array ? labels : undefined;
  const norm = resolveNormalization(spec.normalize, channelsOf(sampleDims, layout), type === "uint8" ? 1 / 255 : 1);
  const count = sampleDims.reduce((a, b) => a * b, 1);
  const bytesEach = count * numberBytes(type);
  const classes = spec.classes ?? defaults.classes;

  const openReader = async (): Promise<SampleReader> => {
    const reader = await store.open();
    const finish = (bytes: Uint8Array, index: number, out: Float32Array, offset: number): number => {
      convertInto(bytes, type, littleEndian, out, offset);
      normalizeInPlace(out, offset, count, layout, norm);
      return byClass?.[index] ?? -1;
    };
    return {
      readInto: (index, out, offset) => {
        const bytes = reader.read(index * bytesEach, bytesEach);
        return bytes instanceof Uint8Array
          ? finish(bytes, index, out, offset)
          : bytes.then((b) => finish(b, index, out, offset));
      },
      ...(reader.close ? { close: reader.close } : {}),
    };
  };
  return batchSource({
    name,
    size,
    sampleDims,
    ...labelParts(labels),
    layout,
    norm,
    ...(classes === undefined ? {} : { classes }),
    open: openReader,
  });
}

/** @throws HalpError HALP_DATA_SHAPE where the samples are images of another size than the network wants */
export function checkImageSize(file: string, sampleDims: readonly number[], spec: DatasetSpec): void {
  if (!spec.size) return;
  const at = (spec.layout ?? "NCHW") === "NCHW" ? 1 : 0;
  const [h, w] = spec.size;
  if (sampleDims.length === 3 && sampleDims[at] === h && sampleDims[at + 1] === w) return;
  throw shapeError(
    file,
    `the network takes images of ${h} x ${w}; the samples have the shape [${sampleDims.join(", ")}] (${
      spec.layout ?? "NCHW"
    }). Only image files are resized: prepare the data, or give the input's dims with --input.`,
  );
}
