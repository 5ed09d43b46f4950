import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { checkImageSize } from "./array-dataset.js";
import { batchStream } from "./batching.js";
import type { Batch, BatchOptions, Dataset, DatasetSpec } from "./dataset.js";
import { fileError, formatError, optionError, shapeError } from "./errors.js";
import { checkLabels } from "./labels.js";
import { type ChannelAffine, channelsOf, normalizeInPlace, resolveNormalization } from "./normalize.js";

/** What a data module yields: a batch of any size; halp cuts them to the size it needs. */
export interface ModuleBatch {
  readonly images: Float32Array | ArrayLike<number>;
  /** [N, ...sample]; N may differ from batch to batch, the rest may not. */
  readonly dims: readonly number[];
  /** One for each sample, in every batch or in none; with `labelDims` as many as these say. */
  readonly labels?: ArrayLike<number>;
  /** [N, ...], where labels are no classes but numbers of any shape. */
  readonly labelDims?: readonly number[];
}

/** What the default export gets where it is a function. It may use it or not: halp cuts at `limit` itself. */
export interface ModuleOptions extends BatchOptions {
  readonly split: "train" | "test";
}

type Batches = Iterable<ModuleBatch> | AsyncIterable<ModuleBatch>;

/**
 * A JavaScript module whose default export is a function that returns batches (an iterable or async iterable, so a
 * generator function will do; it may be async), or an (async) iterable that can be gone through more than once. The order is the module's own: `shuffleSeed` is
 * handed to the function, which may honour it. The first batch is read at once, to learn the shape.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openModule(spec: DatasetSpec): Promise<Dataset> {
  const file = spec.path;
  if (spec.labels) throw optionError("A data module yields its labels itself; leave the labels file out.");
  const layout = spec.layout ?? "NCHW";
  const source = await importSource(file);
  const start = (options: BatchOptions): Promise<Batches> => startBatches(source, file, options, spec);

  const first = await firstBatch(await start({ batchSize: 1 }), file);
  const sampleDims = first.dims.slice(1);
  const asNumbers = spec.labelsAs === "numbers";
  const labelDims = first.labels && asNumbers ? (first.labelDims ?? [first.dims[0] as number]).slice(1) : undefined;
  const labelSize = labelDims?.reduce((a, b) => a * b, 1) ?? 1;
  const expected: Expected = {
    sampleDims: first.dims.slice(1),
    labelled: first.labels !== undefined,
    labelDims,
    classes: spec.classes,
  };
  const labelled = expected.labelled && !asNumbers;
  const sampleSize = sampleDims.reduce((a, b) => a * b, 1);
  checkImageSize(file, sampleDims, spec);
  const norm = resolveNormalization(spec.normalize, channelsOf(sampleDims, layout), 1);

  async function* batches(options: BatchOptions): AsyncGenerator<Batch> {
    const { batchSize, limit = Number.POSITIVE_INFINITY, dropLast = false, signal } = options;
    let images = new Float32Array(0);
    let labels: Int32Array | Float32Array = new Int32Array(0);
    let filled = 0;
    let target = 0;
    let done = 0;
    const take = (count: number): Batch => {
      normalizeBatch(images, count, sampleSize, norm, layout);
      const dims = [count, ...sampleDims];
      const used = count === target ? images : images.slice(0, count * sampleSize);
      done += count;
      filled = 0;
      const own = labels.slice(0, count * labelSize);
      if (own instanceof Float32Array)
        return { images: used, dims, labelArray: { data: own, dims: [count, ...(labelDims ?? [])] } };
      return labelled ? { images: used, dims, labels: own } : { images: used, dims };
    };
    signal?.throwIfAborted();
    for await (const raw of await start(options)) {
      signal?.throwIfAborted();
      const batch = checkBatch(raw, file, expected);
      const count = batch.dims[0]!;
      for (let at = 0; at < count && done < limit; ) {
        if (filled === 0) {
          target = Math.min(batchSize, limit - done);
          images = new Float32Array(target * sampleSize);
          labels = labelDims ? new Float32Array(target * labelSize) : new Int32Array(labelled ? target : 0);
        }
        const part = Math.min(target - filled, count - at);
        images.set(batch.images.subarray(at * sampleSize, (at + part) * sampleSize), filled * sampleSize);
        if (batch.labels)
          labels.set(batch.labels.subarray(at * labelSize, (at + part) * labelSize), filled * labelSize);
        filled += part;
        at += part;
        if (filled === target && (target === batchSize || !dropLast)) yield take(target);
        else if (filled === target) return;
      }
      if (done >= limit) return;
    }
    if (filled > 0 && !dropLast) yield take(filled);
  }
  return {
    name: `data module ${file}`,
    size: undefined,
    sampleDims,
    labelled,
    ...(labelDims ? { labelDims } : {}),
    ...(spec.classes === undefined ? {} : { classes: spec.classes }),
    batches: (options) => batchStream({ sampleDims, layout, norm }, options, batches),
  };
}

async function importSource(file: string): Promise<unknown> {
  let module: { readonly default?: unknown };
  try {
    await stat(file);
  } catch (cause) {
    throw fileError(file, cause);
  }
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (cause) {
    throw formatError(file, `the data module cannot be loaded (${(cause as Error).message}).`, cause);
  }
  const source = module.default;
  if (typeof source === "function") return source;
  if (!isIterable(source)) {
    throw formatError(
      file,
      "its default export must be a function that returns batches, or an (async) iterable of them.",
    );
  }
  if ("next" in source) {
    throw formatError(
      file,
      "its default export can be gone through only once; export the generator function itself, not what it returns.",
    );
  }
  return source;
}

async function startBatches(source: unknown, file: string, options: BatchOptions, spec: DatasetSpec): Promise<Batches> {
  if (typeof source !== "function") return source as Batches;
  const moduleOptions: ModuleOptions = { ...options, split: spec.split ?? "test" };
  const result: unknown = await source(moduleOptions);
  if (!isIterable(result)) {
    throw formatError(
      file,
      `its default export must return an (async) iterable of batches; it returned ${typeof result}.`,
    );
  }
  return result as Batches;
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

async function firstBatch(batches: Batches, file: string): Promise<ModuleBatch> {
  // Leaving the loop closes the module's iterator.
  for await (const batch of batches) {
    checkBatch(batch, file, undefined);
    return batch;
  }
  throw shapeError(file, "yields no batch at all.");
}

interface CheckedBatch {
  readonly images: Float32Array;
  readonly dims: readonly number[];
  readonly labels?: Int32Array | Float32Array;
}

/** What the first batch was like. */
interface Expected {
  readonly sampleDims: readonly number[];
  readonly labelled: boolean;
  /** Of one sample, where labels are numbers of any shape. */
  readonly labelDims: readonly number[] | undefined;
  readonly classes: number | undefined;
}

/** @param expected undefined: it is the first */
function checkBatch(batch: ModuleBatch, file: string, expected: Expected | undefined): CheckedBatch {
  const { images, dims, labels, labelDims } = (batch ?? {}) as Partial<ModuleBatch>;
  const { sampleDims, labelled } = expected ?? {};
  if (!images || typeof images.length !== "number" || !Array.isArray(dims)) {
    throw formatError(
      file,
      "a batch is { images: Float32Array, dims: [N, ...], labels?: [N] }; it yielded something else.",
    );
  }
  const size = dims.reduce((a, b) => a * b, 1);
  if (dims.length === 0 || !dims.every((d) => Number.isInteger(d) && d > 0) || size !== images.length) {
    throw shapeError(file, `a batch with dims [${dims.join(", ")}] holds ${images.length} numbers.`);
  }
  if (sampleDims && (dims.length !== sampleDims.length + 1 || sampleDims.some((d, i) => d !== dims[i + 1]))) {
    throw shapeError(
      file,
      `the samples of one batch have the shape [${dims.slice(1).join(", ")}], earlier ones [${sampleDims.join(", ")}].`,
    );
  }
  if (labelled !== undefined && labelled !== (labels !== undefined)) {
    throw shapeError(file, "some batches have labels and some have none.");
  }
  const numbers = images instanceof Float32Array ? images : Float32Array.from(images);
  if (!labels) return { images: numbers, dims };
  const shape = labelDims ?? [labels.length];
  if (shape[0] !== dims[0] || shape.reduce((a, b) => a * b, 1) !== labels.length)
    throw shapeError(
      file,
      `a batch of ${dims[0]} samples has ${labels.length} labels of the shape [${shape.join(", ")}].`,
    );
  if (!expected) return { images: numbers, dims };
  if (!expected.labelDims) {
    if (labels.length !== dims[0])
      throw shapeError(
        file,
        `a batch of ${dims[0]} samples has ${labels.length} labels; a class for each was expected.`,
      );
    return { images: numbers, dims, labels: checkLabels(labels, expected.classes, file) };
  }
  if (`${shape.slice(1)}` !== `${expected.labelDims}`)
    throw shapeError(
      file,
      `the labels of one batch have the shape [${shape.slice(1).join(", ")}] a sample, earlier ones [${expected.labelDims.join(", ")}].`,
    );
  return { images: numbers, dims, labels: Float32Array.from(labels) };
}

function normalizeBatch(
  images: Float32Array,
  count: number,
  sampleSize: number,
  norm: ChannelAffine,
  layout: "NCHW" | "NHWC",
): void {
  if (norm.factor.every((f) => f === 1) && norm.shift.every((s) => s === 0)) return;
  for (let i = 0; i < count; i++) normalizeInPlace(images, i * sampleSize, sampleSize, layout, norm);
}
