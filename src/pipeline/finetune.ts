/** `halp finetune`: a network trained on data, epoch by epoch, in a run folder from which it can go on. */
import type { Augmentation } from "../data/index.js";
import { HalpError } from "../errors.js";
import {
  type LossTerm,
  needsTeacher,
  openTraining,
  prepareForTraining,
  type Recipe,
  reinitialized,
} from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import type { Crew } from "../jobs/index.js";
import { readModel, writeModel } from "../onnx/index.js";
import { classifierOf } from "../operators/classifier.js";
import { findOperator } from "../operators/index.js";
import { type EpochLine, hasCheckpoint, runEpochs } from "./epochs.js";
import { checkWritable, writeJson } from "./files.js";
import { openModel } from "./open-model.js";
import { clearRunFolder, makeRunFolder, runFiles } from "./run-folder.js";
import { lockRunFolder } from "./run-lock.js";
import { dataForLoss, formFilesOf, helpersOf, openJudge, trainingLoader } from "./training-data.js";
import type { DataOptions, Progress } from "./types.js";

export interface FinetuneOptions {
  readonly model: string;
  readonly output: string;
  readonly runFolder: string;
  readonly data: DataOptions;
  /** Goes on from the run folder's checkpoint. */
  readonly resume?: boolean;
  /** A network to learn from; needed by losses that distil. */
  readonly teacher?: string;
  /** Default: cross-entropy where the data have labels and the network classifies, else distillation from the teacher. */
  readonly loss?: readonly LossTerm[];
  readonly recipe: Omit<Recipe, "loss">;
  readonly epochs: number;
  /** Draws all weights anew before the first step. */
  readonly reinitialize?: boolean;
  readonly augment?: Augmentation;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
  readonly threads?: number;
  /** Where it is kept between runs which ways to compute a layer are the fastest. */
  readonly cacheDir?: string;
  readonly seed?: number;
  /** Who evaluates, and makes the passes of steps of several batches; default this process. */
  readonly crew?: Crew;
  /** Milliseconds between checkpoints within an epoch. Default 60,000. */
  readonly checkpointMs?: number;
  /** What is written into the run's config beside the options: the command that began it. */
  readonly command?: object;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onWarning?: (message: string) => void;
  readonly onEpoch?: (line: EpochLine) => void;
  readonly clock?: () => number;
}

/** `halp.training/1` */
export interface FinetuneResult {
  readonly format: "halp.training/1";
  readonly accuracy: { readonly before: number | null; readonly after: number | null };
  readonly epochs: number;
  readonly steps: number;
  readonly skippedSteps: number;
  readonly parameters: number;
  readonly log: readonly EpochLine[];
  readonly output: string;
  readonly runFolder: string;
  readonly warnings: readonly string[];
}

/** @throws HalpError as `runEpochs`; HALP_LOSS, HALP_NO_GRADIENT and what models, data and files throw */
export async function finetune(options: FinetuneOptions): Promise<FinetuneResult> {
  const { runFolder, output, epochs } = options;
  const warnings: string[] = [];
  if (!(Number.isInteger(epochs) && epochs > 0))
    throw new HalpError("HALP_TRAINING_OPTION", `A training has 1 epoch or more; got ${epochs}.`);
  await checkWritable(output);
  await makeRunFolder(runFolder);
  await using _lock = await lockRunFolder(runFolder);
  if (options.resume && !(await hasCheckpoint(runFolder)))
    throw new HalpError("HALP_CHECKPOINT", `There is no checkpoint in ${runFolder} to go on from.`, {
      file: runFolder,
    });
  const analyzed = await openModel(options);
  const data = dataForLoss(options.data, options.loss);
  const judge = await openJudge(analyzed, data, options);
  const teacher = options.teacher === undefined ? undefined : await readModel(options.teacher);
  const loss = options.loss ?? defaultLoss(analyzed, judge.labelled, teacher);
  if (loss.some(needsTeacher) && !teacher)
    throw new HalpError("HALP_LOSS", "This loss learns from another network: name it with --teacher.");
  const network = options.reinitialize
    ? reinitialized(prepareForTraining(analyzed, findOperator), findOperator, options.seed ?? 0)
    : analyzed.model;
  await clearRunFolder(runFolder, options.resume ?? false);
  using training = await openTraining({
    model: network,
    inputDims: analyzed.inputDims,
    recipe: { ...options.recipe, loss },
    loader: trainingLoader(analyzed, data, options),
    threads: options.threads ?? 1,
    formFiles: formFilesOf(options),
    ...helpersOf(options),
    ...(teacher ? { teacher } : {}),
  });
  if (!options.resume) await writeJson(runFolder, runFiles.config, configOf(options, loss));
  const { log, accuracyBefore, steps, skippedSteps } = await runEpochs({
    ...options,
    training,
    ...(judge.accuracy ? { judge: judge.accuracy } : {}),
    resume: options.resume ?? false,
    onWarning: (message) => {
      warnings.push(message);
      options.onWarning?.(message);
    },
  });
  await writeModel(await training.model(), output);
  const result: FinetuneResult = {
    format: "halp.training/1",
    accuracy: { before: accuracyBefore, after: log.at(-1)?.accuracy ?? null },
    epochs,
    steps,
    skippedSteps,
    parameters: training.opened.parameterCount,
    log,
    output,
    runFolder,
    warnings,
  };
  await writeJson(runFolder, runFiles.result, result);
  return result;
}

function configOf(options: FinetuneOptions, loss: readonly LossTerm[]): object {
  const { signal: _s, onProgress: _p, onWarning: _w, onEpoch: _e, clock: _c, loss: _l, ...rest } = options;
  const { crew: _crew, ...config } = rest;
  return { format: "halp.config/1", ...config, loss: loss.map(describeTerm) };
}

/** A term as it can be written down: a graph by its name. */
function describeTerm(term: LossTerm): object {
  return term.kind === "graph" ? { ...term, model: term.model.graph.name } : term;
}

/** @throws HalpError HALP_LOSS where there is nothing to learn from */
export function defaultLoss(
  analyzed: AnalyzedGraph,
  labelled: boolean,
  teacher: Model | undefined,
): readonly LossTerm[] {
  const classifies = classifierOf(analyzed) !== undefined;
  if (labelled && classifies) return [{ kind: "cross-entropy" }];
  if (teacher) return classifies ? [{ kind: "soft-labels" }] : [{ kind: "outputs" }];
  throw new HalpError(
    "HALP_LOSS",
    `There is nothing to train on: ${classifies ? "the data have no labels" : "the network is no classifier"}. Name the original with --teacher, to learn from it, or give a loss with --train-loss FILE.onnx.`,
  );
}
