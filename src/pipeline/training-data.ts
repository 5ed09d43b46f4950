/** Data that networks are trained and judged on. */
import type { Augmentation, LoaderSpec } from "../data/index.js";
import { evaluate, openForModel, specForModel } from "../evaluation/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import { classifierOf } from "../operators/classifier.js";
import { createSession } from "../runtime/index.js";
import type { DataOptions, Progress } from "./types.js";

function dataFor(analyzed: AnalyzedGraph, data: DataOptions, split: "train" | "test") {
  const { limit: _, ...source } = data;
  const classifier = classifierOf(analyzed);
  const dims = [...analyzed.inputDims.values()][0] ?? [];
  return [dims, { ...source, split, ...(classifier ? { classes: classifier.classes } : {}) }] as const;
}

/** @param analyzed the network at the batch size of the training */
export function trainingLoader(
  analyzed: AnalyzedGraph,
  data: DataOptions,
  options: { readonly seed?: number; readonly augment?: Augmentation },
): LoaderSpec {
  return {
    dataset: specForModel(...dataFor(analyzed, data, "train")),
    batchSize: [...analyzed.inputDims.values()][0]?.[0] ?? 1,
    seed: options.seed ?? 0,
    ...(options.augment ? { augment: options.augment } : {}),
    ...(data.limit === undefined ? {} : { limit: data.limit }),
  };
}

export interface Judge {
  readonly labelled: boolean;
  /** Top-1 accuracy; null where there are no labels or the network is no classifier. */
  accuracy(model: Model, phase: string): Promise<number | null>;
}

/** What a network is judged on: the held-out part of the data, or the same where the source has one part only. */
export async function openJudge(
  analyzed: AnalyzedGraph,
  data: DataOptions,
  options: {
    readonly threads?: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: (progress: Progress) => void;
  },
): Promise<Judge> {
  const dataset = await openForModel(...dataFor(analyzed, data, "test"));
  const batchSize = [...analyzed.inputDims.values()][0]?.[0] ?? 1;
  const judges = dataset.labelled && classifierOf(analyzed) !== undefined;
  return {
    labelled: dataset.labelled,
    accuracy: async (model, phase) => {
      if (!judges) return null;
      using session = createSession(model, { threads: options.threads ?? 1 });
      const { top1 } = await evaluate({
        session,
        dataset,
        batchSize,
        ...(options.signal ? { signal: options.signal } : {}),
        onProgress: ({ done, total }) => options.onProgress?.({ phase, done, total }),
      });
      return top1;
    },
  };
}
