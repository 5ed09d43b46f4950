/** Epochs of a training: driven in pieces, saved as they go, told of in a log; broken off and taken up again anywhere. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import { type ChunkReport, readMetadata, type Training } from "../finetune/index.js";
import { isNumber, parseJson } from "../json.js";
import { writeText } from "./files.js";
import { runFiles } from "./run-folder.js";
import type { Judge } from "./training-data.js";
import type { Progress } from "./types.js";

/** A line of `log.jsonl`. */
export interface EpochLine {
  readonly epoch: number;
  /** Steps since the beginning. */
  readonly step: number;
  /** Mean over the steps of the epoch. */
  readonly loss: number;
  /** Share of the training samples that were classified rightly as they went by. */
  readonly trainAccuracy: number | null;
  /** On the held-out data, with the running statistics. */
  readonly accuracy: number | null;
  readonly learningRate: number;
  readonly skippedSteps: number;
  readonly seconds: number;
}

export interface EpochsOptions {
  readonly training: Training;
  readonly runFolder: string;
  readonly epochs: number;
  /** Steps that a training took before its first epoch, and epochs of the data that they used up. */
  readonly before?: { readonly steps: number; readonly epochs: number };
  /** Accuracy on held-out data; absent where it cannot be told. */
  readonly judge?: Judge["accuracy"];
  readonly resume: boolean;
  /** Milliseconds between checkpoints within an epoch. Default 60,000. */
  readonly checkpointMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onWarning?: (message: string) => void;
  readonly onEpoch?: (line: EpochLine) => void;
  readonly clock?: () => number;
}

export interface EpochsResult {
  readonly log: readonly EpochLine[];
  readonly accuracyBefore: number | null;
  readonly steps: number;
  readonly skippedSteps: number;
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
  readonly accuracyBefore: number | null;
  /** That the epoch has taken, over all the processes that worked on it. */
  readonly seconds: number;
  /** Epochs that are over. Here, so that whoever goes on knows of all of them, whenever the run was killed. */
  readonly log: readonly EpochLine[];
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
  accuracyBefore: null,
  seconds: 0,
  log: [],
};

/** Steps in a row without a finite loss after which a training has failed. */
const hopeless = 10;
/** A piece of training that progress is told after, and that Ctrl-C waits for. */
const pieceMs = 2000;

/**
 * @throws HalpError HALP_TRAINING_DIVERGED where the loss stays NaN; HALP_CHECKPOINT where there is nothing to resume or it
 *   is of another training; HALP_DATA_EMPTY, HALP_DATA_OPTION where the data make no epoch
 */
export async function runEpochs(options: EpochsOptions): Promise<EpochsResult> {
  const { training, runFolder, signal, onProgress, clock = () => performance.now() } = options;
  const judge = async (phase: string) => (await options.judge?.(await training.model(), phase)) ?? null;
  const stepsPerEpoch = stepsOf(training);
  const first = options.before ?? { steps: 0, epochs: 0 };
  const totalSteps = first.steps + stepsPerEpoch * options.epochs;
  const checkpoint = join(runFolder, runFiles.checkpoint);
  const found = options.resume ? await readProgress(checkpoint) : undefined;
  if (found) await training.load(checkpoint);
  await writeLog(runFolder, found?.log ?? []);
  const accuracyBefore = found ? found.accuracyBefore : await judge("accuracy before");
  let at: Progression = found ?? { ...start, accuracyBefore };
  let savedAt = clock();
  let started = clock();
  const seconds = () => at.seconds + (clock() - started) / 1000;
  const save = async () => {
    await training.save(checkpoint, { progress: JSON.stringify({ ...at, seconds: seconds() }) });
    savedAt = clock();
  };
  /** What failed is not the training: its state is good, and kept. Where even that fails the checkpoint before is. */
  const keepAndThrow = async (error: unknown): Promise<never> => {
    await save().catch(() => {});
    throw error;
  };
  let inARow = 0;
  while (at.epoch < options.epochs) {
    started = clock();
    while (at.step < stepsPerEpoch) {
      if (signal?.aborted) {
        await save();
        throw signal.reason;
      }
      const request = {
        epoch: first.epochs + at.epoch,
        from: at.step,
        step: first.steps + at.epoch * stepsPerEpoch + at.step,
        totalSteps,
        steps: stepsPerEpoch - at.step,
        maxMs: pieceMs,
      };
      const piece = await training.train(request).catch(keepAndThrow);
      if (piece.steps === 0) break;
      inARow = piece.skipped === piece.steps ? inARow + piece.skipped : 0;
      if (inARow >= hopeless) throw diverged(inARow, at, checkpoint);
      at = advanced(at, piece);
      onProgress?.({
        phase: `epoch ${at.epoch + 1} of ${options.epochs}`,
        done: at.step,
        total: stepsPerEpoch,
        note: `loss ${piece.loss.toFixed(4)}`,
      });
      if (inARow === 0 && clock() - savedAt > (options.checkpointMs ?? 60_000)) await save();
    }
    const counted = at.step - at.skipped;
    const accuracy = await judge(`accuracy after epoch ${at.epoch + 1}`).catch(keepAndThrow);
    const line: EpochLine = {
      epoch: at.epoch + 1,
      step: first.steps + at.epoch * stepsPerEpoch + at.step,
      loss: counted > 0 ? at.lossSum / counted : Number.NaN,
      trainAccuracy: at.judged > 0 ? at.correct / at.judged : null,
      accuracy,
      learningRate: at.learningRate,
      skippedSteps: at.skipped,
      seconds: seconds(),
    };
    if (at.skipped > 0)
      options.onWarning?.(
        `${at.skipped} steps of epoch ${line.epoch} had a loss or gradient that is not finite; they changed nothing.`,
      );
    const log = [...at.log, line];
    at = { ...start, accuracyBefore, epoch: at.epoch + 1, skippedBefore: at.skippedBefore + at.skipped, log };
    started = clock();
    await save();
    await writeLog(runFolder, log);
    options.onEpoch?.(line);
  }
  return { log: at.log, accuracyBefore, steps: totalSteps, skippedSteps: at.skippedBefore };
}

/** Whether there is a checkpoint of epochs in a run folder. */
export async function hasCheckpoint(runFolder: string): Promise<boolean> {
  return (await stat(join(runFolder, runFiles.checkpoint)).catch(() => undefined)) !== undefined;
}

/** @throws HalpError HALP_DATA_EMPTY, HALP_DATA_OPTION */
export function stepsOf({ opened }: Training): number {
  const { stepsPerEpoch, samplesPerStep, data } = opened;
  if (stepsPerEpoch === 0)
    throw new HalpError(
      "HALP_DATA_EMPTY",
      `A step takes ${samplesPerStep} samples, and ${data} has fewer. Train on smaller batches.`,
    );
  if (!Number.isFinite(stepsPerEpoch))
    throw new HalpError(
      "HALP_DATA_OPTION",
      `${data} does not say how many samples it has. Say how many make an epoch with --limit.`,
    );
  return stepsPerEpoch;
}

function diverged(inARow: number, at: Progression, checkpoint: string): HalpError {
  return new HalpError(
    "HALP_TRAINING_DIVERGED",
    `The loss is not finite any more (${inARow} steps in a row, near step ${at.step} of epoch ${at.epoch + 1}). Lower --learning-rate, or clip the gradient with --clip; the last good state is in ${checkpoint}.`,
    { file: checkpoint, exitCode: 1 },
  );
}

function advanced(at: Progression, piece: ChunkReport): Progression {
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

/** How far a training has come. @throws HalpError HALP_CHECKPOINT where the checkpoint is damaged */
export async function readProgress(checkpoint: string): Promise<Progression> {
  const refuse = (cause?: unknown) =>
    new HalpError("HALP_CHECKPOINT", `${checkpoint} does not say how far its training has come. Begin it anew.`, {
      file: checkpoint,
      cause,
    });
  const metadata = await readMetadata(checkpoint);
  let progress: Progression;
  try {
    progress = { ...start, ...(parseJson(metadata.progress ?? "") as Partial<Progression>) };
  } catch (cause) {
    throw refuse(cause);
  }
  const { log, accuracyBefore, lossSum, ...counts } = progress;
  if (!Object.values(counts).every((n) => isNumber(n) && n >= 0)) throw refuse();
  if (!isNumber(lossSum) || !(accuracyBefore === null || isNumber(accuracyBefore))) throw refuse();
  if (!Array.isArray(log) || !log.every(isEpochLine)) throw refuse();
  return progress;
}

const epochFields = ["epoch", "step", "learningRate", "skippedSteps", "seconds"] as const;

/** Whether it is a line of a log. The loss is null where no step of the epoch had a finite one. */
export function isEpochLine(x: unknown): x is EpochLine {
  if (typeof x !== "object" || x === null) return false;
  const { loss, trainAccuracy, accuracy, ...line } = x as Partial<EpochLine>;
  return (
    epochFields.every((name) => isNumber(line[name])) &&
    [loss, trainAccuracy, accuracy].every((n) => n === null || isNumber(n))
  );
}

async function writeLog(folder: string, lines: readonly EpochLine[]): Promise<void> {
  await writeText(join(folder, runFiles.log), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}
