/** The network that a run ends with: found, measured, and searched for again until every budget is met. */
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { benchHere } from "../jobs/index.js";
import { pairOf } from "../runtime/index.js";
import type { Device } from "./devices.js";
import { highest } from "./schedule.js";
import type { Found, StepSearch } from "./steps.js";
import type { PruneOptions } from "./types.js";

/** A network against the dense one, on a device. */
export interface Measurement {
  readonly ratio: number;
  readonly spread: number;
  readonly denseNs: number;
  readonly prunedNs: number;
}

interface Measured {
  readonly found: Found;
  /** By device. */
  readonly on: readonly Measurement[];
}

type Target = Pick<Device, "name" | "bench" | "oracle" | "ratio" | "denseNs">;

const defaultRounds = 3;
/** Below this share of the budget more was removed than asked for, and another round is worth its time. */
const slack = 0.96;

/**
 * Measures what the last steps find, corrects the targets by it, and searches again, until all budgets are met. Measured
 * here, a network of another device's table tells nothing that could correct a target.
 */
export async function settle(
  searches: readonly StepSearch[],
  devices: readonly Target[],
  analyzed: AnalyzedGraph,
  options: PruneOptions,
): Promise<{ best: Measured; rounds: number }> {
  const corrected = devices.some((d) => d.oracle.isOwn);
  const most = corrected ? (options.rounds ?? defaultRounds) : 1;
  /** The largest share of a budget that a network takes where it is measured on the budget's device. */
  const worst = (m: Measured) => Math.max(...devices.map((d, i) => useOf(d, m.on[i])));
  let targetsNs = devices.map((d) => d.ratio * d.denseNs);
  let best: Measured | undefined;
  let rounds = 0;
  do {
    const found = await bestOf(searches, targetsNs);
    if (found instanceof HalpError) {
      // What was measured before asks for less than there is: the best so far has to do.
      if (best) break;
      throw found;
    }
    rounds++;
    const measured = { found, on: await measure(analyzed, found, devices, options) };
    const within = highest(1, options.tolerance);
    const met = worst(measured) <= within;
    if (!best || (met ? worst(best) > within || found.kept > best.found.kept : worst(measured) < worst(best)))
      best = measured;
    if (met && worst(measured) >= slack) break;
    // What was measured says how far predictions are off; the next targets make up for it. Only the device that uses most of
    // its budget says whether there is room for more.
    targetsNs = devices.map((device, i) => {
      if (!device.oracle.isOwn) return targetsNs[i] as number;
      const isWorst = useOf(device, measured.on[i]) === worst(measured);
      return ((isWorst ? targetsNs : found.candidate.predictedNs)[i] as number) / useOf(device, measured.on[i]);
    });
  } while (rounds < most);
  return { best, rounds };
}

/** What a network takes of the budget, 1 being all of it; 0 where that is not for a measurement to say. */
function useOf({ oracle, ratio }: Target, measured: Measurement | undefined): number {
  return oracle.isOwn && measured ? measured.ratio / ratio : 0;
}

/**
 * The last steps searched for the same targets, and the best of what they find: a step takes whole blocks of channels, and
 * what one took beyond its share may come back. The error where none reaches the targets.
 */
export async function bestOf(
  searches: readonly StepSearch[],
  targetsNs: readonly number[],
): Promise<Found | HalpError> {
  let best: Found | undefined;
  let refused: HalpError | undefined;
  for (const search of searches)
    try {
      const found = await search(targetsNs);
      if (!best || found.kept > best.kept) best = found;
    } catch (error) {
      if (!(error instanceof HalpError) || error.exitCode !== 3) throw error;
      refused = error;
    }
  if (best) return best;
  if (refused) return refused;
  throw new Error("there was no step to search from");
}

/**
 * On all devices, one after the other: this machine is not to be busy while it measures. Those of tables from elsewhere are
 * all measured here, once.
 */
async function measure(
  analyzed: AnalyzedGraph,
  found: Found,
  devices: readonly Target[],
  options: PruneOptions,
): Promise<Measurement[]> {
  const measured: Measurement[] = [];
  for (const { bench, name } of devices) {
    const same = measured[devices.findIndex((d) => d.bench === bench)];
    if (same) {
      measured.push(same);
      continue;
    }
    const phase = devices.length > 1 && bench !== benchHere ? `measuring on ${name}` : "measuring";
    options.onProgress?.({ phase, done: 0, total: 1 });
    const timings = await bench.measureModels([analyzed.model, found.candidate.model.model], {
      inputs: Object.fromEntries(analyzed.inputDims),
      threads: options.threads ?? 1,
      seed: options.seed ?? 0,
      ...(options.pin ? { pin: options.pin } : {}),
      ...(options.onWarning ? { onWarning: options.onWarning } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
      onProgress: (done, total) => options.onProgress?.({ phase, done, total }),
    });
    const { ratio, spread, dense, pruned } = pairOf(timings);
    measured.push({ ratio, spread, denseNs: dense.median, prunedNs: pruned.median });
  }
  return measured;
}
