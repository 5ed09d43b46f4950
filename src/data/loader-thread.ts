/** The thread behind a loader: opens the data, and makes batches as long as there is room for them. */
import { parentPort, workerData } from "node:worker_threads";
import { HalpError } from "../errors.js";
import { augmenter } from "./augment.js";
import type { Batch, Dataset } from "./dataset.js";
import type { ErrorFields, FromThread, LoaderSpec, ToThread } from "./loader.js";
import { openDataset } from "./open-dataset.js";
import { createRandom } from "./random.js";

const spec = workerData as LoaderSpec;
const { ahead = 3, batchSize, seed } = spec;

const send = (message: FromThread, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);

/** The epoch asked for last; those before are given up. */
let turn = 0;
let room = 0;
let wake: (() => void) | undefined;

void start();

async function start(): Promise<void> {
  try {
    const dataset = await openDataset(spec.dataset);
    const augment = prepare(dataset);
    const { name, size, sampleDims, classes, classNames, labelled } = dataset;
    send({
      kind: "open",
      info: {
        name,
        size,
        sampleDims,
        labelled,
        ...(classes === undefined ? {} : { classes }),
        ...(classNames === undefined ? {} : { classNames }),
      },
    });
    let before: Promise<void> = Promise.resolve();
    parentPort?.on("message", (message: ToThread) => {
      if (message.kind === "taken") {
        if (message.turn === turn) room++;
        wake?.();
        return;
      }
      turn = message.turn;
      room = ahead;
      wake?.();
      const { epoch, from } = message;
      before = before.then(() => make(dataset, augment, message.turn, epoch, from));
    });
  } catch (e) {
    send({ kind: "error", turn: -1, error: fieldsOf(e) });
  }
}

/** The fill of padding is what a black pixel comes to. */
function prepare({ sampleDims }: Dataset) {
  const { normalize } = spec.dataset;
  const of = (list: readonly number[] | undefined, c: number, otherwise: number) =>
    list?.length === 1 ? (list[0] ?? otherwise) : (list?.[c] ?? otherwise);
  return augmenter(
    spec.augment ?? {},
    sampleDims,
    spec.dataset.layout ?? "NCHW",
    (c) => -of(normalize?.mean, c, 0) / of(normalize?.std, c, 1),
  );
}

async function make(
  dataset: Dataset,
  augment: ReturnType<typeof prepare>,
  own: number,
  epoch: number,
  from: number,
): Promise<void> {
  const shuffle = spec.shuffle ?? true;
  try {
    let number = from;
    for await (const batch of dataset.batches({
      batchSize,
      from,
      dropLast: spec.dropLast ?? true,
      ...(spec.limit === undefined ? {} : { limit: spec.limit, choiceSeed: seed }),
      ...(shuffle ? { shuffleSeed: mixed(seed, epoch) } : {}),
    })) {
      while (room === 0 && turn === own)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (turn !== own) return;
      augmentAll(batch, augment, createRandom(mixed(mixed(seed + 1, epoch), number)));
      room--;
      number++;
      const { images, labels } = batch;
      send({ kind: "batch", turn: own, batch }, [
        images.buffer as ArrayBuffer,
        ...(labels ? [labels.buffer as ArrayBuffer] : []),
      ]);
      // Messages that came meanwhile get their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    send({ kind: "end", turn: own });
  } catch (e) {
    send({ kind: "error", turn: own, error: fieldsOf(e) });
  }
}

function augmentAll(batch: Batch, augment: ReturnType<typeof prepare>, random: ReturnType<typeof createRandom>): void {
  const [count = 0, ...sample] = batch.dims;
  const size = sample.reduce((a, b) => a * b, 1);
  for (let i = 0; i < count; i++) augment(batch.images.subarray(i * size, (i + 1) * size), random.fork());
}

/** Another seed for every pair. */
function mixed(a: number, b: number): number {
  return createRandom(a).uint32() * 2 ** 20 + createRandom(b + 0x9e37).uint32() / 2 ** 12;
}

function fieldsOf(e: unknown): ErrorFields {
  if (!(e instanceof HalpError)) return { message: e instanceof Error ? e.message : String(e), exitCode: 1 };
  const { code, message, exitCode, file } = e;
  return { code, message, exitCode, ...(file === undefined ? {} : { file }) };
}
