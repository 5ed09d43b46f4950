/** The demo as commands: what it does is what these words say, so that all of it can be done again by hand. */
import { join } from "node:path";

export interface DemoSizes {
  /** Of each digit, how many images are used at most. */
  readonly ofEachDigit: number;
  /** Channels and residual blocks of each stage of the network. */
  readonly stages: readonly (readonly [channels: number, blocks: number])[];
  /** Images a run, where latency is measured. */
  readonly batch: number;
  /** Images a step of training. */
  readonly trainBatch: number;
  /** Times through the images at the start. */
  readonly epochs: number;
  /** Of pruning, with so many steps of training in each. */
  readonly steps: number;
  readonly stepsBetween: number;
  /** Times through the images at the end. */
  readonly lastEpochs: number;
}

export const fullSizes: DemoSizes = {
  ofEachDigit: Number.POSITIVE_INFINITY,
  stages: [
    [32, 1],
    [48, 2],
  ],
  batch: 64,
  trainBatch: 32,
  epochs: 2,
  steps: 3,
  stepsBetween: 20,
  lastEpochs: 3,
};

export interface DemoOptions {
  readonly runFolder: string;
  /** As on the command line. */
  readonly budget: string;
  readonly seed: number;
  readonly threads?: number;
  readonly cache?: string;
  readonly patience?: string;
  readonly sizes: DemoSizes;
}

export interface DemoFiles {
  /** Folder with the images, parted into those that are learnt and those that are held out. */
  readonly data: string;
  /** The network before it learnt anything. */
  readonly network: string;
  readonly trained: string;
  readonly pruned: string;
  /** Run folders of the training and of the pruning. */
  readonly training: string;
  readonly pruning: string;
}

export function demoFiles(runFolder: string): DemoFiles {
  const at = (name: string) => join(runFolder, name);
  return {
    data: at("digits"),
    network: at("network.onnx"),
    trained: at("trained.onnx"),
    pruned: at("pruned.onnx"),
    training: at("training"),
    pruning: at("pruning"),
  };
}

/** What follows `halp COMMAND`, in the order of doing; by command, of which each is done once. */
export function demoWords(
  options: DemoOptions,
): Readonly<Record<"finetune" | "prune" | "measure" | "evaluate", readonly string[]>> {
  const { budget, sizes, seed } = options;
  const { data, network, trained, pruned, training, pruning } = demoFiles(options.runFolder);
  const threads = options.threads === undefined ? [] : ["--threads", String(options.threads)];
  const seeded = seed === 0 ? [] : ["--seed", String(seed)];
  const cache = options.cache === undefined ? [] : ["--cache", options.cache];
  const patience = options.patience === undefined ? [] : ["--patience", options.patience];
  const batch = ["--batch", String(sizes.batch)];
  const trainBatch = String(sizes.trainBatch);
  return {
    finetune: [
      ...[network, "--reinitialize", "--data", data, "--batch", trainBatch, "--epochs", String(sizes.epochs)],
      ...["--optimizer", "adamw", "--learning-rate", "0.003"],
      ...[...threads, ...seeded, ...cache, "--run", training, "-o", trained],
    ],
    prune: [
      ...[trained, "--budget", budget, ...batch, "--data", data, "--train-batch", trainBatch],
      ...["--steps", String(sizes.steps), "--train-steps", String(sizes.stepsBetween)],
      ...["--epochs", String(sizes.lastEpochs), "--optimizer", "adamw", "--learning-rate", "0.002"],
      ...[...threads, ...seeded, ...patience, ...cache, "--run", pruning, "-o", pruned],
    ],
    measure: [pruned, "--against", trained, ...batch, ...threads, ...seeded],
    evaluate: [pruned, "--against", trained, "--data", data],
  };
}
