/** The network that a run ends with: found, measured, and searched for again until the budget is met. */
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { measureModels, pairOf } from "../runtime/index.js";
import { highest } from "./schedule.js";
import type { Found, StepSearch } from "./steps.js";
import type { PruneOptions } from "./types.js";

/** A network against the dense one. */
export interface Measurement {
  readonly ratio: number;
  readonly spread: number;
  readonly denseNs: number;
  readonly prunedNs: number;
}

interface Measured extends Measurement {
  readonly found: Found;
}

const defaultRounds = 3;
/** Below this share of the budget more was removed than asked for, and another round is worth its time. */
const slack = 0.96;

/** Measures what the last steps find, corrects the target by it, and searches again, until the budget is met. */
export async function settle(
  searches: readonly StepSearch[],
  firstTargetNs: number,
  ratio: number,
  analyzed: AnalyzedGraph,
  options: PruneOptions,
): Promise<{ best: Measured; rounds: number }> {
  const most = highest(ratio, options.tolerance);
  let targetNs = firstTargetNs;
  let best: Measured | undefined;
  let rounds = 0;
  do {
    const found = await bestOf(searches, targetNs);
    if (found instanceof HalpError) {
      // What was measured before asks for less than there is: the best so far has to do.
      if (best) break;
      throw found;
    }
    rounds++;
    const measured = await measure(analyzed, found, options);
    const met = measured.ratio <= most;
    if (!best || (met ? best.ratio > most || measured.found.kept > best.found.kept : measured.ratio < best.ratio))
      best = measured;
    if (met && measured.ratio >= slack * ratio) break;
    // What was measured says how far the prediction is off; the next target makes up for it.
    targetNs *= ratio / measured.ratio;
  } while (rounds < (options.rounds ?? defaultRounds));
  return { best, rounds };
}

/**
 * The last steps searched for one target, and the best of what they find: a step takes whole blocks of channels, and what
 * one took beyond its share may come back. The error where none reaches the target.
 */
export async function bestOf(searches: readonly StepSearch[], targetNs: number): Promise<Found | HalpError> {
  let best: Found | undefined;
  let refused: HalpError | undefined;
  for (const search of searches)
    try {
      const found = await search(targetNs);
      if (!best || found.kept > best.kept) best = found;
    } catch (error) {
      if (!(error instanceof HalpError) || error.exitCode !== 3) throw error;
      refused = error;
    }
  if (best) return best;
  if (refused) return refused;
  throw new Error("there was no step to search from");
}

async function measure(analyzed: AnalyzedGraph, found: Found, options: PruneOptions): Promise<Measured> {
  options.onProgress?.({ phase: "measuring", done: 0, total: 1 });
  const measure = options.bench?.measureModels ?? measureModels;
  const timings = await measure([analyzed.model, found.candidate.model.model], {
    inputs: Object.fromEntries(analyzed.inputDims),
    threads: options.threads ?? 1,
    seed: options.seed ?? 0,
    ...(options.pin ? { pin: options.pin } : {}),
    ...(options.onWarning ? { onWarning: options.onWarning } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    onProgress: (done, total) => options.onProgress?.({ phase: "measuring", done, total }),
  });
  const pair = pairOf(timings);
  return {
    found,
    ratio: pair.ratio,
    spread: pair.spread,
    denseNs: pair.dense.median,
    prunedNs: pair.pruned.median,
  };
}
