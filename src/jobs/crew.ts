/** Who scores and evaluates: this process, or the workers of a fleet. The sums, and so the results, are the same. */

import { setImmediate } from "node:timers/promises";
import type { Dataset } from "../data/index.js";
import { HalpError } from "../errors.js";
import { type DataSource, type Evaluation, evaluate, evaluationOf, openSourcesOnce } from "../evaluation/index.js";
import type { Helpers } from "../finetune/index.js";
import type { Model } from "../graph/ir.js";
import { encodeModel } from "../onnx/index.js";
import { createSession } from "../runtime/index.js";
import {
  collectSaliency,
  prepareScoring,
  type Saliency,
  type SaliencyOptions,
  sumOfScores,
} from "../saliency/index.js";
import { hashOf } from "./blobs.js";
import { mostBatches } from "./check-task.js";
import { absolute, liesBelow, markOf } from "./data-access.js";
import type { Fleet } from "./fleet.js";
import { helpersOn } from "./helpers.js";
import type { SendOptions } from "./line.js";
import type { WorkerInfo } from "./names.js";
import type { EvaluateTask, ScoreTask, ShardTask } from "./tasks.js";

/** Batches of the size that the network was analysed with. */
export interface ScoreJob extends Omit<SaliencyOptions, "batches" | "batchCount"> {
  readonly data: DataSource;
  /** Samples at most. */
  readonly limit: number;
  readonly shuffleSeed: number;
  readonly onWarning?: (message: string) => void;
}

export interface EvaluateJob {
  readonly model: Model;
  readonly data: DataSource;
  /** That of the model, where it fixes one. */
  readonly batchSize: number;
  /** Samples at most. Default all. */
  readonly limit?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly onWarning?: (message: string) => void;
}

export interface Crew {
  /** @throws HalpError as collectSaliency and the data; of a fleet also HALP_NO_WORKERS, HALP_JOB_DATA, and as {@link Fleet.share} */
  score(job: ScoreJob): Promise<Saliency>;
  /** @throws HalpError as evaluate and the data; of a fleet likewise */
  evaluate(job: EvaluateJob): Promise<Evaluation>;
  /** Who makes the passes of a training's steps; absent where it makes all of them itself. */
  helpers?(controls: Pick<ScoreJob, "signal" | "onWarning">): Helpers;
}

/**
 * This process.
 * @param open for whoever reads the same data besides: a folder of a million images is listed once then
 */
export function localCrew(open = openSourcesOnce()): Crew {
  return {
    score: async ({ data, limit, shuffleSeed, ...options }) => {
      if (options.criterion !== "taylor") return await collectSaliency(options);
      const { signal } = options;
      const batchSize = batchOf(options);
      const dataset = await open(data);
      return await collectSaliency({
        ...options,
        batches: dataset.batches({ batchSize, limit, shuffleSeed, dropLast: true, ...(signal ? { signal } : {}) }),
        batchCount: Math.floor(Math.min(limit, dataset.size ?? limit) / batchSize),
      });
    },
    evaluate: async ({ model, data, threads = 1, ...options }) => {
      using session = createSession(model, { threads });
      return await evaluate({ ...options, session, dataset: await open(data) });
    },
  };
}

/** What a task ought to take: long against what a queue costs, short against what a lost worker costs. */
export const taskSeconds = 2;

/** The workers of a fleet that read data. */
export function crewOf(fleet: Fleet): Crew {
  const open = openSourcesOnce();
  /** What is the same in all tasks of a job, once it is sure that the workers may read the data. */
  const begin = async (source: DataSource, options: SendOptions) => {
    const data = withAbsolutePaths(source);
    const dataset = await open(data);
    const workers = await fleet.workers(options);
    checkAccess(data, workers);
    const machines = new Set(workers.map(({ cpu, runtime }) => `${cpu}, ${runtime}`));
    if (machines.size > 1)
      options.onWarning?.(
        `The workers are of ${machines.size} kinds (${[...machines].join("; ")}): which of them scores what may show in the last bits of the result.`,
      );
    return { dataset, shared: { data, mark: await markOf(dataset) } };
  };
  return {
    score: async (job) => {
      const { data: source, limit, shuffleSeed, signal, onProgress, onWarning, ...options } = job;
      if (options.criterion !== "taylor") return await collectSaliency(options);
      const sendOptions = controls({ signal, onWarning });
      const { dataset, shared } = await begin(source, sendOptions);
      const batchSize = batchOf(options);
      const scoring = prepareScoring(options, dataset.labelled);
      const graph = encodeModel(scoring.model);
      const recipe = Buffer.from(JSON.stringify(scoring.recipe));
      const blobs = new Map([graph, recipe].map((bytes) => [hashOf(bytes), bytes]));
      const [graphHash = "", recipeHash = ""] = blobs.keys();
      const total = Math.floor(Math.min(limit, dataset.size ?? limit) / batchSize);
      const shards = cutUp(total, ({ from, count }): ScoreTask => {
        const { threads = 1 } = options;
        return { ...shared, graph: graphHash, recipe: recipeHash, shuffleSeed, batchSize, threads, from, count };
      });
      const sum = sumOfScores(scoring.recipe.channelCount);
      let done = 0;
      for await (const { scores, seconds } of fleet.share("score", shards.next, { ...sendOptions, blobs })) {
        for (const text of scores) sum.add(text === null ? undefined : floats(text, scoring.recipe.channelCount));
        done += scores.length;
        shards.took(seconds / scores.length);
        onProgress?.({ done, total });
        await setImmediate();
      }
      return sum.importance(scoring);
    },
    evaluate: async ({ model, data: source, batchSize, limit, threads = 1, signal, onProgress, onWarning }) => {
      const sendOptions = controls({ signal, onWarning });
      const { dataset, shared } = await begin(source, sendOptions);
      if (dataset.size === undefined) throw unknownSize(dataset);
      const bytes = encodeModel(model);
      const blobs = new Map([[hashOf(bytes), bytes]]);
      const [hash = ""] = blobs.keys();
      const samples = Math.min(limit ?? Number.POSITIVE_INFINITY, dataset.size);
      const shards = cutUp(Math.ceil(samples / batchSize), ({ from, count }): EvaluateTask => {
        return { ...shared, model: hash, limit: samples, batchSize, threads, from, count };
      });
      const parts = [];
      let done = 0;
      for await (const { counts, seconds } of fleet.share("evaluate", shards.next, { ...sendOptions, blobs })) {
        parts.push(counts);
        done += counts.samples;
        shards.took((seconds * batchSize) / counts.samples);
        onProgress?.({ done, total: samples });
      }
      return evaluationOf(parts, dataset);
    },
    helpers: (given) => {
      const sendOptions = controls(given);
      const sharedOf = async (source: DataSource) => (await begin(source, sendOptions)).shared;
      return helpersOn(fleet, sharedOf, sendOptions);
    },
  };
}

/** Cuts batches into tasks of about {@link taskSeconds}, as far as it is known what a batch takes. */
function cutUp<T>(total: number, make: (part: Pick<ShardTask, "from" | "count">) => T) {
  let from = 0;
  let secondsEach = Number.POSITIVE_INFINITY;
  return {
    next: (workers: number): T | undefined => {
      if (from >= total) return undefined;
      // Towards the end tasks become small, so that nobody waits long for the last.
      const share = Math.ceil((total - from) / (2 * workers));
      const count = Math.max(1, Math.min(Math.floor(taskSeconds / secondsEach), share, mostBatches));
      const task = make({ from, count });
      from += count;
      return task;
    },
    took: (seconds: number) => {
      secondsEach = Math.max(seconds, 1e-6);
    },
  };
}

/** Of a job, for all its tasks. */
function controls({
  signal,
  onWarning,
}: { [name in "signal" | "onWarning"]?: ScoreJob[name] | undefined }): SendOptions {
  return { ...(signal ? { signal } : {}), ...(onWarning ? { onWarning } : {}) };
}

/** @throws HalpError HALP_JOB_RESULT */
function floats(base64: string, count: number): Float64Array {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== 8 * count)
    throw new HalpError("HALP_JOB_RESULT", "A worker answers with scores of another network.", { exitCode: 1 });
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const batchOf = ({ analyzed }: Pick<SaliencyOptions, "analyzed">): number =>
  [...analyzed.inputDims.values()][0]?.[0] ?? 1;

/** Workers have another working directory. */
function withAbsolutePaths(source: DataSource): DataSource {
  if (source.kind === "drawn") return source;
  const { labels, ...spec } = source.spec;
  return {
    kind: "stored",
    spec: { ...spec, path: absolute(spec.path), ...(labels === undefined ? {} : { labels: absolute(labels) }) },
  };
}

/** @throws HalpError HALP_JOB_DATA */
function checkAccess(source: DataSource, workers: readonly WorkerInfo[]): void {
  if (source.kind === "drawn") return;
  const { path } = source.spec;
  for (const { name, data } of workers)
    if (!data?.some((root) => liesBelow(path, root)))
      throw new HalpError(
        "HALP_JOB_DATA",
        `The worker ${name} may not read ${path}. Start it with --data-root ${path}, or a folder that it lies below.`,
        { name, exitCode: 1 },
      );
}

function unknownSize({ name }: Dataset): HalpError {
  return new HalpError("HALP_JOB_DATA", `${name} cannot be shared out: nobody knows how many samples it holds.`);
}
