/** Data of a run: what importance is taken from, and what the networks are judged on. */
import { setImmediate } from "node:timers/promises";
import type { Coupling } from "../coupling/index.js";
import type { Batch, Dataset } from "../data/index.js";
import {
  compareOutputs,
  type DataSource,
  datasetFeeds,
  noiseFeeds,
  openSourcesOnce,
  specForModel,
} from "../evaluation/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import { type Crew, localCrew } from "../jobs/index.js";
import { findOperator } from "../operators/index.js";
import { betaStandIns, meanStandIns, type StandIns } from "../rewrite/index.js";
import { createSession, type Feeds, floatTensor } from "../runtime/index.js";
import type { PruneOptions, PruneResult } from "./types.js";

export interface PruneData {
  readonly original: { readonly analyzed: AnalyzedGraph; readonly coupling: Coupling };
  /** What is scored with: which samples, other ones each step. */
  scored(step: number): { readonly data: DataSource; readonly limit: number; readonly shuffleSeed: number };
  /** The same as batches. */
  batches(step: number): AsyncIterable<Batch>;
  /** Held-out data, or the same where the source has one part only. */
  readonly judge: Dataset;
  readonly judgeSource: DataSource;
  /** Who scores and evaluates. */
  readonly crew: Crew;
  readonly batchSize: number;
}

/** Samples that importance is taken from, where the user gives no number: of data, and of what is drawn. */
const samples = { given: 1000, drawn: 32 };
/** Samples that outputs are compared on. */
const compared = 16;

export async function openPruneData(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  options: PruneOptions,
): Promise<PruneData> {
  const [dims = []] = analyzed.inputDims.values();
  const batchSize = dims[0] ?? 1;
  const seed = options.seed ?? 0;
  const given = options.data;
  const sourceOf = (split: "train" | "test"): DataSource => {
    if (!given) return { kind: "drawn", dims, seed: split === "train" ? seed : seed + 1 };
    const outputDims = analyzed.types.get(analyzed.graph.outputs[0]?.name ?? "")?.dims ?? [];
    const { limit: _, ...source } = given;
    const classes = outputDims.length === 2 ? { classes: outputDims[1] as number } : {};
    return { kind: "stored", spec: specForModel(dims, { ...source, split, ...classes }) };
  };
  const [trainSource, judgeSource] = [sourceOf("train"), sourceOf("test")];
  const open = openSourcesOnce();
  const [train, judge] = [await open(trainSource), await open(judgeSource)];
  const limit = Math.max(batchSize, given ? (given.limit ?? samples.given) : samples.drawn);
  const scored = (step: number) => ({ data: trainSource, limit, shuffleSeed: seed * 1009 + step });
  return {
    original: { analyzed, coupling },
    scored,
    batches: (step) => {
      const { data: _, ...which } = scored(step);
      return train.batches({
        batchSize,
        ...which,
        dropLast: true,
        ...(options.signal ? { signal: options.signal } : {}),
      });
    },
    judge,
    judgeSource,
    crew: options.crew ?? localCrew(open),
    batchSize,
  };
}

/** Whether batches of a data set are all that the network reads; others are judged on noise in every input. */
function takesImages(analyzed: AnalyzedGraph): boolean {
  const [input, ...others] = analyzed.inputDims.keys();
  return others.length === 0 && analyzed.types.get(input ?? "")?.dtype === "float32";
}

/** One batch of what the networks are judged on, to verify a rewriting with. */
export async function judgeFeeds(data: PruneData): Promise<readonly Feeds[]> {
  const { analyzed } = data.original;
  if (!takesImages(analyzed)) return [];
  const [input] = analyzed.inputDims.keys();
  for await (const batch of data.judge.batches({ batchSize: data.batchSize, limit: data.batchSize, dropLast: true }))
    return [{ [input ?? ""]: floatTensor(batch.images, batch.dims) }];
  return [];
}

/**
 * What stands in for removed channels in all rewritings of the original; undefined: zero. Networks that data cannot be fed to
 * take zeros instead of means, with a warning.
 */
export async function openStandIns(
  data: PruneData,
  options: PruneOptions,
  warn: (message: string) => void,
): Promise<StandIns | undefined> {
  const { analyzed, coupling } = data.original;
  const wanted = options.standIn ?? "zero";
  if (wanted === "zero") return undefined;
  if (wanted === "beta") return betaStandIns(analyzed, coupling, findOperator, options.seed ?? 0);
  const [input = ""] = analyzed.inputDims.keys();
  if (!takesImages(analyzed)) {
    warn("Removed channels count as zero: means need a network with one float32 input.");
    return undefined;
  }
  async function* feeds(): AsyncGenerator<Feeds> {
    for await (const batch of data.batches(0)) {
      // A run blocks the thread: between two of them signals, timers and progress get their turn.
      await setImmediate();
      yield { [input]: floatTensor(batch.images, batch.dims) };
    }
  }
  return meanStandIns(analyzed, coupling, findOperator, feeds(), {
    threads: options.threads ?? 1,
    ...(options.signal ? { signal: options.signal } : {}),
    onProgress: (done) => options.onProgress?.({ phase: "means of channels", done, total: 0 }),
  });
}

/** Relative root mean square error of the pruned network's outputs against the original's; the largest over the outputs. */
export async function judgeOutputs(
  dense: Model,
  pruned: Model,
  data: PruneData,
  options: PruneOptions,
): Promise<number> {
  using a = createSession(dense, { threads: options.threads ?? 1 });
  using b = createSession(pruned, { threads: options.threads ?? 1 });
  const limit = Math.max(data.batchSize, compared);
  const { analyzed } = data.original;
  const { signal } = options;
  const feeds = takesImages(analyzed)
    ? datasetFeeds(a, data.judge, { batchSize: data.batchSize, limit, ...(signal ? { signal } : {}) })
    : noiseFeeds(a, analyzed.inputDims, { batches: compared, seed: options.seed ?? 0, ...(signal ? { signal } : {}) });
  const comparison = await compareOutputs(a, b, feeds);
  return Math.max(...comparison.outputs.map((o) => o.relativeError));
}

/** Top-1 accuracy of both, where the data has labels and the network is a classifier. */
export async function judgeAccuracy(
  dense: Model,
  pruned: Model,
  data: PruneData,
  options: PruneOptions,
): Promise<PruneResult["accuracy"]> {
  const { analyzed } = data.original;
  const dims = analyzed.types.get(analyzed.graph.outputs[0]?.name ?? "")?.dims ?? [];
  if (!data.judge.labelled || dims.length !== 2) return null;
  const { crew, judgeSource, batchSize } = data;
  const of = (model: Model, phase: string) => top1({ crew, source: judgeSource, batchSize }, model, options, phase);
  return { dense: await of(dense, "accuracy of the original"), pruned: await of(pruned, "accuracy of the pruned") };
}

export type JudgeOptions = Pick<PruneOptions, "threads" | "signal" | "onProgress" | "onWarning" | "crew">;

/** Share of the samples whose label has the highest score. */
export async function top1(
  { crew, source, batchSize }: { readonly crew: Crew; readonly source: DataSource; readonly batchSize: number },
  model: Model,
  { threads, signal, onProgress, onWarning }: JudgeOptions,
  phase: string,
): Promise<number> {
  const found = await crew.evaluate({
    ...{ model, data: source, batchSize },
    ...(threads === undefined ? {} : { threads }),
    ...(signal ? { signal } : {}),
    ...(onWarning ? { onWarning } : {}),
    onProgress: ({ done, total }) => onProgress?.({ phase, done, total }),
  });
  return found.top1;
}
