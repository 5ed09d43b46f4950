/** A training in a process of its own, as its parent sees it: opened, driven in pieces, saved and read back. */
import type { LoaderSpec } from "../data/index.js";
import type { Model } from "../graph/ir.js";
import { decodeModel, encodeModel } from "../onnx/index.js";
import { type Child, spawnChild } from "../runtime/index.js";
import type { LossTerm } from "./losses.js";
import type { ReadMask } from "./masks.js";
import type { PassRecipe, PassSum } from "./passes.js";
import { checkRecipe, type Recipe, returnsMemory } from "./recipe.js";

/** A value whose channels are scored while training: from the gradients of the very batches that are trained on. */
export interface ScoreSite {
  readonly value: string;
  /** Made by a batch norm: scored by the gradients of its scale and bias, at no cost. */
  readonly byBatchNorm: boolean;
  readonly axis: number;
  /** Global channel number at each position of the axis, -1 for none. */
  readonly channels: Int32Array;
}

/** Where it is kept which ways to compute something are the fastest. */
export interface FormFiles {
  /** Of this run: whoever goes on with it computes the same to the last bit. */
  readonly run: string;
  /** Of this machine. */
  readonly cache?: string;
}

export interface TrainingJob {
  readonly model: Model;
  /** Dims of its inputs, batch included. */
  readonly inputDims: ReadonlyMap<string, readonly number[]>;
  readonly teacher?: Model;
  readonly recipe: Recipe;
  readonly loader: LoaderSpec;
  readonly threads: number;
  readonly formFiles?: FormFiles;
  /** Names of what may be learnt; default all that operators learn. */
  readonly only?: readonly string[];
  readonly scores?: readonly ScoreSite[];
  /** Channels that {@link ScoreSite.channels} speaks of. */
  readonly channelCount?: number;
  readonly masks?: readonly ReadMask[];
  /** Who else makes passes, where a step takes several batches. The last of each step is made here. */
  readonly helpers?: Helpers;
}

/** Others who make passes of single batches, with the same results to the last bit. */
export interface Helpers {
  /** @returns what the batches came to, added up in their order */
  passes(work: PassWork): Promise<PassSum>;
}

export interface PassWork {
  readonly graph: Uint8Array;
  readonly recipe: PassRecipe;
  /** Of the network at this step, one after the other as the recipe has them. */
  readonly weights: Float32Array;
  readonly loader: LoaderSpec;
  readonly epoch: number;
  /** Of the epoch: the first batch, and how many. */
  readonly from: number;
  readonly count: number;
  readonly threads: number;
}

/** What the child is told: models as bytes. */
export interface JobMessage {
  readonly model: Uint8Array;
  readonly teacher?: Uint8Array;
  readonly inputDims: readonly (readonly [string, readonly number[]])[];
  readonly recipe: Omit<Recipe, "loss"> & { readonly loss: readonly LossMessage[] };
  readonly loader: LoaderSpec;
  readonly threads: number;
  readonly formFiles?: FormFiles;
  readonly scores: readonly ScoreSite[];
  readonly channelCount: number;
  readonly masks?: readonly ReadMask[];
  readonly only?: readonly string[];
}
type LossMessage =
  | Exclude<LossTerm, { kind: "graph" }>
  | { readonly kind: "graph"; readonly weight?: number; readonly model: Uint8Array };

export interface OpenedTraining {
  readonly parameterCount: number;
  /** Steps that an epoch has; infinite for data of no known size. */
  readonly stepsPerEpoch: number;
  readonly samplesPerStep: number;
  /** Name of the data. */
  readonly data: string;
}

export interface ChunkRequest {
  readonly epoch: number;
  /** Step of the epoch to begin with. */
  readonly from: number;
  /** Number of that step in the whole training, which the learning rate depends on. */
  readonly step: number;
  readonly totalSteps: number;
  /** At most. */
  readonly steps: number;
  /** No new step is begun after so many milliseconds. */
  readonly maxMs: number;
  /** What others made of the first batches of the step; there is one step then. */
  readonly before?: PassSum;
}

/** Of the steps of one piece. */
export interface ChunkReport {
  readonly steps: number;
  readonly samples: number;
  /** Steps whose loss or gradient were not finite: they changed nothing. */
  readonly skipped: number;
  /** The epoch has no further step. */
  readonly ended: boolean;
  /** Mean over the steps that were not skipped. */
  readonly loss: number;
  readonly correct?: number;
  /** Of the last step. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Sum over steps of each channel's |sum of z dL/dz|, and of how many steps. */
  readonly importance?: Float64Array;
  readonly scored?: number;
}

/** Owns a process: dispose of it. */
export interface Training extends Disposable {
  readonly opened: OpenedTraining;
  train(request: ChunkRequest): Promise<ChunkReport>;
  /** Weights, statistics and the optimiser's state to a file, whole or not at all. */
  save(path: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  load(path: string): Promise<void>;
  /** The network as it stands, for inference. */
  model(): Promise<Model>;
}

/** @throws HalpError HALP_TRAINING_OPTION, HALP_LOSS, HALP_NO_GRADIENT, and what the data throw */
export async function openTraining(job: TrainingJob): Promise<Training> {
  checkRecipe(job.recipe);
  const { recipe, model } = job;
  const child = spawnChild(new URL("./training-child.js", import.meta.url), {
    freeMemory: returnsMemory(recipe, model) ? "return" : "keep",
  });
  try {
    const { accumulate = 1 } = recipe;
    const helpers = accumulate > 1 ? job.helpers : undefined;
    const message: JobMessage = {
      model: encodeModel(model),
      ...(job.teacher ? { teacher: encodeModel(job.teacher) } : {}),
      inputDims: [...job.inputDims],
      recipe: {
        ...recipe,
        loss: recipe.loss.map((term) => (term.kind === "graph" ? { ...term, model: encodeModel(term.model) } : term)),
      },
      loader: helpers ? { ...job.loader, stride: accumulate } : job.loader,
      threads: job.threads,
      ...(job.formFiles ? { formFiles: job.formFiles } : {}),
      scores: job.scores ?? [],
      channelCount: job.channelCount ?? 0,
      ...(job.masks ? { masks: job.masks } : {}),
      ...(job.only ? { only: job.only } : {}),
    };
    const opened = await child.request<OpenedTraining>("open", message);
    return {
      opened,
      train: helpers
        ? await trainWith(helpers, child, job, opened.stepsPerEpoch)
        : (request) => child.request("train", request),
      save: (path, metadata) => child.request("save", { path, metadata }),
      load: (path) => child.request("load", { path }),
      model: async () => decodeModel(await child.request<Uint8Array>("model")),
      [Symbol.dispose]: () => child.dispose(),
    };
  } catch (e) {
    child.dispose();
    throw e;
  }
}

/** Steps of which others make all passes but the last. */
async function trainWith(
  helpers: Helpers,
  child: Child,
  { loader, threads, recipe: { accumulate = 1 } }: TrainingJob,
  stepsPerEpoch: number,
): Promise<Training["train"]> {
  const made = await child.request<{ readonly graph: Uint8Array; readonly recipe: PassRecipe }>("passes");
  const step = async (request: ChunkRequest): Promise<ChunkReport> => {
    const weights = await child.request<Float32Array>("weights");
    const { epoch, from } = request;
    const work = { ...made, weights, loader, epoch, from: from * accumulate, count: accumulate - 1, threads };
    return await child.request("train", { ...request, steps: 1, before: await helpers.passes(work) });
  };
  return async (request) => {
    const began = performance.now();
    const reports: ChunkReport[] = [];
    while (reports.length < request.steps && (reports.length === 0 || performance.now() - began < request.maxMs)) {
      const taken = reports.length;
      if (request.from + taken >= stepsPerEpoch) break;
      reports.push(await step({ ...request, from: request.from + taken, step: request.step + taken }));
    }
    const { length } = reports;
    return joined(reports, request.from + length >= stepsPerEpoch && length < request.steps);
  };
}

/** As if the steps had been taken in one piece. */
function joined(reports: readonly ChunkReport[], ended: boolean): ChunkReport {
  const sum = (of: (report: ChunkReport) => number) => reports.reduce((n, report) => n + of(report), 0);
  const last = reports.at(-1);
  const finite = reports.filter((report) => report.skipped === 0);
  const known = reports.filter((report) => report.correct !== undefined);
  const scored = reports.flatMap(({ importance }) => (importance ? [importance] : []));
  const total = new Float64Array(scored[0]?.length ?? 0);
  for (const own of scored)
    own.forEach((v, c) => {
      total[c] = (total[c] as number) + v;
    });
  return {
    steps: reports.length,
    samples: sum((r) => r.samples),
    skipped: sum((r) => r.skipped),
    ended,
    loss: finite.length > 0 ? finite.reduce((n, r) => n + r.loss, 0) / finite.length : Number.NaN,
    gradientNorm: finite.at(-1)?.gradientNorm ?? 0,
    learningRate: last?.learningRate ?? 0,
    ...(known.length > 0 ? { correct: sum((r) => r.correct ?? 0) } : {}),
    ...(scored.length > 0 ? { importance: total, scored: sum((r) => r.scored ?? 0) } : {}),
  };
}
