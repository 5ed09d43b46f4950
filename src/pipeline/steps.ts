/** One round of the schedule: channels are scored, and what comes back searches them for any target. */
import {
  analyzeCoupling,
  type Coupling,
  type CouplingGroup,
  type CouplingOptions,
  type Plan,
} from "../coupling/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { findOperator } from "../operators/index.js";
import { groupOptions, leastWidthsLeft, type PruneVariable, rankVariables } from "../problem/index.js";
import { groupsThatMayVanish, type RewriteResult } from "../rewrite/index.js";
import type { Saliency } from "../saliency/index.js";
import type { PruneData } from "./data.js";
import { alignmentFor, type Device, predictOn } from "./devices.js";
import { originalChannels, planForOriginal } from "./origin.js";
import { type Candidate, openSearch } from "./search.js";
import { type SearchGroup, searchGroups } from "./search-record.js";
import type { PruneOptions } from "./types.js";
import { openUniformSearch } from "./uniform.js";
import type { KeptOf } from "./whole-weights.js";

/** The network as some plan left it. */
export interface Stage {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  /** Channels of this coupling as channels of the original. */
  readonly origin: Int32Array;
  /** Share of the original's importance that is left. */
  readonly kept: number;
  /** Positions of the original's values that are left. */
  readonly keptOf: KeptOf;
  /** The channels that count while it learns; the others are zero, but may come back. */
  readonly mask?: Plan;
}

/** A network that a step found. Its plan is a plan of the original. */
export interface Found {
  readonly candidate: Candidate<RewriteResult>;
  /** Share of the original's importance that is left, as the product over the steps. */
  readonly kept: number;
  /** What it was searched among. */
  readonly search: () => {
    readonly groups: readonly SearchGroup[];
    readonly importance: { readonly whole: number; readonly share: number };
    /** By device. */
    readonly presentNs: readonly number[];
  };
}

export type Score = (stage: Stage, step: number) => Promise<Saliency>;

/** Importance with no training between the steps: other batches each step. */
export function scoreOnly(data: PruneData, options: PruneOptions): Score {
  return ({ analyzed, coupling }, step) =>
    data.crew.score({
      analyzed,
      coupling,
      ...data.scored(step),
      criterion: options.criterion ?? "taylor",
      seed: (options.seed ?? 0) + step,
      threads: options.threads ?? 1,
      ...(options.loss ? { loss: options.loss } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.onWarning ? { onWarning: options.onWarning } : {}),
      onProgress: (p) => options.onProgress?.({ phase: "saliency", ...p }),
    });
}

/** Searches for targets by device. */
export type StepSearch = (targetsNs: readonly number[]) => Promise<Found>;

/**
 * Scores the channels of a stage; what comes back searches it for any targets. Plans are plans of the original.
 * @param least channels that each group of the original has to keep
 * @param apply makes the network of a plan of the original
 * @param score gives each channel of the stage its importance
 * @param toward latency of the last step, by device: a group is left as it is then, or goes as far as the best plan for that has
 *   it go. Small cuts that meet an early target exactly would be lost where the end takes the whole group, or another.
 */
export async function prepareStep(
  stage: Stage,
  data: PruneData,
  devices: readonly Device[],
  options: PruneOptions,
  least: Int32Array,
  step: number,
  apply: (plan: Plan) => RewriteResult,
  score: Score,
  warn: (message: string) => void,
  toward?: readonly number[],
): Promise<StepSearch> {
  const { analyzed, coupling } = stage;
  const { original } = data;
  const saliency = await score(stage, step);
  if (saliency.skippedBatches > 0)
    warn(`${saliency.skippedBatches} batches were left out of the importance: their scores were NaN or infinite.`);
  for (const { node, reason } of saliency.cut) warn(`Importance misses what goes through ${node}: ${reason}`);
  const mayVanish = groupsThatMayVanish(analyzed, coupling);
  const leastNow = leastWidthsLeft(original.coupling, least, coupling, stage.origin);
  // A step may halve what a group has now.
  const narrowest = (options.steps ?? 1) >= 3 ? 0.5 : 0;
  const present = (g: number, size: number) => stage.mask?.kept[g]?.length ?? size;
  const choicesOf = (group: CouplingGroup): number[] =>
    groupOptions(group, { alignment: alignmentFor(devices) }, mayVanish.has(group.id), leastNow[group.id]).filter(
      (k) => k === 0 || k >= narrowest * present(group.id, group.size),
    );
  let variables = rankVariables(coupling, saliency.importance, choicesOf);
  const whole = saliency.importance.reduce((a: number, b: number) => a + b, 0);
  const presentNs = await predictOn(devices, analyzed);
  const predict = async (plan: Plan) => {
    const full = planForOriginal(original.coupling, coupling, stage.origin, plan);
    const model = apply(full);
    return { model, predictedNs: await predictOn(devices, model.analyzed) };
  };
  const { mode, signal } = options;
  const input = { analyzed, coupling, devices, presentNs, predict, warn, ...(signal ? { signal } : {}) };
  const open = (variables: readonly PruneVariable[]) =>
    mode === "uniform"
      ? openUniformSearch({ ...input, variables })
      : openSearch({ ...input, variables, ...(mode ? { mode } : {}) });
  let search = await open(variables);
  const end = toward && (await unlessInfeasible(search.find(toward)));
  if (end) {
    variables = rankVariables(coupling, saliency.importance, (group) =>
      choicesOf(group).filter((k) => k === group.size || k === end.plan.kept[group.id]?.length),
    );
    search = await open(variables);
  }
  return async (targetsNs) => {
    const found = await search.find(targetsNs);
    const plan = planForOriginal(original.coupling, coupling, stage.origin, found.plan);
    const about = () => ({
      groups: searchGroups(
        stage,
        original.coupling,
        variables,
        saliency.importance,
        (g) => found.plan.kept[g]?.length ?? 0,
      ),
      importance: { whole, share: stage.kept },
      presentNs,
    });
    return {
      candidate: { ...found, plan },
      kept: stage.kept * (whole > 0 ? found.importance / whole : 1),
      search: about,
    };
  };
}

/** Where a step begins: at what the last one found. */
export function stageOf(rewritten: RewriteResult, kept: number, original: Coupling, choices: CouplingOptions): Stage {
  const { analyzed } = rewritten;
  const coupling = analyzeCoupling(analyzed, findOperator, { ...choices, mayMiss: true });
  const origin = originalChannels(original, coupling, (v, axis) => rewritten.keptOf(v, axis));
  return { analyzed, coupling, origin, kept, keptOf: rewritten.keptOf };
}

/** Undefined where no plan of a step reaches so far: groups are halved at most. */
async function unlessInfeasible<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof HalpError && error.exitCode === 3) return undefined;
    throw error;
  }
}
