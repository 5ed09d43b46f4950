import { createRandom } from "../data/index.js";
import { HalpError } from "../errors.js";
import { batchNormScales, filterNorms } from "./filters.js";
import { taylorSaliency } from "./taylor.js";
import type { Saliency, SaliencyOptions } from "./types.js";

/**
 * The importance of every channel, by one criterion.
 * @throws HalpError HALP_SALIENCY_DATA, HALP_SALIENCY_NOT_FINITE, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_LABELS_MISSING,
 * HALP_NOT_A_CLASSIFIER, HALP_NO_GRADIENT (taylor); HALP_NO_FILTER (l1, l2); HALP_NO_BATCH_NORM (bn-scale)
 */
export async function collectSaliency(options: SaliencyOptions): Promise<Saliency> {
  const { analyzed, coupling, criterion } = options;
  const ofWeights = (importance: Float64Array): Saliency => ({
    criterion,
    importance,
    batches: 0,
    skippedBatches: 0,
    cut: [],
  });
  switch (criterion) {
    case "taylor":
      return taylorSaliency(options);
    case "l1":
      return ofWeights(filterNorms(analyzed, coupling, 1));
    case "l2":
      return ofWeights(filterNorms(analyzed, coupling, 2));
    case "bn-scale":
      return ofWeights(batchNormScales(analyzed, coupling));
    case "random": {
      const random = createRandom(options.seed ?? 0);
      const importance = Float64Array.from({ length: coupling.channelCount }, () => random.uniform());
      for (const group of coupling.groups)
        if (group.frozen !== undefined) importance.fill(0, group.start, group.start + group.size);
      return ofWeights(importance);
    }
    default:
      throw new HalpError(
        "HALP_CRITERION",
        `Expected taylor, l1, l2, bn-scale or random; came "${String(criterion)}".`,
      );
  }
}
