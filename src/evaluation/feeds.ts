/** Batches of a data set as inputs of a session. */
import type { Batch, Dataset } from "../data/dataset.js";
import { HalpError } from "../errors.js";
import { type Feeds, floatTensor, isRuntimeType, randomTensor, type Session, zeroTensor } from "../runtime/index.js";

export interface FeedOptions {
  /** Samples a run. Where the model fixes its batch size, that one is used and the last batch filled up with zeros. */
  readonly batchSize: number;
  /** Samples in all; default all. */
  readonly limit?: number;
  /** Batches to leave out at the start. Default 0. */
  readonly from?: number;
  /** Checked before every batch; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Fed {
  readonly feeds: Feeds;
  /** Samples that count: the batch size, or less in a last batch that was filled up. */
  readonly count: number;
  readonly labels?: Int32Array;
}

/**
 * Batches of the data set, each as the one input of the session. Gives the event loop a turn before every batch: a run
 * blocks it, and Ctrl-C and progress want theirs.
 * @throws HalpError HALP_EVALUATE_INPUTS where the model has several inputs, HALP_DATA_SHAPE where the samples do not fit.
 */
export async function* datasetFeeds(session: Session, dataset: Dataset, options: FeedOptions): AsyncGenerator<Fed> {
  const input = session.inputs[0];
  if (!input || session.inputs.length > 1)
    throw new HalpError(
      "HALP_EVALUATE_INPUTS",
      `A data set feeds one input, and the model has ${session.inputs.length}: ${session.inputNames.join(", ")}.`,
    );
  if (input.dtype !== "float32")
    throw new HalpError("HALP_DATA_SHAPE", `Input "${input.name}" is ${input.dtype}; data is fed as float32.`, {
      name: input.name,
    });
  const [batchDim, ...sampleDims] = input.dims;
  const fits =
    sampleDims.length === dataset.sampleDims.length &&
    sampleDims.every((d, i) => typeof d !== "number" || d === dataset.sampleDims[i]);
  if (!fits)
    throw new HalpError(
      "HALP_DATA_SHAPE",
      `Input "${input.name}" wants samples of ${sampleDims.map((d) => d ?? "?").join("x")}, and ${dataset.name} has ` +
        `${dataset.sampleDims.join("x")}.`,
      { name: input.name },
    );
  const fixed = typeof batchDim === "number" ? batchDim : undefined;
  const { limit, from, signal } = options;
  const batches = dataset.batches({
    batchSize: fixed ?? options.batchSize,
    ...(from === undefined ? {} : { from }),
    ...(limit === undefined ? {} : { limit }),
    ...(signal ? { signal } : {}),
  });
  for await (const batch of batches) {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    const count = batch.dims[0] ?? 0;
    yield {
      feeds: {
        [input.name]:
          fixed !== undefined && count < fixed ? filledUp(batch, fixed) : floatTensor(batch.images, batch.dims),
      },
      count,
      ...(batch.labels ? { labels: batch.labels } : {}),
    };
  }
}

function filledUp(batch: Batch, batchSize: number) {
  const tensor = zeroTensor("float32", [batchSize, ...batch.dims.slice(1)]);
  (tensor.data as Float32Array).set(batch.images);
  return tensor;
}

/**
 * Seeded noise for every input of a model, for comparing models where there is no data: batch i is the same for the same seed.
 * @param inputDims concrete dims by input
 * @throws HalpError HALP_DATA_SHAPE where an input's dims or type are unknown
 */
export async function* noiseFeeds(
  session: Session,
  inputDims: ReadonlyMap<string, readonly number[]>,
  options: { readonly batches: number; readonly seed: number; readonly signal?: AbortSignal },
): AsyncGenerator<Fed> {
  for (let batch = 0; batch < options.batches; batch++) {
    await new Promise((resolve) => setImmediate(resolve));
    options.signal?.throwIfAborted();
    const feeds = session.inputs.map(({ name, dtype }, i) => {
      const dims = inputDims.get(name);
      if (!dims || !isRuntimeType(dtype))
        throw new HalpError(
          "HALP_DATA_SHAPE",
          `Input "${name}" cannot be filled with noise: its shape or type is unknown.`,
          { name },
        );
      return [name, randomTensor(dtype, dims, (options.seed * 1_000_003 + batch) * 16 + i)] as const;
    });
    yield { feeds: Object.fromEntries(feeds), count: feeds[0]?.[1].dims[0] ?? 1 };
  }
}
