/** The thread behind a loader: opens the data, and makes batches as long as there is room for them. */
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { checkAugmentation } from "./augment.js";
import type { Batch, BatchOptions, Dataset } from "./dataset.js";
import { epochOptions, type FromThread, fieldsOf, type LoaderSpec, type ToThread } from "./loader.js";
import { openDataset } from "./open-dataset.js";

const spec = workerData as LoaderSpec;

const send = (message: FromThread, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);

/** The epoch asked for last; those before are given up. 0: none. */
let turn = 0;
let room = 0;
let wake: (() => void) | undefined;

void start();

async function start(): Promise<void> {
  let dataset: Dataset;
  try {
    dataset = await openDataset(spec.dataset);
    const { sampleDims, labelDims } = dataset;
    checkAugmentation(spec.augment ?? {}, sampleDims, spec.dataset.layout ?? "NCHW", labelDims);
  } catch (e) {
    send({ kind: "error", error: fieldsOf(e) });
    return;
  }
  let before = Promise.resolve();
  parentPort?.on("message", (message: ToThread) => {
    if (message.kind === "epoch") {
      turn = message.turn;
      room = spec.ahead ?? 3;
      before = before.then(() => make(dataset, message.turn, message.epoch, message.from));
    } else if (message.turn === turn) {
      if (message.kind === "taken") room++;
      else turn = 0;
    }
    wake?.();
  });
  const { name, size, sampleDims, classes, classNames, labelled, labelDims } = dataset;
  const named = {
    ...(classes === undefined ? {} : { classes }),
    ...(classNames === undefined ? {} : { classNames }),
    ...(labelDims === undefined ? {} : { labelDims }),
  };
  send({ kind: "open", info: { name, size, sampleDims, labelled, ...named } });
}

async function make(dataset: Dataset, own: number, epoch: number, from: number): Promise<void> {
  try {
    if (turn !== own) return;
    for await (const batch of everyNth(dataset, epochOptions(spec, epoch), from, spec.stride ?? 1)) {
      if (turn !== own) return;
      const { images, labels, labelArray } = batch;
      room--;
      send({ kind: "batch", turn: own, batch }, [
        images.buffer as ArrayBuffer,
        ...(labels ? [labels.buffer as ArrayBuffer] : []),
        ...(labelArray ? [labelArray.data.buffer as ArrayBuffer] : []),
      ]);
      // Messages that came meanwhile get their turn.
      await setImmediate();
      while (room === 0 && turn === own)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (turn !== own) return;
    }
    send({ kind: "end", turn: own });
  } catch (e) {
    send({ kind: "error", turn: own, error: fieldsOf(e) });
  }
}

async function* everyNth(dataset: Dataset, options: BatchOptions, from: number, n: number): AsyncGenerator<Batch> {
  if (n === 1) return yield* dataset.batches({ ...options, from });
  for (let at = from; ; at += n) {
    let isThere = false;
    for await (const batch of dataset.batches({ ...options, from: at })) {
      isThere = true;
      yield batch;
      break;
    }
    if (!isThere) return;
  }
}
