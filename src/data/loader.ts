/** Batches for training, read and augmented in a thread of its own, ahead of the step that needs them. */
import { Worker } from "node:worker_threads";
import { HalpError, type PlainError, plainError } from "../errors.js";
import type { Augmentation } from "./augment.js";
import { checkBatchOptions } from "./batching.js";
import type { Batch, BatchOptions, DatasetSpec } from "./dataset.js";
import { optionError } from "./errors.js";
import { deriveSeed } from "./random.js";

export interface LoaderSpec {
  readonly dataset: DatasetSpec;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: Augmentation;
  /**
   * Samples in all: a choice that the seed makes, the same in every epoch. Of a data module, which has an order of its own,
   * the first ones.
   */
  readonly limit?: number;
  /** A new order every epoch. Default true. */
  readonly shuffle?: boolean;
  /** Leave out a last batch of fewer samples. Default true. */
  readonly dropLast?: boolean;
  /** Batches that are made ahead, at least 1. Default 3. */
  readonly ahead?: number;
  /** Of so many batches only the first is made, from where an epoch begins. Default 1: all are. */
  readonly stride?: number;
}

/** How the batches of an epoch are asked of the data set: whoever asks so gets the same. */
export function epochOptions(spec: LoaderSpec, epoch: number): BatchOptions {
  const { batchSize, seed, augment, limit, shuffle = true, dropLast = true } = spec;
  return {
    batchSize,
    dropLast,
    ...(limit === undefined ? {} : { limit, choiceSeed: deriveSeed(seed, 2) }),
    ...(shuffle ? { shuffleSeed: deriveSeed(seed, epoch, 0) } : {}),
    ...(augment ? { augment: { by: augment, seed: deriveSeed(seed, epoch, 1) } } : {}),
  };
}

export interface LoaderInfo {
  readonly name: string;
  /** Of the whole data set, without `limit`. */
  readonly size: number | undefined;
  readonly sampleDims: readonly number[];
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly labelled: boolean;
  readonly labelDims?: readonly number[];
}

/** Owns a thread: dispose of it. One that is forgotten does not keep the process alive. */
export interface Loader extends AsyncDisposable {
  readonly info: LoaderInfo;
  /**
   * Batches of an epoch, from batch `from` on. The order depends on the seed and the epoch alone, how a sample is changed on
   * these and the sample: any batch can be made again. One epoch at a time: the iteration of an earlier one ends.
   * @throws HalpError as `Dataset.batches`; HALP_DATA_LOADER (exit code 1) where the thread broke down or was disposed of
   */
  epoch(epoch: number, from?: number): AsyncIterable<Batch>;
}

/** From the thread. `turn`: which of the epochs that were asked for it belongs to; none while the data is opened. */
export type FromThread =
  | { readonly kind: "open"; readonly info: LoaderInfo }
  | { readonly kind: "batch"; readonly turn: number; readonly batch: Batch }
  | { readonly kind: "end"; readonly turn: number }
  | { readonly kind: "error"; readonly turn?: number; readonly error: ErrorFields };
/** To the thread. A batch taken is room for one more. */
export type ToThread =
  | { readonly kind: "epoch"; readonly turn: number; readonly epoch: number; readonly from: number }
  | { readonly kind: "taken"; readonly turn: number }
  | { readonly kind: "stop"; readonly turn: number };

/** An error as it crosses the thread's border. Without `code` it was no HalpError. */
export type ErrorFields = (PlainError | { readonly code?: undefined; readonly message: string }) & {
  readonly stack?: string;
};

/** What has come for one epoch, or for the opening, and who waits for more. */
interface Inbox {
  readonly turn: number;
  readonly arrived: FromThread[];
  wake?: () => void;
}

/**
 * Opens the data in a thread.
 * @param signal aborted: the thread ends, and whoever waits for it gets the signal's reason
 * @throws HalpError as openDataset; HALP_DATA_OPTION for options that make no sense, and for augmentation of what is no image
 */
export async function openLoader(spec: LoaderSpec, signal?: AbortSignal): Promise<Loader> {
  const { ahead = 3, seed, batchSize, limit } = spec;
  checkBatchOptions({ batchSize, ...(limit === undefined ? {} : { limit }) });
  if (!Number.isInteger(ahead) || ahead < 1) throw optionError(`At least 1 batch is made ahead; got ${ahead}.`);
  if (!Number.isFinite(seed)) throw optionError(`A seed is a finite number; got ${seed}.`);
  signal?.throwIfAborted();

  const worker = new Worker(new URL("./loader-thread.js", import.meta.url), { workerData: spec });
  let inbox: Inbox = { turn: 0, arrived: [] };
  /** Why nothing comes any more. */
  let over: { readonly reason: unknown } | undefined;
  const wake = () => {
    inbox.wake?.();
    delete inbox.wake;
  };
  const end = (reason: unknown) => {
    over ??= { reason };
    signal?.removeEventListener("abort", abort);
    wake();
  };
  const abort = () => {
    end(signal?.reason);
    void worker.terminate();
  };
  signal?.addEventListener("abort", abort);
  worker.on("message", (message: FromThread) => {
    if ("turn" in message && message.turn !== undefined && message.turn !== inbox.turn) return;
    inbox.arrived.push(message);
    wake();
  });
  worker.on("error", (e: unknown) => end(errorOf(fieldsOf(e))));
  worker.on("exit", () => end(loaderError("The thread that reads the data has ended.")));

  /** undefined: a later epoch was asked for. */
  const receive = async (own: Inbox): Promise<FromThread | undefined> => {
    for (;;) {
      if (own !== inbox) return undefined;
      // An abort goes before what is there already; a broken thread goes after.
      if (signal?.aborted) throw signal.reason;
      const message = own.arrived.shift();
      if (message?.kind === "error") throw errorOf(message.error);
      if (message) return message;
      if (over) throw over.reason;
      worker.ref();
      await new Promise<void>((resolve) => {
        own.wake = resolve;
      });
      // A thread that is being ended is waited for.
      if (!over) worker.unref();
    }
  };
  const tell = (message: ToThread) => worker.postMessage(message);

  async function* epoch(number: number, from = 0): AsyncGenerator<Batch> {
    if (!Number.isInteger(number) || number < 0) throw optionError(`Epochs are numbered from 0 on; got ${number}.`);
    const own: Inbox = { turn: inbox.turn + 1, arrived: [] };
    wake();
    inbox = own;
    tell({ kind: "epoch", turn: own.turn, epoch: number, from });
    try {
      for (;;) {
        const message = await receive(own);
        if (message?.kind !== "batch") return;
        tell({ kind: "taken", turn: own.turn });
        yield message.batch;
      }
    } finally {
      own.arrived.length = 0;
      tell({ kind: "stop", turn: own.turn });
    }
  }

  try {
    const opened = await receive(inbox);
    if (opened?.kind !== "open") throw loaderError("The thread that reads the data answered out of turn.");
    return {
      info: opened.info,
      epoch,
      [Symbol.asyncDispose]: async () => {
        inbox.arrived.length = 0;
        end(loaderError("The loader was disposed of."));
        await worker.terminate();
      },
    };
  } catch (e) {
    end(e);
    await worker.terminate();
    throw e;
  }
}

export function fieldsOf(e: unknown): ErrorFields {
  if (!(e instanceof Error)) return { message: String(e) };
  const stack = e.stack === undefined ? {} : { stack: e.stack };
  return e instanceof HalpError ? { ...plainError(e), ...stack } : { message: e.message, ...stack };
}

function errorOf({ stack, ...error }: ErrorFields): HalpError {
  const cause = new Error(error.message);
  if (stack !== undefined) cause.stack = stack;
  if (error.code === undefined) return loaderError(`Reading the data failed: ${error.message}`, cause);
  const { code, message, ...fields } = error;
  return new HalpError(code, message, { ...fields, cause });
}

function loaderError(message: string, cause?: unknown): HalpError {
  return new HalpError("HALP_DATA_LOADER", message, { exitCode: 1, cause });
}
