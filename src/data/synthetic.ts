import { batchStream } from "./batching.js";
import type { Batch, BatchOptions, Dataset } from "./dataset.js";
import { createRandom, fillGaussian, fillUniform } from "./random.js";

/**
 * Noise in the shape of a network's input, for when there is no data: unlabelled and endless unless `size` is given.
 * Sample i is the same numbers for the same seed, whatever the batch size. `shuffleSeed` is mixed into the seed.
 * @param sampleDims shape of one sample, without the batch axis
 */
export function syntheticDataset(
  sampleDims: readonly number[],
  seed: number,
  options: { readonly distribution?: "gaussian" | "uniform"; readonly size?: number } = {},
): Dataset {
  const { distribution = "gaussian", size } = options;
  const sampleSize = sampleDims.reduce((a, b) => a * b, 1);
  const fill = distribution === "gaussian" ? fillGaussian : fillUniform;

  async function* batches(batchOptions: BatchOptions): AsyncGenerator<Batch> {
    const { batchSize, limit = Number.POSITIVE_INFINITY, shuffleSeed, dropLast = false, signal } = batchOptions;
    const total = Math.min(limit, size ?? Number.POSITIVE_INFINITY);
    const random = createRandom(shuffleSeed === undefined ? seed : seed + (shuffleSeed + 1) * 2 ** 32);
    for (let done = 0; done < total; done += batchSize) {
      signal?.throwIfAborted();
      const count = Math.min(batchSize, total - done);
      if (count < batchSize && dropLast) return;
      yield { images: fill(new Float32Array(count * sampleSize), random), dims: [count, ...sampleDims] };
    }
  }
  return {
    name: `${distribution} noise, seed ${seed}`,
    size,
    sampleDims,
    labelled: false,
    batches: (options) => batchStream({ sampleDims }, options, batches),
  };
}
