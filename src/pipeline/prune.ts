/** The main job: a network and a budget in, a faster network out, both measured. */
import { analyzeCoupling, type Coupling, type Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import { prepareForTraining } from "../finetune/index.js";
import { countParameters } from "../graph/parameters.js";
import { writeModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { leastWidths } from "../problem/index.js";
import { applyPlan, type RewriteResult, verifyRewrite } from "../rewrite/index.js";
import { withLast } from "./channel-masks.js";
import { judgeAccuracy, judgeFeeds, judgeOutputs, openPruneData, openStandIns, type PruneData } from "./data.js";
import { checkBudget, type Device, openDevices } from "./devices.js";
import { hasCheckpoint } from "./epochs.js";
import { checkWritable, writeJson } from "./files.js";
import { deviceRecord, layerRecord } from "./layer-record.js";
import { openModel } from "./open-model.js";
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
import type { DeviceResult, GroupReport, PruneOptions, PruneResult } from "./types.js";

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

  const devices = await openDevices(options, analyzed, warn, saved?.state.ratios);
  const schedules = devices.map(({ ratio, denseNs }) => budgetSchedule(ratio, steps).map((r) => r * denseNs));
  const targets = Array.from({ length: steps }, (_, step) => schedules.map((of) => of[step] as number));

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
        devices,
        options,
        least,
        targets,
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
  const results = devices.map((device, d) =>
    deviceResult(device, chosen.predictedNs[d] as number, chosen.on[d] as Measurement),
  );
  const [first] = results as [DeviceResult];
  const result: PruneResult = {
    format: "halp.result/1",
    ...first,
    ...(devices.length > 1 ? { devices: results.map((r, d) => ({ name: devices[d]?.name ?? "", ...r })) } : {}),
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
  const [{ oracle }] = devices as [Device];
  await writeJson(runFolder, runFiles.device, deviceRecord(oracle));
  const layers = await layerRecord(oracle, analyzed, rewritten.analyzed, options);
  await writeJson(runFolder, runFiles.layers, layers);
  const missed = results.findIndex(
    (r) => r.heldAgainst === "measured" && r.measuredRatio > highest(r.budgetRatio, options.tolerance),
  );
  if (missed >= 0) throw missedBudget(result, results[missed] as DeviceResult, devices[missed] as Device);
  return result;
}

function deviceResult({ oracle, ratio, denseNs }: Device, predictedNs: number, measured: Measurement): DeviceResult {
  return {
    budgetRatio: ratio,
    predictedRatio: predictedNs / denseNs,
    measuredRatio: measured.ratio,
    heldAgainst: oracle.isOwn ? "measured" : "predicted",
    latencyNs: { dense: measured.denseNs, pruned: measured.prunedNs },
    spread: measured.spread,
  };
}

/** The network that the run ends with, before its last training. */
interface Chosen {
  readonly plan: Plan;
  readonly kept: number;
  /** By device. */
  readonly predictedNs: readonly number[];
  readonly on: readonly Measurement[];
  readonly rounds: number;
}

interface Choosing {
  readonly data: PruneData;
  readonly devices: readonly Device[];
  readonly options: PruneOptions;
  readonly least: Int32Array;
  /** [step][device], nanoseconds. */
  readonly targets: readonly (readonly number[])[];
  readonly apply: (plan: Plan) => RewriteResult;
  readonly verify: (plan: Plan, rewritten: RewriteResult) => number;
  readonly training: StepTraining | undefined;
  /** Where an earlier run stopped. */
  readonly saved: RunState | undefined;
  readonly warn: (message: string) => void;
}

async function choose(c: Choosing): Promise<Chosen> {
  const { data, devices, options } = c;
  const searches = await takeSteps(c);
  const { best, rounds } = await settle(searches, devices, data.original.analyzed, { ...options, onWarning: c.warn });
  const { found, on } = best;
  const { plan, predictedNs, solved } = found.candidate;
  const { kept } = found;
  if (solved?.solution.status === "feasible")
    c.warn(
      `The plan is not proven to be the best for all devices: none keeps more than ${(100 * solved.solution.gap).toFixed(3)} % more importance.`,
    );
  const measured = { on, rounds };
  await writeSearch(options.runFolder, found, (devices[0] as Device).denseNs);
  await save(c, { step: c.targets.length, ratios: ratiosOf(devices), plan, kept, predictedNs, measured });
  return { plan, kept, predictedNs, ...measured };
}

const ratiosOf = (devices: readonly Device[]) => devices.map((d) => d.ratio);

/** Walks down the schedule. @returns the searches of its last steps; the last one's target is left to be searched. */
async function takeSteps(c: Choosing): Promise<StepSearch[]> {
  const { data, devices, options, least, targets, apply, training, saved, warn } = c;
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
  const joint = (options.mode ?? "joint") === "joint";
  let searches: StepSearch[] = [];
  for (let step = saved?.step ?? 0; step < targets.length; step++) {
    const targetsNs = targets[step] as readonly number[];
    options.onProgress?.({ phase: "steps", done: step, total: targets.length });
    const toward = trains && !training.soft && joint && step < targets.length - 1 ? targets.at(-1) : undefined;
    const search = await prepareStep(stage, data, devices, options, least, step, apply, score, warn, toward);
    searches = [...searches, search].slice(-back);
    if (step === targets.length - 1) break;
    const found = await bestOf(searches, targetsNs);
    if (found instanceof HalpError) throw found;
    const { candidate, kept } = found;
    c.verify(candidate.plan, candidate.model);
    await writeJson(options.runFolder, stepFile(step + 1), stepRecord(coupling, candidate, targetsNs));
    const { plan, predictedNs } = candidate;
    await save(c, { step: step + 1, ratios: ratiosOf(devices), plan, kept, predictedNs });
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
  const { bench, others, crew: _crew, ...config } = rest;
  const { steps, seed } = { ...defaults, ...config };
  await writeJson(options.runFolder, runFiles.config, {
    format: "halp.config/1",
    ...config,
    ...(bench ? { bench: bench.name } : {}),
    ...(others ? { others: others.map(({ bench, ...o }) => (bench ? { ...o, bench: bench.name } : o)) } : {}),
    steps,
    seed,
  });
}

/** @throws HalpError HALP_BUDGET_RANGE, HALP_TRAINING_OPTION */
function checkOptions({ budget, others = [], training, standIn }: PruneOptions): void {
  for (const b of [budget, ...others.map((o) => o.budget)]) checkBudget(b);
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

function nothingToPrune(file: string, coupling: Coupling): HalpError {
  const reasons = [...new Set(coupling.groups.map((g) => g.frozen).filter((r) => r !== undefined))].slice(0, 3);
  return new HalpError(
    "HALP_NOTHING_TO_PRUNE",
    `No channels of ${file} may be removed: ${reasons.length > 0 ? reasons.join("; ") : "it has no convolution or linear layer with constant weights"}. \`halp inspect\` shows each group.`,
    { file },
  );
}

function missedBudget(result: PruneResult, missed: DeviceResult, { name }: Device): HalpError {
  const percent = (r: number) => `${(100 * r).toFixed(1)} %`;
  const where = result.devices ? ` on ${name}` : "";
  return new HalpError(
    "HALP_BUDGET_MISSED",
    `The network takes ${percent(missed.measuredRatio)} of the dense latency as measured${where}; the budget was ${percent(missed.budgetRatio)}, ` +
      `predicted were ${percent(missed.predictedRatio)}, after ${result.rounds} rounds. The best network so far is in ${result.output}. ` +
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

function stepRecord(coupling: Coupling, candidate: Candidate<RewriteResult>, targetsNs: readonly number[]) {
  const { plan, predictedNs } = candidate;
  const [targetNs, firstNs] = [targetsNs[0], predictedNs[0]];
  const all = targetsNs.length > 1 ? { targetsNs, allPredictedNs: predictedNs } : {};
  return { ...planRecord(coupling, plan), targetNs, predictedNs: firstNs, ...all };
}
