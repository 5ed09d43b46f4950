import { type FileHandle, open } from "node:fs/promises";
import { batchSource, type SampleReader } from "./batching.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { fileError, formatError, shapeError } from "./errors.js";
import { checkLabelCount } from "./labels.js";
import { channelsOf, normalizeInPlace, resolveNormalization } from "./normalize.js";
import { readNpyHeader } from "./npy.js";
import { convertInto, type NumberArray, type NumberType, numberBytes } from "./numbers.js";

/** Samples stacked along the first axis of an array, in memory or in a file. */
export interface ArrayStore {
  readonly type: NumberType;
  readonly littleEndian: boolean;
  readonly shape: readonly number[];
  open(): Promise<ArrayReader>;
}

export interface ArrayReader {
  read(byteOffset: number, byteLength: number): Uint8Array | Promise<Uint8Array>;
  close?(): Promise<void>;
}

export function memoryStore(array: NumberArray): ArrayStore {
  const read = (at: number, length: number): Uint8Array => array.bytes.subarray(at, at + length);
  return { ...array, open: async () => ({ read }) };
}

/** An .npy file of any size: only the samples asked for are read. */
export async function npyStore(path: string): Promise<ArrayStore> {
  const header = await readNpyHeader(path);
  return {
    ...header,
    open: async () => {
      let handle: FileHandle;
      try {
        handle = await open(path);
      } catch (cause) {
        throw fileError(path, cause);
      }
      return {
        read: async (at, length) => {
          const buffer = new Uint8Array(length);
          const { bytesRead } = await handle.read(buffer, 0, length, header.dataOffset + at);
          if (bytesRead !== length) throw formatError(path, "truncated since it was opened.");
          return buffer;
        },
        close: () => handle.close(),
      };
    },
  };
}

/**
 * A data set of the samples in `store`. Samples keep their shape; grey images of bytes ([N, H, W]) get a channel axis.
 * @throws HalpError HALP_DATA_SHAPE, HALP_DATA_OPTION
 */
export function arrayDataset(
  name: string,
  file: string,
  store: ArrayStore,
  labels: Int32Array | undefined,
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
  const norm = resolveNormalization(spec.normalize, channelsOf(sampleDims, layout), type === "uint8" ? 1 / 255 : 1);
  const count = sampleDims.reduce((a, b) => a * b, 1);
  const bytesEach = count * numberBytes(type);
  const classes = spec.classes ?? defaults.classes;

  const openReader = async (): Promise<SampleReader> => {
    const reader = await store.open();
    const finish = (bytes: Uint8Array, index: number, out: Float32Array, offset: number): number => {
      convertInto(bytes, type, littleEndian, out, offset);
      normalizeInPlace(out, offset, count, layout, norm);
      return labels?.[index] ?? -1;
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
    labelled: labels !== undefined,
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
