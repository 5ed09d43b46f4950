/** A training in a process of its own, as its parent sees it: opened, driven in pieces, saved and read back. */
import type { LoaderSpec } from "../data/index.js";
import type { Model } from "../graph/ir.js";
import { decodeModel, encodeModel } from "../onnx/index.js";
import { spawnChild } from "../runtime/index.js";
import type { LossTerm } from "./losses.js";
import type { ReadMask } from "./masks.js";
import { checkRecipe, type Recipe } from "./recipe.js";

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
  const child = spawnChild(new URL("./training-child.js", import.meta.url));
  try {
    const { recipe } = job;
    const message: JobMessage = {
      model: encodeModel(job.model),
      ...(job.teacher ? { teacher: encodeModel(job.teacher) } : {}),
      inputDims: [...job.inputDims],
      recipe: {
        ...recipe,
        loss: recipe.loss.map((term) => (term.kind === "graph" ? { ...term, model: encodeModel(term.model) } : term)),
      },
      loader: job.loader,
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
      train: (request) => child.request("train", request),
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
