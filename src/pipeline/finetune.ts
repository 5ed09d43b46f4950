/** `halp finetune`: a network trained on data, epoch by epoch, in a run folder from which it can go on. */
import { appendFile, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Augmentation, LoaderSpec } from "../data/index.js";
import { HalpError } from "../errors.js";
import { evaluate, openForModel, specForModel } from "../evaluation/index.js";
import {
  type LossTerm,
  needsTeacher,
  openTraining,
  prepareForTraining,
  type Recipe,
  readTensors,
  reinitialized,
  type Training,
} from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { analyzeGraph } from "../graph/infer.js";
import type { Model } from "../graph/ir.js";
import { readModel, writeModel } from "../onnx/index.js";
import { classifierOf } from "../operators/classifier.js";
import { findOperator } from "../operators/index.js";
import { createSession } from "../runtime/index.js";
import { checkWritable, makeRunFolder, writeJson } from "./files.js";
import { openModel } from "./open-model.js";
import type { DataOptions, Progress } from "./types.js";

export interface FinetuneOptions {
  readonly model: string;
  readonly output: string;
  readonly runFolder: string;
  readonly data: DataOptions;
  /** Goes on from the run folder's checkpoint, where there is one. */
  readonly resume?: boolean;
  /** A network to learn from; needed by losses that distil. */
  readonly teacher?: string;
  /** Default: cross-entropy where the data have labels and the network classifies, else the teacher's outputs. */
  readonly loss?: readonly LossTerm[];
  readonly recipe: Omit<Recipe, "loss">;
  readonly epochs: number;
  /** Draws all weights anew before the first step. */
  readonly reinitialize?: boolean;
  readonly augment?: Augmentation;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
  readonly threads?: number;
  readonly seed?: number;
  /** Milliseconds between checkpoints within an epoch. Default 60,000. */
  readonly checkpointMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onWarning?: (message: string) => void;
  readonly onEpoch?: (line: EpochLine) => void;
  readonly clock?: () => number;
}

/** A line of `log.jsonl`. */
export interface EpochLine {
  readonly epoch: number;
  /** Steps since the beginning. */
  readonly step: number;
  readonly loss: number;
  /** Share of the training samples that were classified rightly as they went by. */
  readonly trainAccuracy: number | null;
  /** On the held-out data, with the running statistics. */
  readonly accuracy: number | null;
  readonly learningRate: number;
  readonly skippedSteps: number;
  readonly seconds: number;
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

const files = { checkpoint: "checkpoint.safetensors", log: "log.jsonl", config: "config.json" };
/** Steps in a row without a finite loss after which a training has failed. */
const hopeless = 10;
/** A piece of training that progress is told after, and that Ctrl-C waits for. */
const pieceMs = 2000;

/**
 * @throws HalpError HALP_TRAINING_DIVERGED where the loss stays NaN; HALP_CHECKPOINT where there is nothing to resume or it
 *   is of another training; HALP_LOSS, HALP_NO_GRADIENT and what models, data and files throw
 */
export async function finetune(options: FinetuneOptions): Promise<FinetuneResult> {
  const { runFolder, output, signal, onProgress } = options;
  const clock = options.clock ?? (() => performance.now());
  const warnings: string[] = [];
  const warn = (message: string) => {
    warnings.push(message);
    options.onWarning?.(message);
  };
  if (!(Number.isInteger(options.epochs) && options.epochs > 0))
    throw new HalpError("HALP_TRAINING_OPTION", `A training has 1 epoch or more; got ${options.epochs}.`);
  await checkWritable(output);
  await makeRunFolder(runFolder);
  const checkpoint = join(runFolder, files.checkpoint);
  const found = options.resume ? await readProgress(checkpoint) : undefined;
  if (options.resume && !found)
    throw new HalpError("HALP_CHECKPOINT", `There is no checkpoint in ${runFolder} to go on from.`, {
      file: checkpoint,
    });
  const analyzed = await openModel(options);
  const batchSize = [...analyzed.inputDims.values()][0]?.[0] ?? 1;
  const judge = await openJudge(analyzed, options.data);
  const teacher = options.teacher === undefined ? undefined : await readModel(options.teacher);
  const loss = options.loss ?? defaultLoss(analyzed, judge.labelled, teacher);
  if (loss.some(needsTeacher) && !teacher)
    throw new HalpError("HALP_LOSS", "This loss learns from another network: name it with --teacher.");
  const accuracyOf = judge.labelled && classifierOf(analyzed) ? judge.accuracy : async () => null;

  const network = options.reinitialize ? drawn(analyzed, options.seed ?? 0) : analyzed.model;
  using training = await openTraining({
    model: network,
    inputDims: analyzed.inputDims,
    recipe: { ...options.recipe, loss },
    loader: loaderOf(analyzed, options, batchSize),
    threads: options.threads ?? 1,
    ...(teacher ? { teacher } : {}),
  });
  const { stepsPerEpoch, parameterCount } = training.opened;
  if (stepsPerEpoch === 0)
    throw new HalpError(
      "HALP_DATA_EMPTY",
      `A step takes ${training.opened.samplesPerStep} samples, and ${training.opened.data} has fewer. Lower --batch or --accumulate.`,
    );
  if (!Number.isFinite(stepsPerEpoch))
    throw new HalpError(
      "HALP_DATA_OPTION",
      `${training.opened.data} does not say how many samples it has. Say how many make an epoch with --limit.`,
    );
  const totalSteps = stepsPerEpoch * options.epochs;
  let log: EpochLine[] = [];
  let at: Progression = found ?? start;
  if (found) {
    await training.load(checkpoint);
    log = (await readLog(runFolder)).filter((line) => line.epoch <= found.epoch);
    await writeLog(runFolder, log);
  } else {
    const { signal: _s, onProgress: _p, onWarning: _w, onEpoch: _e, clock: _c, loss: _l, ...config } = options;
    const terms = loss.map((term) => (term.kind === "graph" ? { ...term, model: "(a graph)" } : term));
    await writeJson(runFolder, files.config, { format: "halp.config/1", ...config, loss: terms });
    await writeLog(runFolder, []);
  }
  const before = found ? found.before : await accuracyOf(network, options, "accuracy before");
  at = { ...at, before };

  let savedAt = clock();
  const save = async () => {
    await training.save(checkpoint, { progress: JSON.stringify(at) });
    savedAt = clock();
  };
  let inARow = 0;
  while (at.epoch < options.epochs) {
    const started = clock();
    // In an epoch that was broken off the sums go on where they were.
    while (at.step < stepsPerEpoch) {
      if (signal?.aborted) {
        await save();
        throw signal.reason;
      }
      const piece = await training.train({
        epoch: at.epoch,
        from: at.step,
        step: at.epoch * stepsPerEpoch + at.step,
        totalSteps,
        steps: stepsPerEpoch - at.step,
        maxMs: pieceMs,
      });
      if (piece.steps === 0) break;
      inARow = piece.skipped === piece.steps ? inARow + piece.skipped : 0;
      if (inARow >= hopeless)
        throw new HalpError(
          "HALP_TRAINING_DIVERGED",
          `The loss is not finite any more (${inARow} steps in a row, the last at step ${at.step + piece.steps} of epoch ${at.epoch + 1}). Lower --learning-rate, or clip the gradient with --clip; the last good state is in ${checkpoint}.`,
          { file: checkpoint, exitCode: 1 },
        );
      at = advanced(at, piece);
      const done = at.epoch * stepsPerEpoch + at.step;
      onProgress?.({
        phase: `epoch ${at.epoch + 1} of ${options.epochs}`,
        note: `loss ${piece.loss.toFixed(4)}`,
        done,
        total: totalSteps,
      });
      if (inARow === 0 && clock() - savedAt > (options.checkpointMs ?? 60_000)) await save();
    }
    const counted = at.step - at.skipped;
    const accuracy = await accuracyOf(await training.model(), options, `accuracy after epoch ${at.epoch + 1}`);
    const line: EpochLine = {
      epoch: at.epoch + 1,
      step: at.epoch * stepsPerEpoch + at.step,
      loss: counted > 0 ? at.lossSum / counted : Number.NaN,
      trainAccuracy: at.judged > 0 ? at.correct / at.judged : null,
      accuracy,
      learningRate: at.learningRate,
      skippedSteps: at.skipped,
      seconds: (clock() - started) / 1000,
    };
    if (at.skipped > 0)
      warn(
        `${at.skipped} steps of epoch ${line.epoch} had a loss or gradient that is not finite; they changed nothing.`,
      );
    at = { ...start, before, epoch: at.epoch + 1, skippedBefore: at.skippedBefore + at.skipped };
    await save();
    log.push(line);
    await appendFile(join(runFolder, files.log), `${JSON.stringify(line)}\n`);
    options.onEpoch?.(line);
  }
  const trained = await training.model();
  await writeModel(trained, output);
  const result: FinetuneResult = {
    format: "halp.training/1",
    accuracy: { before, after: log.at(-1)?.accuracy ?? null },
    epochs: options.epochs,
    steps: totalSteps,
    skippedSteps: at.skippedBefore,
    parameters: parameterCount,
    log,
    output,
    runFolder,
    warnings,
  };
  await writeJson(runFolder, "result.json", result);
  return result;
}

/** How far a training has come; lies in the checkpoint. */
interface Progression {
  readonly epoch: number;
  /** Of the epoch. */
  readonly step: number;
  readonly lossSum: number;
  readonly correct: number;
  readonly judged: number;
  readonly skipped: number;
  readonly skippedBefore: number;
  readonly learningRate: number;
  readonly before: number | null;
}

const start: Progression = {
  epoch: 0,
  step: 0,
  lossSum: 0,
  correct: 0,
  judged: 0,
  skipped: 0,
  skippedBefore: 0,
  learningRate: 0,
  before: null,
};

function advanced(at: Progression, piece: Awaited<ReturnType<Training["train"]>>): Progression {
  const counted = piece.steps - piece.skipped;
  return {
    ...at,
    step: at.step + piece.steps,
    lossSum: at.lossSum + (counted > 0 ? piece.loss * counted : 0),
    correct: at.correct + (piece.correct ?? 0),
    judged: at.judged + (piece.correct === undefined ? 0 : piece.samples),
    skipped: at.skipped + piece.skipped,
    learningRate: piece.learningRate,
  };
}

function drawn(analyzed: AnalyzedGraph, seed: number): Model {
  const prepared = analyzeGraph(prepareForTraining(analyzed, findOperator), findOperator, analyzed);
  return reinitialized(prepared, findOperator, seed);
}

function dataFor(analyzed: AnalyzedGraph, data: DataOptions, split: "train" | "test") {
  const { limit: _, ...source } = data;
  const classifier = classifierOf(analyzed);
  const dims = [...analyzed.inputDims.values()][0] ?? [];
  return [dims, { ...source, split, ...(classifier ? { classes: classifier.classes } : {}) }] as const;
}

function loaderOf(analyzed: AnalyzedGraph, options: FinetuneOptions, batchSize: number): LoaderSpec {
  return {
    dataset: specForModel(...dataFor(analyzed, options.data, "train")),
    batchSize,
    seed: options.seed ?? 0,
    ...(options.augment ? { augment: options.augment } : {}),
    ...(options.data.limit === undefined ? {} : { limit: options.data.limit }),
  };
}

/** What a network is judged on: the held-out part of the data, or the same where the source has one part only. */
async function openJudge(analyzed: AnalyzedGraph, data: DataOptions) {
  const dataset = await openForModel(...dataFor(analyzed, data, "test"));
  const batchSize = [...analyzed.inputDims.values()][0]?.[0] ?? 1;
  return {
    labelled: dataset.labelled,
    accuracy: async (model: Model, options: FinetuneOptions, phase: string): Promise<number | null> => {
      using session = createSession(model, { threads: options.threads ?? 1 });
      const { top1 } = await evaluate({
        session,
        dataset,
        batchSize,
        ...(options.signal ? { signal: options.signal } : {}),
        onProgress: ({ done, total }) => options.onProgress?.({ phase, done, total }),
      });
      return top1;
    },
  };
}

async function readProgress(checkpoint: string): Promise<Progression | undefined> {
  if (!(await stat(checkpoint).catch(() => undefined))) return undefined;
  const { metadata } = await readTensors(checkpoint);
  try {
    return { ...start, ...(JSON.parse(metadata.progress ?? "") as Partial<Progression>) };
  } catch (cause) {
    throw new HalpError("HALP_CHECKPOINT", `${checkpoint} does not say how far its training has come.`, {
      file: checkpoint,
      cause,
    });
  }
}

async function readLog(folder: string): Promise<EpochLine[]> {
  const text = await readFile(join(folder, files.log), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as EpochLine];
    } catch {
      return []; // The last line of a run that was killed may be cut.
    }
  });
}

async function writeLog(folder: string, lines: readonly EpochLine[]): Promise<void> {
  const path = join(folder, files.log);
  await writeFile(`${path}.tmp`, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await rename(`${path}.tmp`, path);
}

function defaultLoss(analyzed: AnalyzedGraph, labelled: boolean, teacher: Model | undefined): readonly LossTerm[] {
  const classifies = classifierOf(analyzed) !== undefined;
  if (labelled && classifies) return [{ kind: "cross-entropy" }];
  if (teacher) return classifies ? [{ kind: "soft-labels" }] : [{ kind: "outputs" }];
  throw new HalpError(
    "HALP_LOSS",
    `There is nothing to train on: ${classifies ? "the data have no labels" : "the network is no classifier"}. Name the original with --teacher, to learn from it, or give a loss with --loss FILE.onnx.`,
  );
}
