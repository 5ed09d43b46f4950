/** The main job: a network and a budget in, a faster network out, both measured. */
import { analyzeCoupling, type Coupling, type Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import { prepareForTraining } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { countParameters } from "../graph/parameters.js";
import { writeModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { leastWidths } from "../problem/index.js";
import { applyPlan, type RewriteResult, verifyRewrite } from "../rewrite/index.js";
import { measureModels } from "../runtime/index.js";
import { withLast } from "./channel-masks.js";
import { judgeAccuracy, judgeFeeds, judgeOutputs, openPruneData, openStandIns, type PruneData } from "./data.js";
import { hasCheckpoint } from "./epochs.js";
import { checkWritable, writeJson } from "./files.js";
import { deviceRecord, layerRecord } from "./layer-record.js";
import { openModel } from "./open-model.js";
import { type Oracle, openOracle } from "./oracle.js";
import { clearRunFolder, makeRunFolder, runFiles, stepFile } from "./run-folder.js";
import { lockRunFolder } from "./run-lock.js";
import { type RunState, readState, saveState } from "./run-state.js";
import { budgetSchedule, highest } from "./schedule.js";
import type { Candidate } from "./search.js";
import { writeSearch } from "./search-record.js";
import { bestOf, type Measurement, settle } from "./settle.js";
import { openStepTraining, type StepTraining } from "./step-training.js";
import { prepareStep, type Score, type Stage, type StepSearch, scoreOnly, stageOf } from "./steps.js";
import { dataForLoss } from "./training-data.js";
import type { Budget, GroupReport, PruneOptions, PruneResult } from "./types.js";

const defaults = { steps: 1, threads: 1, seed: 0 };
/** Steps that a target is searched from: the one at hand, and those before it, as long as no weight changed since. */
const lookBack = 3;

/**
 * Prunes a model to a latency budget and measures the result; trains it between the steps and after them, if asked to.
 * @throws HalpError HALP_INFEASIBLE_BUDGET (exit code 3); HALP_BUDGET_MISSED (exit code 4, `cause` is the
 * {@link PruneResult} of the best network, which is written all the same); and whatever the rooms refuse.
 */
export async function prune(given: PruneOptions): Promise<PruneResult> {
  const options: PruneOptions = {
    ...given,
    ...(given.data ? { data: dataForLoss(given.data, given.training?.loss) } : {}),
  };
  const warnings: string[] = [];
  const warn = (message: string) => {
    if (warnings.includes(message)) return;
    warnings.push(message);
    options.onWarning?.(message);
  };
  const { runFolder } = options;
  const steps = options.steps ?? defaults.steps;
  const seed = options.seed ?? defaults.seed;
  checkOptions(options);
  await checkWritable(options.output);
  await makeRunFolder(runFolder);
  await using _lock = await lockRunFolder(runFolder);
  const read = await openModel(options);
  const analyzed = options.training ? prepareForTraining(read, findOperator) : read;
  const { model } = analyzed;
  const coupling = analyzeCoupling(analyzed, findOperator, options);
  if (coupling.groups.every((g) => g.frozen !== undefined)) throw nothingToPrune(options.model, coupling);
  for (const { reason } of coupling.unknown) warn(`Some channels stay whole: their tensor ${reason}.`);
  const least = leastWidths(coupling, options.widthLimits ?? []);
  const data = await openPruneData(analyzed, coupling, options);
  const training = options.training ? await openStepTraining(analyzed, options, options.training) : undefined;
  const saved = options.resume ? await readState(runFolder, coupling) : undefined;
  await clearRunFolder(runFolder, options.resume ?? false);
  if (!options.resume) await writeConfig(options);
  if (saved && training) {
    training.weights.restore(saved.tensors);
    if (saved.state.lastImportance) training.lastImportance = Float64Array.from(saved.state.lastImportance);
  }

  const oracle = await openOracle(options, warn);
  const densePredictedNs = await oracle.predictNs(analyzed);
  const ratio =
    saved?.state.ratio ?? (await budgetRatio(options, analyzed, oracle.isOwn ? undefined : densePredictedNs));
  const targets = budgetSchedule(ratio, steps).map((r) => r * densePredictedNs);

  const standIns = await openStandIns(data, options, warn);
  /** The original as its weights are now. */
  const present = () => training?.weights.analyzed ?? analyzed;
  const apply = (plan: Plan) => applyPlan(present(), coupling, plan, findOperator, standIns ? { standIns } : {});
  const feeds = await judgeFeeds(data);
  const verify = (plan: Plan, rewritten: RewriteResult) =>
    verifyRewrite(present(), coupling, plan, rewritten, feeds.length > 0 ? { seed, feeds } : { seed }).maxError;

  const chosen = saved?.state.measured
    ? { ...saved.state, ...saved.state.measured }
    : await choose({
        data,
        oracle,
        options,
        least,
        densePredictedNs,
        targets,
        ratio,
        apply,
        verify,
        training,
        saved: saved?.state,
        warn,
      });
  const { plan } = chosen;
  const epochs = options.training?.epochs ?? 0;
  const trained =
    training && epochs > 0
      ? await training.finish(apply(plan), options.resume === true && (await hasCheckpoint(runFolder)))
      : undefined;
  const rewritten = apply(plan);
  const maskedError = verify(plan, rewritten);
  await writeModel(rewritten.model, options.output);
  const outputError = await judgeOutputs(model, rewritten.model, data, options);
  const accuracy = await judgeAccuracy(model, rewritten.model, data, options);
  const result: PruneResult = {
    format: "halp.result/1",
    budgetRatio: ratio,
    predictedRatio: chosen.predictedNs / densePredictedNs,
    measuredRatio: chosen.ratio,
    heldAgainst: oracle.isOwn ? "measured" : "predicted",
    latencyNs: { dense: chosen.denseNs, pruned: chosen.prunedNs },
    spread: chosen.spread,
    parameters: { dense: countParameters(analyzed), pruned: countParameters(rewritten.analyzed) },
    accuracy,
    maskedError,
    outputError,
    importanceKept: chosen.kept,
    steps,
    rounds: chosen.rounds,
    training: training
      ? {
          stepsBetween: training.batchesPerStep,
          epochs,
          accuracyBefore: trained?.accuracyBefore ?? null,
          log: trained?.log ?? [],
          skippedSteps: trained?.skippedSteps ?? 0,
        }
      : null,
    groups: groupReports(coupling, plan),
    output: options.output,
    warnings,
  };
  await writeJson(runFolder, runFiles.plan, planRecord(coupling, plan));
  await writeJson(runFolder, runFiles.result, result);
  await writeJson(runFolder, runFiles.device, deviceRecord(oracle));
  const layers = await layerRecord(oracle, analyzed, rewritten.analyzed, options);
  await writeJson(runFolder, runFiles.layers, layers);
  if (oracle.isOwn && chosen.ratio > highest(ratio, options.tolerance)) throw missedBudget(result);
  return result;
}

/** The network that the run ends with, before its last training. */
interface Chosen extends Measurement {
  readonly plan: Plan;
  readonly kept: number;
  readonly predictedNs: number;
  readonly rounds: number;
}

interface Choosing {
  readonly data: PruneData;
  readonly oracle: Oracle;
  readonly options: PruneOptions;
  readonly least: Int32Array;
  readonly densePredictedNs: number;
  readonly targets: readonly number[];
  readonly ratio: number;
  readonly apply: (plan: Plan) => RewriteResult;
  readonly verify: (plan: Plan, rewritten: RewriteResult) => number;
  readonly training: StepTraining | undefined;
  /** Where an earlier run stopped. */
  readonly saved: RunState | undefined;
  readonly warn: (message: string) => void;
}

async function choose(c: Choosing): Promise<Chosen> {
  const { data, oracle, options, ratio } = c;
  const searches = await takeSteps(c);
  // Measured here, a network of another device's table tells nothing that could correct the target.
  const { best, rounds } = await settle(searches, c.targets.at(-1) as number, ratio, data.original.analyzed, {
    ...options,
    ...(oracle.isOwn ? {} : { rounds: 1 }),
    onWarning: c.warn,
  });
  const { found, ...numbers } = best;
  const { plan, predictedNs } = found.candidate;
  const { kept } = found;
  const measured = { ...numbers, rounds };
  await writeSearch(options.runFolder, found, c.densePredictedNs);
  await save(c, { step: c.targets.length, ratio, plan, kept, predictedNs, measured });
  return { plan, kept, predictedNs, ...measured };
}

/** Walks down the schedule. @returns the searches of its last steps; the last one's target is left to be searched. */
async function takeSteps(c: Choosing): Promise<StepSearch[]> {
  const { data, oracle, options, least, targets, apply, training, saved, warn } = c;
  const { analyzed, coupling } = data.original;
  const origin = Int32Array.from({ length: coupling.channelCount }, (_, i) => i);
  const whole: Stage = { analyzed, coupling, origin, kept: 1, keptOf: () => undefined };
  const stageAfter = (plan: Plan, model: RewriteResult, kept: number): Stage =>
    training?.soft ? { ...whole, mask: plan } : stageOf(model, kept, coupling, options);
  let stage = saved ? stageAfter(saved.plan, apply(saved.plan), saved.kept) : whole;
  const untrained = scoreOnly(data, options);
  const trains = training !== undefined && training.batchesPerStep > 0;
  const score: Score = trains
    ? async (stage, step) => {
        const first = step === 0 && training.learnsFromOriginal;
        const own = await (first ? untrained : training.score)(stage, step);
        if (!training.soft) return own;
        const importance = withLast(own.importance, stage.coupling, stage.mask, training.lastImportance);
        training.lastImportance = importance;
        return { ...own, importance };
      }
    : untrained;
  // What an earlier step knows of importance is of other weights, where they are trained.
  const back = trains ? 1 : lookBack;
  let searches: StepSearch[] = [];
  for (let step = saved?.step ?? 0; step < targets.length; step++) {
    const targetNs = targets[step] as number;
    options.onProgress?.({ phase: "steps", done: step, total: targets.length });
    const search = await prepareStep(stage, data, oracle, options, least, step, apply, score, warn);
    searches = [...searches, search].slice(-back);
    if (step === targets.length - 1) break;
    const found = await bestOf(searches, targetNs);
    if (found instanceof HalpError) throw found;
    const { candidate, kept } = found;
    c.verify(candidate.plan, candidate.model);
    await writeJson(options.runFolder, stepFile(step + 1), stepRecord(coupling, candidate, targetNs));
    const { plan, predictedNs } = candidate;
    await save(c, { step: step + 1, ratio: c.ratio, plan, kept, predictedNs });
    stage = stageAfter(plan, candidate.model, kept);
  }
  return searches;
}

/** What a run with training goes on from. */
async function save({ training, options }: Choosing, state: RunState): Promise<void> {
  if (!training) return;
  const { lastImportance, weights } = training;
  await saveState(options.runFolder, weights.tensors, {
    ...state,
    ...(lastImportance ? { lastImportance: [...lastImportance] } : {}),
  });
}

async function writeConfig(options: PruneOptions): Promise<void> {
  const { signal: _s, onProgress: _p, onWarning: _w, onEpoch: _e, clock: _c, resume: _r, ...rest } = options;
  const { bench, crew: _crew, ...config } = rest;
  const { steps, seed } = { ...defaults, ...config };
  await writeJson(options.runFolder, runFiles.config, {
    format: "halp.config/1",
    ...config,
    ...(bench ? { bench: bench.name } : {}),
    steps,
    seed,
  });
}

/** @throws HalpError HALP_BUDGET_RANGE, HALP_TRAINING_OPTION */
function checkOptions({ budget, training, standIn }: PruneOptions): void {
  checkBudget(budget);
  if (training?.soft && !training.batchesPerStep)
    throw new HalpError(
      "HALP_TRAINING_OPTION",
      "Channels can come back only where the network learns between the steps: say how much with --train-steps, or leave out --soft.",
    );
  if (training && (standIn ?? "zero") !== "zero")
    throw new HalpError(
      "HALP_TRAINING_OPTION",
      "What stands in for removed channels is learnt where there is training: leave out --stand-in, or the training.",
    );
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
  const measure = options.bench?.measureModels ?? measureModels;
  const { latencies } = await measure([analyzed.model], {
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
