/** The main job: a network and a budget in, a faster network out, both measured. */
import { analyzeCoupling, type Coupling, type Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { countParameters } from "../graph/parameters.js";
import { writeModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { leastWidths } from "../problem/index.js";
import { applyPlan, type RewriteResult, verifyRewrite } from "../rewrite/index.js";
import { measureModels, measurePair } from "../runtime/index.js";
import { judgeAccuracy, judgeFeeds, judgeOutputs, openPruneData, openStandIns, type PruneData } from "./data.js";
import { checkWritable, makeRunFolder, writeJson } from "./files.js";
import { layerRecord } from "./layer-record.js";
import { openModel } from "./open-model.js";
import { type Oracle, openOracle } from "./oracle.js";
import { budgetSchedule } from "./schedule.js";
import type { Candidate } from "./search.js";
import { type Found, prepareStep, type Stage, type StepSearch, stageOf } from "./steps.js";
import type { Budget, GroupReport, PruneOptions, PruneResult } from "./types.js";

/** A network that was measured against the dense one. */
interface Measured {
  readonly found: Found;
  readonly ratio: number;
  readonly spread: number;
  readonly denseNs: number;
  readonly prunedNs: number;
}

const defaults = { steps: 1, rounds: 3, tolerance: 0.03, threads: 1, seed: 0 };
/** Steps that a target is searched from: the one at hand, and those before it. */
const lookBack = 3;
/** Below this share of the budget more was removed than asked for, and another round is worth its time. */
const slack = 0.96;

/**
 * Prunes a model to a latency budget and measures the result.
 * @throws HalpError HALP_INFEASIBLE_BUDGET (exit code 3); HALP_BUDGET_MISSED (exit code 4, `cause` is the
 * {@link PruneResult} of the best network, which is written all the same); and whatever the rooms refuse.
 */
export async function prune(options: PruneOptions): Promise<PruneResult> {
  const warnings: string[] = [];
  const warn = (message: string) => {
    if (warnings.includes(message)) return;
    warnings.push(message);
    options.onWarning?.(message);
  };
  const steps = options.steps ?? defaults.steps;
  const seed = options.seed ?? defaults.seed;
  checkBudget(options.budget);
  await checkWritable(options.output);
  await makeRunFolder(options.runFolder);
  const analyzed = await openModel(options);
  const { model } = analyzed;
  const coupling = analyzeCoupling(analyzed, findOperator, options);
  if (coupling.groups.every((g) => g.frozen !== undefined)) throw nothingToPrune(options.model, coupling);
  for (const { reason } of coupling.unknown) warn(`Some channels stay whole: their tensor ${reason}.`);
  const least = leastWidths(coupling, options.widthLimits ?? []);
  const data = await openPruneData(analyzed, coupling, options);
  const { signal: _signal, onProgress: _progress, onWarning: _warning, clock: _clock, ...config } = options;
  await writeJson(options.runFolder, "config.json", { format: "halp.config/1", ...config, steps, seed });

  const oracle = await openOracle(options, warn);
  const densePredictedNs = await oracle.predictNs(analyzed);
  const ratio = await budgetRatio(options, analyzed, oracle.isOwn ? undefined : densePredictedNs);
  const targets = budgetSchedule(ratio, steps).map((r) => r * densePredictedNs);

  const standIns = await openStandIns(data, options, warn);
  const apply = (plan: Plan) => applyPlan(analyzed, coupling, plan, findOperator, standIns ? { standIns } : {});
  const feeds = await judgeFeeds(data);
  const verify = ({ candidate }: Found) =>
    verifyRewrite(analyzed, coupling, candidate.plan, candidate.model, feeds.length > 0 ? { seed, feeds } : { seed });
  const searches = await takeSteps(data, oracle, options, least, targets, apply, verify, warn);
  // Measured here, a network of another device's table tells nothing that could correct the target.
  const { best, rounds } = await settle(searches, targets[steps - 1] as number, ratio, analyzed, {
    ...options,
    ...(oracle.isOwn ? {} : { rounds: 1 }),
    onWarning: warn,
  });
  const { candidate, kept: importanceKept } = best.found;
  const { maxError } = verify(best.found);
  await writeModel(candidate.model.model, options.output);
  const outputError = await judgeOutputs(model, candidate.model.model, data, options);
  const accuracy = await judgeAccuracy(model, candidate.model.model, data, options);
  const result: PruneResult = {
    format: "halp.result/1",
    budgetRatio: ratio,
    predictedRatio: candidate.predictedNs / densePredictedNs,
    measuredRatio: best.ratio,
    heldAgainst: oracle.isOwn ? "measured" : "predicted",
    latencyNs: { dense: best.denseNs, pruned: best.prunedNs },
    spread: best.spread,
    parameters: { dense: countParameters(analyzed), pruned: countParameters(candidate.model.analyzed) },
    accuracy,
    maskedError: maxError,
    outputError,
    importanceKept,
    steps,
    rounds,
    groups: groupReports(coupling, candidate.plan),
    output: options.output,
    warnings,
  };
  await writeJson(options.runFolder, "plan.json", planRecord(coupling, candidate.plan));
  await writeJson(options.runFolder, "result.json", result);
  const layers = await layerRecord(oracle, analyzed, candidate.model.analyzed, options);
  await writeJson(options.runFolder, "layers.json", layers);
  if (oracle.isOwn && best.ratio > highest(ratio, options)) throw missedBudget(result);
  return result;
}

/** Walks down the schedule. @returns the searches that its steps opened; the last one's target is left to be searched. */
async function takeSteps(
  data: PruneData,
  oracle: Oracle,
  options: PruneOptions,
  least: Int32Array,
  targetsNs: readonly number[],
  apply: (plan: Plan) => RewriteResult,
  verify: (found: Found) => void,
  warn: (message: string) => void,
): Promise<StepSearch[]> {
  const { analyzed, coupling } = data.original;
  const origin = Int32Array.from({ length: coupling.channelCount }, (_, i) => i);
  let stage: Stage = { analyzed, coupling, origin, kept: 1 };
  const searches: StepSearch[] = [];
  for (const [step, targetNs] of targetsNs.entries()) {
    options.onProgress?.({ phase: "steps", done: step, total: targetsNs.length });
    searches.push(await prepareStep(stage, data, oracle, options, least, step, apply, warn));
    if (step === targetsNs.length - 1) break;
    const found = await bestOf(searches.slice(-lookBack), targetNs);
    if (found instanceof HalpError) throw found;
    verify(found);
    await writeJson(options.runFolder, `step-${step + 1}.json`, stepRecord(coupling, found.candidate, targetNs));
    stage = stageOf(found, coupling, options);
  }
  return searches;
}

/** The ratio that still counts as within the budget. */
function highest(ratio: number, options: PruneOptions): number {
  return ratio * (1 + (options.tolerance ?? defaults.tolerance));
}

/** Measures what the last steps find, corrects the target by it, and searches again, until the budget is met. */
async function settle(
  searches: readonly StepSearch[],
  firstTargetNs: number,
  ratio: number,
  analyzed: AnalyzedGraph,
  options: PruneOptions,
): Promise<{ best: Measured; rounds: number }> {
  const most = highest(ratio, options);
  let targetNs = firstTargetNs;
  let best: Measured | undefined;
  let rounds = 0;
  do {
    const found = await bestOf(searches.slice(-lookBack), targetNs);
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
  } while (rounds < (options.rounds ?? defaults.rounds));
  return { best, rounds };
}

/**
 * The last steps searched for one target, and the best of what they find: a step takes whole blocks of channels, and what
 * one took beyond its share may come back. The error where none reaches the target.
 */
async function bestOf(searches: readonly StepSearch[], targetNs: number): Promise<Found | HalpError> {
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
  const pair = await measurePair(analyzed.model, found.candidate.model.model, {
    inputs: Object.fromEntries(analyzed.inputDims),
    threads: options.threads ?? defaults.threads,
    seed: options.seed ?? defaults.seed,
    ...(options.pin ? { pin: options.pin } : {}),
    ...(options.onWarning ? { onWarning: options.onWarning } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    onProgress: (done, total) => options.onProgress?.({ phase: "measuring", done, total }),
  });
  return {
    found,
    ratio: pair.ratio,
    spread: pair.spread,
    denseNs: pair.dense.median,
    prunedNs: pair.pruned.median,
  };
}

/**
 * The budget as a fraction of the dense latency; a budget in time is held against a measurement.
 * @param predictedNs what the network takes on another device, which cannot be measured here
 */
async function budgetRatio(
  options: PruneOptions,
  analyzed: AnalyzedGraph,
  predictedNs: number | undefined,
): Promise<number> {
  const { budget } = options;
  if (budget.kind === "ratio") return budget.ratio;
  const dense = predictedNs ?? (await denseLatency(options, analyzed));
  if (budget.ns >= dense)
    throw new HalpError(
      "HALP_BUDGET_RANGE",
      `The network already takes ${(dense / 1e6).toFixed(3)} ms${predictedNs === undefined ? " here" : ""}, less than the budget of ${(budget.ns / 1e6).toFixed(3)} ms: there is nothing to do.`,
    );
  return budget.ns / dense;
}

async function denseLatency(options: PruneOptions, analyzed: AnalyzedGraph): Promise<number> {
  const { latencies } = await measureModels([analyzed.model], {
    inputs: Object.fromEntries(analyzed.inputDims),
    threads: options.threads ?? defaults.threads,
    ...(options.pin ? { pin: options.pin } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return latencies[0]?.median ?? Number.NaN;
}

function checkBudget(budget: Budget): void {
  const fits =
    budget.kind === "ratio" ? budget.ratio > 0 && budget.ratio < 1 : budget.ns > 0 && Number.isFinite(budget.ns);
  if (!fits)
    throw new HalpError(
      "HALP_BUDGET_RANGE",
      `The budget must lie above 0 and below 100 % of the dense latency (55%), or be a time above 0 (3.2ms); got ${
        budget.kind === "ratio" ? `${100 * budget.ratio} %` : `${budget.ns / 1e6} ms`
      }.`,
    );
}

function nothingToPrune(file: string, coupling: Coupling): HalpError {
  const reasons = [...new Set(coupling.groups.map((g) => g.frozen).filter((r) => r !== undefined))].slice(0, 3);
  return new HalpError(
    "HALP_NOTHING_TO_PRUNE",
    `No channels of ${file} may be removed: ${reasons.length > 0 ? reasons.join("; ") : "it has no convolution or linear layer with constant weights"}. \`halp inspect\` shows each group.`,
    { file },
  );
}

function missedBudget(result: PruneResult): HalpError {
  const percent = (r: number) => `${(100 * r).toFixed(1)} %`;
  return new HalpError(
    "HALP_BUDGET_MISSED",
    `The network takes ${percent(result.measuredRatio)} of the dense latency as measured; the budget was ${percent(result.budgetRatio)}, ` +
      `predicted were ${percent(result.predictedRatio)}, after ${result.rounds} rounds. The best network so far is in ${result.output}. ` +
      "More rounds (--rounds) or a quieter machine may help.",
    { exitCode: 4, cause: result },
  );
}

function groupReports(coupling: Coupling, plan: Plan): GroupReport[] {
  return coupling.groups.map((g) => ({
    name: g.name,
    dense: g.size,
    kept: plan.kept[g.id]?.length ?? g.size,
    ...(g.frozen === undefined ? {} : { frozen: g.frozen }),
  }));
}

function planRecord(coupling: Coupling, plan: Plan) {
  const groups = coupling.groups.filter((g) => g.frozen === undefined);
  return {
    format: "halp.plan/1",
    groups: Object.fromEntries(groups.map((g) => [g.name, { size: g.size, kept: [...(plan.kept[g.id] ?? [])] }])),
  };
}

function stepRecord(coupling: Coupling, candidate: Candidate<RewriteResult>, targetNs: number) {
  return { ...planRecord(coupling, candidate.plan), targetNs, predictedNs: candidate.predictedNs };
}
