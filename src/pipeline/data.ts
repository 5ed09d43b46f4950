/** Data of a run: what importance is taken from, and what the networks are judged on. */
import type { Coupling } from "../coupling/index.js";
import { type Batch, type Dataset, openDataset, sceneDataset, syntheticDataset } from "../data/index.js";
import { compareOutputs, datasetFeeds, evaluate } from "../evaluation/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import { createSession } from "../runtime/index.js";
import type { PruneOptions, PruneResult } from "./types.js";

export interface PruneData {
  readonly original: { readonly analyzed: AnalyzedGraph; readonly coupling: Coupling };
  /** Batches to score with; other ones each step. */
  batches(step: number): AsyncIterable<Batch>;
  /** Held-out data, or the same where the source has one part only. */
  readonly judge: Dataset;
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
  const [batchSize = 1, ...sampleDims] = dims;
  const seed = options.seed ?? 0;
  const given = options.data;
  const open = (split: "train" | "test") => {
    if (!given) return Promise.resolve(drawnData(sampleDims, split === "train" ? seed : seed + 1));
    const [height, width] = sampleDims.slice(1);
    const outputDims = analyzed.types.get(analyzed.graph.outputs[0]?.name ?? "")?.dims ?? [];
    return openDataset({
      path: given.path,
      split,
      ...(given.kind === undefined
        ? {}
        : { kind: given.kind as NonNullable<Parameters<typeof openDataset>[0]["kind"]> }),
      ...(given.labels === undefined ? {} : { labels: given.labels }),
      ...(given.mean || given.std
        ? { normalize: { ...(given.mean ? { mean: given.mean } : {}), ...(given.std ? { std: given.std } : {}) } }
        : {}),
      ...(height !== undefined && width !== undefined && sampleDims.length === 3
        ? { size: [height, width] as const }
        : {}),
      ...(outputDims.length === 2 ? { classes: outputDims[1] as number } : {}),
    });
  };
  const train = await open("train");
  const judge = await open("test");
  const limit = Math.max(batchSize, given ? (given.limit ?? samples.given) : samples.drawn);
  return {
    original: { analyzed, coupling },
    batches: (step) =>
      train.batches({
        batchSize,
        limit,
        shuffleSeed: seed * 1009 + step,
        dropLast: true,
        ...(options.signal ? { signal: options.signal } : {}),
      }),
    judge,
    batchSize,
  };
}

/** Scenes where the network reads images as they usually lie ([1 or 3 channels, height, width]), else noise. */
function drawnData(sampleDims: readonly number[], seed: number): Dataset {
  const [channels = 0, height = 0, width = 0] = sampleDims;
  const images = sampleDims.length === 3 && (channels === 1 || channels === 3) && height >= 8 && width >= 8;
  return images ? sceneDataset([channels, height, width], seed) : syntheticDataset(sampleDims, seed);
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
  const comparison = await compareOutputs(a, b, datasetFeeds(a, data.judge, { batchSize: data.batchSize, limit }));
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
  const top1 = async (model: Model, phase: string) => {
    using session = createSession(model, { threads: options.threads ?? 1 });
    const { top1 } = await evaluate({
      session,
      dataset: data.judge,
      batchSize: data.batchSize,
      ...(options.signal ? { signal: options.signal } : {}),
      onProgress: (p) => options.onProgress?.({ phase, done: p.done, total: p.total }),
    });
    return top1;
  };
  return { dense: await top1(dense, "accuracy of the original"), pruned: await top1(pruned, "accuracy of the pruned") };
}
