/** Whole networks timed against each other. */
import type { Model } from "../graph/ir.js";
import { spawnChild } from "./child.js";
import { watchConditions } from "./conditions.js";
import type { Pin, Pinned, PinTask } from "./pinning.js";
import { type Samples, summarize } from "./samples.js";
import { isLarge, type ModelSource, type StoredModel, storeModel } from "./stored-model.js";

export interface MeasureOptions {
  /** Dims of the inputs, by name; needed where a model leaves some open. The same for all models, or one per model. */
  readonly inputs?: InputDims | readonly InputDims[];
  /** Default 1. */
  readonly threads?: number;
  /** Samples per model at most. Default 60. */
  readonly samples?: number;
  /** Milliseconds after which no new round begins, once there are 10 samples. Default 10,000. */
  readonly limitMs?: number;
  /** Seed of the input data and the order. Default 0. */
  readonly seed?: number;
  /** Cores to measure on. Default "auto". */
  readonly pin?: Pin;
  readonly signal?: AbortSignal;
  /** Told where the machine makes the figures doubtful. */
  readonly onWarning?: (message: string) => void;
  readonly onProgress?: (done: number, total: number) => void;
}
export type InputDims = Readonly<Record<string, readonly number[]>>;

export interface ModelTimings {
  /** One entry per model, in the order given; nanoseconds per run. */
  readonly latencies: readonly Samples[];
  /** Of each model to the first: ratio of medians. */
  readonly ratios: readonly number[];
  /** Of each model to the first: summary of the ratios within one round, which a drift of the machine does not move. */
  readonly paired: readonly Samples[];
  /** Cores that were measured on; empty where nothing was pinned. */
  readonly cores: readonly number[];
}

/** @internal */
export interface MeasureTask {
  readonly models: readonly ModelSource[];
  readonly inputs: readonly InputDims[];
  readonly threads: number;
  readonly samples: number;
  readonly minSamples: number;
  readonly limitNs: number;
  readonly seed: number;
}
/** @internal Nanoseconds; `samples[model][round]`. */
export interface RawTimings {
  readonly samples: readonly (readonly number[])[];
}

/**
 * Times models in one child process, interleaved, in a new order each round, on random input data.
 * @throws HalpError HALP_RUNTIME_MISSING, HALP_RUNTIME_LOAD, HALP_RUNTIME_RUN, HALP_DYNAMIC_INPUT, HALP_PIN,
 *   HALP_CHILD_ENDED
 */
export async function measureModels(
  models: readonly (Model | ModelSource)[],
  options: MeasureOptions = {},
): Promise<ModelTimings> {
  const samples = options.samples ?? 60;
  const given = options.inputs ?? {};
  using stored = storeModels(models);
  const task: MeasureTask = {
    models: stored.sources,
    inputs: Array.isArray(given) ? given : models.map(() => given as InputDims),
    threads: options.threads ?? 1,
    samples,
    minSamples: Math.min(10, samples),
    limitNs: (options.limitMs ?? 10_000) * 1e6,
    seed: options.seed ?? 0,
  };
  using child = spawnChild(new URL("./measure-child.js", import.meta.url), {
    ...(options.signal ? { signal: options.signal } : {}),
    freeMemory: stored.sources.some(isLarge) ? "return-large" : "keep",
  });
  const warn = options.onWarning ?? (() => {});
  const pinTask: PinTask = { pin: options.pin ?? "auto", threads: task.threads };
  const { cores, reason } = await child.request<Pinned>("pin", pinTask);
  if (reason !== undefined) warn(reason);
  const endWatch = watchConditions(task.threads, warn);
  const raw = await child.request<RawTimings>("measure", task, (done) => options.onProgress?.(done as number, samples));
  endWatch();
  return { ...timingsOf(raw), cores };
}

function storeModels(models: readonly (Model | ModelSource)[]): Disposable & { readonly sources: ModelSource[] } {
  const stored: StoredModel[] = [];
  const dispose = () => {
    for (const s of stored) s[Symbol.dispose]();
  };
  try {
    for (const model of models) stored.push(storeModel(model));
    return { sources: stored.map((s) => s.source), [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The first model is the reference of all ratios. */
export function timingsOf(raw: RawTimings): Omit<ModelTimings, "cores"> {
  const latencies = raw.samples.map(summarize);
  const first = raw.samples[0] ?? [];
  return {
    latencies,
    ratios: latencies.map((l) => l.median / (latencies[0]?.median ?? Number.NaN)),
    paired: raw.samples.map((s) => summarize(s.map((v, i) => v / (first[i] ?? Number.NaN)))),
  };
}

export interface PairTimings {
  readonly dense: Samples;
  readonly pruned: Samples;
  /** Median of the pruned to median of the dense. */
  readonly ratio: number;
  /** Interquartile range of the ratios taken round by round. */
  readonly spread: number;
}

/** Two models against each other. @throws HalpError as {@link measureModels} */
export async function measurePair(
  dense: Model | ModelSource,
  pruned: Model | ModelSource,
  options: MeasureOptions = {},
): Promise<PairTimings> {
  return pairOf(await measureModels([dense, pruned], options));
}

/** The second of two models against the first. */
export function pairOf({ latencies, ratios, paired }: ModelTimings): PairTimings {
  const [a, b] = latencies;
  const p = paired[1];
  if (!a || !b || !p) throw new Error("there are timings of fewer than two models");
  return { dense: a, pruned: b, ratio: ratios[1] ?? Number.NaN, spread: p.q3 - p.q1 };
}
