import { HalpError } from "../errors.js";
import { type Augmenter, createAugmenter } from "./augment.js";
import type { Batch, BatchOptions, Dataset } from "./dataset.js";
import type { LabelArray, Labels } from "./label-array.js";
import type { ChannelAffine, Layout } from "./normalize.js";
import { createRandom, deriveSeed, permutation, shuffle } from "./random.js";

/** Samples that can be read in any order: what most readers are. `batchSource` makes a Dataset of it. */
export interface SampleSource {
  readonly name: string;
  readonly size: number;
  readonly sampleDims: readonly number[];
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly labelled: boolean;
  readonly labelArray?: LabelArray;
  /** Default NCHW. */
  readonly layout?: Layout;
  /** How raw values were normalised, where that is known: what padding is filled with. */
  readonly norm?: ChannelAffine;
  /** Called once for each pass over the data; what it opens, `close` closes. The signal ends waiting for what is slow. */
  open(signal?: AbortSignal): Promise<SampleReader>;
}

export interface SampleReader {
  /** Writes the normalised values of sample `index` from `offset` on and returns its label, or -1 where there is none. */
  readInto(index: number, out: Float32Array, offset: number): Promise<number> | number;
  close?(): Promise<void>;
}

/** @throws HalpError HALP_DATA_OPTION */
export function checkBatchOptions({ batchSize, limit, from }: BatchOptions): void {
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new HalpError("HALP_DATA_OPTION", `A batch has at least one sample; got a batch size of ${batchSize}.`);
  }
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1)) {
    throw new HalpError("HALP_DATA_OPTION", `The number of samples is an integer of at least 1; got ${limit}.`);
  }
  if (from !== undefined && (!Number.isInteger(from) || from < 0)) {
    throw new HalpError("HALP_DATA_OPTION", `The first batch is an integer from 0 on; got ${from}.`);
  }
}

/** What a source says of its labels. */
export function labelParts(labels: Labels | undefined): Pick<SampleSource, "labelled" | "labelArray"> {
  if (!labels || labels instanceof Int32Array) return { labelled: labels !== undefined };
  return { labelled: false, labelArray: labels };
}

/** Numbers of the samples, in the order in which they come; undefined: as they lie. */
function orderOf(size: number, total: number, { shuffleSeed, choiceSeed }: BatchOptions): Uint32Array | undefined {
  if (choiceSeed === undefined || total === size)
    return shuffleSeed === undefined ? undefined : permutation(size, createRandom(shuffleSeed));
  const chosen = permutation(size, createRandom(choiceSeed)).slice(0, total).sort();
  return shuffleSeed === undefined ? chosen : shuffle(chosen, createRandom(shuffleSeed));
}

/** What batches are to be augmented with: changes sample `index` in place, or undefined where there is nothing to do. */
function augmenterOf(
  { augment }: BatchOptions,
  { sampleDims, layout = "NCHW", norm }: Pick<SampleSource, "sampleDims" | "layout" | "norm">,
): ((values: Float32Array, offset: number, index: number) => void) | undefined {
  const change: Augmenter | undefined = augment && createAugmenter(augment.by, sampleDims, layout, norm?.shift ?? []);
  if (!augment || !change) return undefined;
  return (values, offset, index) => change(values, offset, createRandom(deriveSeed(augment.seed, index)));
}

/**
 * `from` and `augment` for sources without random access: the first batches are read and left out, and a sample's index is
 * its place in the stream.
 */
export async function* batchStream(
  source: Pick<SampleSource, "sampleDims" | "layout" | "norm">,
  options: BatchOptions,
  batches: (options: BatchOptions) => AsyncIterable<Batch>,
): AsyncGenerator<Batch> {
  checkBatchOptions(options);
  const change = augmenterOf(options, source);
  const { from = 0, augment: _, ...rest } = options;
  const sampleSize = source.sampleDims.reduce((a, b) => a * b, 1);
  let number = 0;
  for await (const batch of batches(rest)) {
    const first = number++ * options.batchSize;
    if (number <= from) continue;
    const count = batch.dims[0]!;
    if (change) for (let i = 0; i < count; i++) change(batch.images, i * sampleSize, first + i);
    yield batch;
  }
}

/** Batches over a source with random access. Memory: one batch, plus what the source itself holds. */
export function batchSource(source: SampleSource): Dataset {
  const { name, size, sampleDims, labelled, labelArray } = source;
  const sampleSize = sampleDims.reduce((a, b) => a * b, 1);
  const labelSize = labelArray?.dims.reduce((a, b) => a * b, 1) ?? 0;

  async function* batches(options: BatchOptions): AsyncGenerator<Batch> {
    checkBatchOptions(options);
    const { batchSize, limit = size, from = 0, dropLast = false, signal } = options;
    const total = Math.min(limit, size);
    const change = augmenterOf(options, source);
    const order = orderOf(size, total, options);
    signal?.throwIfAborted();
    const reader = await source.open(signal);
    const labelReader = await labelArray?.open();
    try {
      for (let start = from * batchSize; start < total; start += batchSize) {
        signal?.throwIfAborted();
        const count = Math.min(batchSize, total - start);
        if (count < batchSize && dropLast) return;
        const images = new Float32Array(count * sampleSize);
        const numbers = new Float32Array(count * labelSize);
        const pending: (Promise<number> | number)[] = [];
        const written: (Promise<void> | void)[] = [];
        for (let i = 0; i < count; i++) {
          const index = order?.[start + i] ?? start + i;
          pending.push(reader.readInto(index, images, i * sampleSize));
          written.push(labelReader?.readInto(index, numbers, i * labelSize));
        }
        const labels = await Promise.all(pending);
        await Promise.all(written);
        if (change) for (let i = 0; i < count; i++) change(images, i * sampleSize, order?.[start + i] ?? start + i);
        yield {
          images,
          dims: [count, ...sampleDims],
          ...(labelled ? { labels: Int32Array.from(labels) } : {}),
          ...(labelArray ? { labelArray: { data: numbers, dims: [count, ...labelArray.dims] } } : {}),
        };
      }
    } finally {
      await reader.close?.();
      await labelReader?.close?.();
    }
  }
  return {
    name,
    size,
    sampleDims,
    labelled,
    ...(labelArray ? { labelDims: labelArray.dims } : {}),
    ...(source.classes === undefined ? {} : { classes: source.classes }),
    ...(source.classNames === undefined ? {} : { classNames: source.classNames }),
    batches,
  };
}
