/** What a training works with besides the network: data to learn from and to be judged on, and what is known of this machine. */
import { join } from "node:path";
import type { Augmentation, LoaderSpec } from "../data/index.js";
import { type DataSource, openSourcesOnce, specForModel } from "../evaluation/index.js";
import { type FormFiles, type Helpers, type LossTerm, labelsAsOf } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Model } from "../graph/ir.js";
import { localCrew } from "../jobs/index.js";
import { deviceFingerprint } from "../latency/index.js";
import { classifierOf } from "../operators/classifier.js";
import { type JudgeOptions, top1 } from "./data.js";
import { runFiles } from "./run-folder.js";
import type { DataOptions } from "./types.js";

/** Data with labels as the loss takes them. */
export function dataForLoss(data: DataOptions, loss: readonly LossTerm[] | undefined): DataOptions {
  return loss ? { ...data, labelsAs: labelsAsOf(loss) } : data;
}

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
  /** Top-1 accuracy; absent where there are no labels or the network is no classifier. */
  readonly accuracy?: (model: Model, phase: string) => Promise<number>;
}

/** What a network is judged on: the held-out part of the data, or the same where the source has one part only. */
export async function openJudge(analyzed: AnalyzedGraph, data: DataOptions, options: JudgeOptions): Promise<Judge> {
  const source: DataSource = { kind: "stored", spec: specForModel(...dataFor(analyzed, data, "test")) };
  const open = openSourcesOnce();
  const { labelled } = await open(source);
  if (!labelled || !classifierOf(analyzed)) return { labelled };
  const judge = {
    crew: options.crew ?? localCrew(open),
    source,
    batchSize: [...analyzed.inputDims.values()][0]?.[0] ?? 1,
  };
  return { labelled, accuracy: (model, phase) => top1(judge, model, options, phase) };
}

/** Where it is kept which ways to compute a layer are the fastest: in the run, and for this machine where there is a cache. */
export function formFilesOf(options: {
  readonly runFolder: string;
  readonly threads?: number;
  readonly cacheDir?: string;
}): FormFiles {
  const { cacheDir, runFolder, threads } = options;
  const run = join(runFolder, runFiles.forms);
  return cacheDir === undefined ? { run } : { run, cache: join(cacheDir, `${deviceFingerprint(threads)}.forms.json`) };
}

/** Who helps with the passes of a training's steps: a crew that can. */
export function helpersOf({ crew, signal, onWarning }: JudgeOptions): { readonly helpers?: Helpers } {
  const helpers = crew?.helpers?.({ ...(signal ? { signal } : {}), ...(onWarning ? { onWarning } : {}) });
  return helpers ? { helpers } : {};
}
