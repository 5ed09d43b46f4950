/** Batches for training, read and augmented in a thread of its own, ahead of the step that needs them. */
import { Worker } from "node:worker_threads";
import { HalpError } from "../errors.js";
import type { Augmentation } from "./augment.js";
import type { Batch, DatasetSpec } from "./dataset.js";

export interface LoaderSpec {
  readonly dataset: DatasetSpec;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: Augmentation;
  /** Samples in all: a choice that the seed makes, the same in every epoch. */
  readonly limit?: number;
  /** A new order every epoch. Default true. */
  readonly shuffle?: boolean;
  /** Leave out a last batch of fewer samples. Default true. */
  readonly dropLast?: boolean;
  /** Batches that are made ahead. Default 3. */
  readonly ahead?: number;
}

export interface LoaderInfo {
  readonly name: string;
  readonly size: number | undefined;
  readonly sampleDims: readonly number[];
  readonly classes?: number;
  readonly classNames?: readonly string[];
  readonly labelled: boolean;
}

/** Owns a thread: dispose of it. */
export interface Loader extends AsyncDisposable {
  readonly info: LoaderInfo;
  /**
   * Batches of an epoch, from batch `from` on. What they hold depends on the seed, the epoch and the batch's number alone, so
   * that any of them can be made again. One epoch at a time: what was left of the last is given up.
   */
  epoch(epoch: number, from?: number): AsyncIterable<Batch>;
}

/** From the thread. `turn`: the epoch asked for that it belongs to. */
export type FromThread =
  | { readonly kind: "open"; readonly info: LoaderInfo }
  | { readonly kind: "batch"; readonly turn: number; readonly batch: Batch }
  | { readonly kind: "end"; readonly turn: number }
  | { readonly kind: "error"; readonly turn: number; readonly error: ErrorFields };
/** To the thread. A batch taken is room for one more. */
export type ToThread =
  | { readonly kind: "epoch"; readonly turn: number; readonly epoch: number; readonly from: number }
  | { readonly kind: "taken"; readonly turn: number };

export interface ErrorFields {
  readonly code?: string;
  readonly message: string;
  readonly exitCode?: number;
  readonly file?: string;
}

/**
 * Opens the data in a thread.
 * @throws HalpError as openDataset; HALP_DATA_OPTION where samples are to be augmented that are no images
 */
export async function openLoader(spec: LoaderSpec): Promise<Loader> {
  const worker = new Worker(new URL("./loader-thread.js", import.meta.url), { workerData: spec });
  const waiting: ((message: FromThread) => void)[] = [];
  const arrived: FromThread[] = [];
  let failed: ErrorFields | undefined;
  const deliver = (message: FromThread) => {
    const next = waiting.shift();
    if (next) next(message);
    else arrived.push(message);
  };
  const fail = (error: ErrorFields) => {
    failed ??= error;
    for (const next of waiting.splice(0)) next({ kind: "error", turn: -1, error: failed });
  };
  worker.on("message", deliver);
  worker.on("error", (e: Error) => fail({ message: e.message, exitCode: 1 }));
  worker.on("exit", () => fail({ message: "The thread that reads the data has ended.", exitCode: 1 }));
  const receive = (): Promise<FromThread> => {
    const here = arrived.shift();
    if (here) return Promise.resolve(here);
    if (failed) return Promise.resolve({ kind: "error", turn: -1, error: failed });
    return new Promise((resolve) => waiting.push(resolve));
  };
  const tell = (message: ToThread) => worker.postMessage(message);

  const opened = await receive();
  if (opened.kind !== "open") {
    await worker.terminate();
    throw opened.kind === "error" ? errorOf(opened.error) : new Error(`unexpected ${opened.kind}`);
  }
  let turn = 0;
  async function* epoch(number: number, from = 0): AsyncGenerator<Batch> {
    const own = ++turn;
    tell({ kind: "epoch", turn: own, epoch: number, from });
    for (;;) {
      const message = await receive();
      if (message.kind === "error" && (message.turn === own || message.turn < 0)) throw errorOf(message.error);
      // What was on its way when a new epoch was asked for.
      if (!("turn" in message) || message.turn !== own) continue;
      if (message.kind !== "batch") return;
      tell({ kind: "taken", turn: own });
      yield message.batch;
    }
  }
  return {
    info: opened.info,
    epoch,
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}

function errorOf({ code, message, exitCode, file }: ErrorFields): HalpError {
  return new HalpError(code ?? "HALP_DATA_FORMAT", message, {
    exitCode: exitCode ?? 1,
    ...(file === undefined ? {} : { file }),
  });
}
