import type { Coupling } from "../coupling/index.js";
import { type TaylorInput, taylorScores } from "./taylor.js";
import { batchNormScales, l1Norms, l2Norms, randomScores } from "./weights.js";

export { chooseLoss, type Loss } from "./loss.js";
export { findSites, type Site } from "./sites.js";

export type Criterion = "taylor" | "l1" | "l2" | "bn-scale" | "random";

export interface SaliencyInput extends TaylorInput {
  readonly criterion: Criterion;
}

export interface Saliency {
  /** One score, zero or more, for each channel, by global number. Scores of one call are comparable with each other. */
  readonly importance: Float64Array;
  /** Batches that counted and that were skipped for NaN or infinity; 0 for criteria that need no data. */
  readonly batches: number;
  readonly skippedBatches: number;
}

/** Scores every channel. @throws HalpError as {@link taylorScores} */
export async function collectSaliency(input: SaliencyInput): Promise<Saliency> {
  const { analyzed, coupling, criterion } = input;
  if (criterion === "taylor") return taylorScores(input);
  const byCriterion: Readonly<Record<Exclude<Criterion, "taylor">, (c: Coupling) => Float64Array>> = {
    l1: (c) => l1Norms(analyzed, c),
    l2: (c) => l2Norms(analyzed, c),
    "bn-scale": (c) => batchNormScales(analyzed, c),
    random: (c) => randomScores(c, input.seed ?? 0),
  };
  return { importance: byCriterion[criterion](coupling), batches: 0, skippedBatches: 0 };
}
