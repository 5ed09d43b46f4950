/**
 * Training between the steps of pruning, and after the last: the network of each step learns for some batches, and its
 * channels' importance is gathered from those very batches' gradients (arXiv 2110.10811, section 3.4).
 */
import { join } from "node:path";
import type { Augmentation } from "../data/index.js";
import { HalpError } from "../errors.js";
import {
  findParameters,
  type LossTerm,
  needsTeacher,
  openTraining,
  prepareForTraining,
  type Recipe,
  readTensors,
  type Training,
  type TrainingJob,
  writeTensors,
} from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { analyzeGraph } from "../graph/infer.js";
import { isDynamic } from "../graph/input-dims.js";
import type { Model } from "../graph/ir.js";
import { findOperator } from "../operators/index.js";
import { collectSaliency, findSites, type Saliency } from "../saliency/index.js";
import { masksOf } from "./channel-masks.js";
import { type EpochsResult, runEpochs, stepsOf } from "./epochs.js";
import { defaultLoss } from "./finetune.js";
import { runFiles } from "./run-folder.js";
import type { Stage } from "./steps.js";
import { formFilesOf, helpersOf, openJudge, trainingLoader } from "./training-data.js";
import type { PruneOptions } from "./types.js";
import { type KeptOf, openWholeWeights, type WholeWeights } from "./whole-weights.js";

export interface StepTrainingOptions {
  /** Steps of training on each network of the schedule, from whose gradients importance comes. Default 0: none. */
  readonly batchesPerStep?: number;
  /**
   * Removed channels may come back while the loop lasts: they are read as zero, keep their weights and the
   * importance they had last, and at each step all channels are chosen from anew. Default false: what is gone is gone.
   */
  readonly soft?: boolean;
  /** Times through the data after the last step. Default 0. */
  readonly epochs?: number;
  /** Samples a batch of training. Default the network's batch size, 64 at least where that is open. */
  readonly batch?: number;
  readonly recipe: Omit<Recipe, "loss">;
  /** Default as for `halp finetune`, the original network being the teacher. */
  readonly loss?: readonly LossTerm[];
  readonly augment?: Augmentation;
}

/** A training of the original network that goes on while channels go. */
export interface StepTraining {
  readonly weights: WholeWeights;
  readonly batchesPerStep: number;
  readonly soft: boolean;
  /** What each channel of the original was worth when it was last there, if channels may come back. */
  lastImportance?: Float64Array;
  /**
   * Whether all of the loss is distillation. The first step's network is the original, and so its own teacher: the loss is
   * 0, its gradients are rounding, from which no importance comes, and which AdamW would scale up to whole steps.
   */
  readonly learnsFromOriginal: boolean;
  /** Trains the network of a stage. @returns importance by the stage's channel numbers */
  score(stage: Stage, step: number): Promise<Saliency>;
  /** Trains the network that came out, epoch by epoch. */
  finish(pruned: { readonly model: Model; readonly keptOf: KeptOf }, resume: boolean): Promise<EpochsResult>;
}

/** @param original as {@link prepareForTraining} makes it */
export async function openStepTraining(
  original: AnalyzedGraph,
  options: PruneOptions,
  wanted: StepTrainingOptions,
): Promise<StepTraining> {
  const { data, runFolder, signal } = options;
  if (!data)
    throw new HalpError(
      "HALP_DATA_MISSING",
      "There is nothing to train on. Give data with --data, or leave training out.",
    );
  const inputDims = trainingDims(original, wanted.batch);
  const atBatch = analyzeGraph(original.model, findOperator, { inputDims });
  const judge = await openJudge(atBatch, data, options);
  const loss = wanted.loss ?? defaultLoss(atBatch, judge.labelled, original.model);
  const weights = openWholeWeights(original);
  const only = findParameters(original, findOperator).map((p) => p.name);
  const { batchesPerStep = 0, epochs = 0 } = wanted;
  const steps = options.steps ?? 1;
  const scratch = join(runFolder, runFiles.weights);

  const open = (model: Model, more?: Pick<TrainingJob, "scores" | "channelCount" | "masks">) =>
    openTraining({
      model,
      inputDims,
      recipe: { ...wanted.recipe, loss },
      loader: trainingLoader(atBatch, data, { ...options, ...(wanted.augment ? { augment: wanted.augment } : {}) }),
      threads: options.threads ?? 1,
      formFiles: formFilesOf(options),
      ...helpersOf(options),
      only,
      ...(loss.some(needsTeacher) ? { teacher: original.model } : {}),
      ...more,
    });
  /** Goes on with what was learnt before. */
  const take = async (training: Training, keptOf: KeptOf) => {
    if (weights.tensors.size === 0) return;
    await writeTensors(scratch, { tensors: weights.partFor(keptOf), metadata: {} });
    await training.load(scratch);
  };
  const give = async (training: Training, keptOf: KeptOf) => {
    await training.save(scratch, {});
    weights.absorb((await readTensors(scratch)).tensors, keptOf);
  };

  return {
    weights,
    batchesPerStep,
    soft: wanted.soft ?? false,
    learnsFromOriginal: loss.every(needsTeacher),
    async score(stage, step) {
      const { analyzed, coupling } = stage;
      const byGradient = (options.criterion ?? "taylor") === "taylor";
      const sites = findSites(analyzed, coupling);
      const scores = sites.map(({ value, axis, channels, batchNorm }) => ({
        value,
        axis,
        channels,
        byBatchNorm: batchNorm !== undefined,
      }));
      const { channelCount } = coupling;
      using training = await open(analyzed.model, {
        ...(byGradient ? { scores, channelCount } : {}),
        ...(stage.mask ? { masks: masksOf(analyzed, coupling, stage.mask) } : {}),
      });
      await take(training, stage.keptOf);
      const total = new Float64Array(coupling.channelCount);
      let [taken, scored, skipped] = [0, 0, 0];
      const first = step * batchesPerStep;
      const epochSteps = stepsOf(training);
      while (taken < batchesPerStep) {
        signal?.throwIfAborted();
        const at = first + taken;
        const piece = await training.train({
          epoch: Math.floor(at / epochSteps),
          from: at % epochSteps,
          step: at,
          totalSteps: steps * batchesPerStep + epochs * epochSteps,
          steps: Math.min(batchesPerStep - taken, epochSteps - (at % epochSteps)),
          maxMs: 2000,
        });
        taken += piece.steps;
        skipped += piece.skipped;
        scored += piece.scored ?? 0;
        piece.importance?.forEach((v, c) => {
          total[c] = (total[c] as number) + v;
        });
        options.onProgress?.({
          phase: `training, step ${step + 1} of ${steps}`,
          done: taken,
          total: batchesPerStep,
          note: `loss ${piece.loss.toFixed(4)}`,
        });
        if (piece.steps === 0)
          throw new HalpError(
            "HALP_DATA_EMPTY",
            `${training.opened.data} gave fewer samples than it said it has; an epoch has no step ${(at % epochSteps) + 1}.`,
          );
      }
      if (skipped === taken)
        throw new HalpError(
          "HALP_TRAINING_DIVERGED",
          `The loss is not finite any more in step ${step + 1}. Lower --learning-rate, or clip the gradient with --clip.`,
          { exitCode: 1 },
        );
      await give(training, stage.keptOf);
      if (!byGradient) return await weighed(stage, weights, options, step);
      return {
        criterion: "taylor",
        importance: total.map((v) => v / Math.max(1, scored)),
        batches: scored,
        skippedBatches: skipped,
        cut: [],
      };
    },
    async finish({ model, keptOf }, resume) {
      using training = await open(model);
      if (!resume) await take(training, keptOf);
      const used = steps * batchesPerStep;
      const result = await runEpochs({
        ...options,
        training,
        epochs,
        before: { steps: used, epochs: Math.ceil(used / stepsOf(training)) },
        ...(judge.accuracy ? { judge: judge.accuracy } : {}),
        resume,
      });
      await give(training, keptOf);
      return result;
    },
  };
}

/** Criteria of the weights alone look at what was learnt. */
async function weighed(stage: Stage, weights: WholeWeights, options: PruneOptions, step: number): Promise<Saliency> {
  const own = openWholeWeights(stage.analyzed);
  // Of branches that are gone whole nothing is there any more.
  const there = new Set(stage.analyzed.graph.initializers.map((t) => t.name));
  own.restore(new Map([...weights.partFor(stage.keptOf)].filter(([name]) => there.has(name))));
  return await collectSaliency({
    analyzed: own.analyzed,
    coupling: stage.coupling,
    criterion: options.criterion ?? "taylor",
    seed: (options.seed ?? 0) + step,
  });
}

/** Dims of a training: another batch size than that whose latency is asked for, where the network leaves it open. */
function trainingDims(analyzed: AnalyzedGraph, batch: number | undefined): ReadonlyMap<string, readonly number[]> {
  const [[name, dims] = ["", []]] = analyzed.inputDims;
  const [present = 1, ...rest] = dims;
  const open = isDynamic(analyzed.graph.inputs.find((i) => i.name === name)?.dims?.[0]);
  if (!open && batch !== undefined && batch !== present)
    throw new HalpError(
      "HALP_BATCH",
      `The model has a fixed batch of ${present}; it cannot be trained at batch ${batch}. Use --accumulate for larger steps.`,
    );
  const size = batch ?? (open ? Math.max(64, present) : present);
  return new Map([...analyzed.inputDims].map(([n, d]) => [n, n === name ? [size, ...rest] : d]));
}
