/** Work that can be done on another machine. A task says all that it needs; blobs it names by the SHA-256 of their bytes. */
import type { BatchOptions } from "../data/index.js";
import type { DataSource, RankCounts } from "../evaluation/index.js";
import type { Item, TableDevice, TableEntry } from "../latency/index.js";
import type { InputDims, ModelTimings, Pin } from "../runtime/index.js";

/** How layers are timed. */
export interface MeterTask {
  /** Threads that the network runs on. */
  readonly threads: number;
  readonly pin: Pin;
  /** Milliseconds to wait for other work on the machine to pause. */
  readonly patienceMs?: number;
  readonly bankMs?: number;
  readonly bankLayers?: number;
}

export interface MeasureLayersTask extends MeterTask {
  /** That of the table, as the same machine described it. */
  readonly device: TableDevice;
  readonly layers: readonly Item[];
}

export interface MeasureModelsTask {
  /** SHA-256 of each, in hexadecimal. */
  readonly models: readonly string[];
  /** One set for all, or one for each model. */
  readonly inputs: InputDims | readonly InputDims[];
  readonly threads: number;
  readonly pin: Pin;
  readonly seed: number;
  readonly samples?: number;
  readonly limitMs?: number;
}

/** Which batches of which data. */
export interface ShardTask {
  readonly data: DataSource;
  /** Of the data, as the one who asks found them. */
  readonly mark: DataMark;
  readonly batchSize: number;
  /** The first batch, and how many. */
  readonly from: number;
  readonly count: number;
  readonly threads: number;
}

/** What tells data from other data: how many samples, and a SHA-256 of the first of them and their labels. */
export interface DataMark {
  readonly size: number | null;
  readonly sha256: string;
}

export interface ScoreTask extends ShardTask {
  /** SHA-256 of a score graph, and of its recipe as JSON. */
  readonly graph: string;
  readonly recipe: string;
  readonly shuffleSeed: number;
}

export interface EvaluateTask extends ShardTask {
  /** SHA-256 of a model. */
  readonly model: string;
  /** Samples in all, over all shards. */
  readonly limit?: number;
}

/** The pass of one batch through a training graph: `count` is 1. */
export interface PassTask extends ShardTask {
  /** SHA-256 of a training graph, of its recipe as JSON, and of the weights, float32 in little-endian order. */
  readonly graph: string;
  readonly recipe: string;
  readonly weights: string;
  /** Which samples, in which order, changed how. */
  readonly samples: Pick<BatchOptions, "limit" | "choiceSeed" | "shuffleSeed" | "augment">;
}

export interface PassResult {
  readonly loss: number;
  readonly terms: readonly number[];
  readonly correct?: number;
  /** SHA-256 of gradients and scores, float32 in little-endian order; lies with the run's blobs. */
  readonly packed: string;
}

export interface ScoreResult {
  /** For each batch its scores, float64 in little-endian order as base64; null where they are not finite. */
  readonly scores: readonly (string | null)[];
  readonly seconds: number;
}

export interface EvaluateResult {
  readonly counts: RankCounts;
  readonly seconds: number;
}

export interface Tasks {
  /** What a table needs to know of the device. */
  readonly describe: { readonly task: MeterTask; readonly result: TableDevice };
  /** Layers in groups that belong together. */
  readonly "measure-layers": { readonly task: MeasureLayersTask; readonly result: readonly [string, TableEntry][] };
  /** Whole networks against each other. */
  readonly "measure-models": { readonly task: MeasureModelsTask; readonly result: ModelTimings };
  readonly score: { readonly task: ScoreTask; readonly result: ScoreResult };
  readonly evaluate: { readonly task: EvaluateTask; readonly result: EvaluateResult };
  readonly pass: { readonly task: PassTask; readonly result: PassResult };
}
export type TaskName = keyof Tasks;
export type TaskOf<N extends TaskName> = Tasks[N]["task"];
export type ResultOf<N extends TaskName> = Tasks[N]["result"];

/** What a task is done with. */
export interface TaskContext {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  /** What has this hash. @throws HalpError HALP_JOB_GONE where nobody has it */
  readonly blob: (sha256: string) => Promise<Uint8Array>;
  /** Lays bytes down for whoever asked; they take them from there. @returns their SHA-256 */
  readonly give: (bytes: Uint8Array) => Promise<string>;
}

/** The fingerprint of a device that goes by a name. */
export const namedFingerprint = (fingerprint: string, name: string): string => `${fingerprint}@${name}`;
