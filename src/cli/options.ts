/** The one table of options. Commands pick theirs by name, so that a flag means the same everywhere. */
import { Option } from "commander";
import type { WidthLimit } from "../problem/index.js";
import type { OptionName, OptionValues } from "./option-values.js";
import {
  parseAnchors,
  parseBudgets,
  parseBytes,
  parseFraction,
  parseInput,
  parseInteger,
  parseNumber,
  parseNumbers,
  parsePin,
  parseSolverBudgets,
  parseTime,
} from "./values.js";

export type { OptionName, OptionValues };

const integer = parseInteger;

/** Of an option that may be repeated. */
const collect = (text: string, previous: readonly string[] = []) => [...previous, text];

/** `NAME=VALUE`, or a value for all. Names may hold `=`. */
function named(text: string): readonly [{ readonly name?: string }, value: string] {
  const at = text.lastIndexOf("=");
  return at < 0 ? [{}, text] : [{ name: text.slice(0, at) }, text.slice(at + 1)];
}

const table: Readonly<Record<OptionName, () => Option>> = {
  json: () => new Option("--json", "print the result as one JSON document"),
  quiet: () => new Option("--quiet", "no progress on stderr"),
  verbose: () => new Option("--verbose", "print stacks of errors"),
  config: () =>
    new Option("--config <FILE>", "config file (default: halp.config.json of this folder, if there is one)"),
  input: () =>
    new Option(
      "--input <NAME=SHAPE>",
      "shape of an input with dynamic dimensions, such as x=1x3x320x320; may be repeated",
    ).argParser((text: string, previous: Readonly<Record<string, readonly number[]>> = {}) => {
      const [name, dims] = parseInput(text);
      return { ...previous, [name]: dims };
    }),
  batch: () =>
    new Option("--batch <N>", "batch size, where the model leaves it open (default: 1)").argParser(
      integer("--batch", 1, 65536),
    ),
  threads: () =>
    new Option("--threads <N>", "threads that the network runs on (default: 1)").argParser(
      integer("--threads", 1, 1024),
    ),
  pin: () =>
    new Option(
      "--pin <CORES>",
      "cores that measuring is pinned to: auto (default), none, or as many numbers as threads: 2 or 2,3",
    ).argParser(parsePin),
  patience: () =>
    new Option(
      "--patience <TIME>",
      "how long measuring waits for other work on this machine to pause: 60s, or 0 (default: 20s, and 30 % of the time that passes)",
    ).argParser((text: string) => (/^\s*0\s*$/.test(text) ? 0 : parseTime("--patience")(text))),
  device: () =>
    new Option(
      "--device <NAME>",
      "device to measure: cpu (default), cuda:0 (convolutions, by cuDNN) or ort-cuda:0 (ONNX Runtime's CUDA provider); with --redis the name of a worker, or several, split by commas",
    ),
  redis: () =>
    new Option(
      "--redis <URL>",
      "Redis that workers on other machines listen to: redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6379 with TLS",
    ),
  workers: () =>
    new Option(
      "--workers",
      "score, evaluate and make the passes of a training on all workers of --redis that read the data",
    ),
  dataRoot: () =>
    new Option(
      "--data-root <FOLDERS>",
      "folders and http(s) addresses that the worker may read data from, split by commas; with it the worker scores and evaluates, too",
    ).argParser((text: string) => text.split(",").filter((folder) => folder !== "")),
  name: () => new Option("--name <NAME>", "what this machine is called by others (default: its host name)"),
  precision: () =>
    new Option("--precision <NAME>", "how cuda:N computes (default: fp32)").choices(["fp32", "tf32", "fp16"]),
  layout: () => new Option("--layout <NAME>", "how tensors lie on cuda:N (default: NCHW)").choices(["NCHW", "NHWC"]),
  cudaLibrary: () => new Option("--cuda-library <PATH>", "NVIDIA's driver library, where it is not libcuda.so.1"),
  cudnnLibrary: () => new Option("--cudnn-library <PATH>", "cuDNN's library, where it is not libcudnn.so.9 or .8"),
  seed: () =>
    new Option("--seed <N>", "seed of all random choices (default: 0)").argParser(integer("--seed", 0, 2 ** 32 - 1)),
  budget: () =>
    new Option(
      "--budget <BUDGET>",
      "latency to reach: 55%, 0.55, 3.2ms or 800us; for several devices one for all, or one each, split by commas",
    ).argParser(parseBudgets),
  budgets: () =>
    new Option(
      "--budget <LIST>",
      "budgets in the problem's unit, or in % of the latency with every last option, split by commas (default: the problem's own)",
    ).argParser(parseSolverBudgets),
  data: () =>
    new Option(
      "--data <PATH>",
      "data: image folder, list of images or its URL, CIFAR-10, MNIST/IDX, .npy, .npz, or a JavaScript module",
    ),
  dataKind: () =>
    new Option("--data-kind <KIND>", "what lies at --data, where it is not to be detected").choices([
      "images",
      "list",
      "cifar10",
      "cifar10-png",
      "idx",
      "npy",
      "npz",
      "module",
    ]),
  split: () => new Option("--split <PART>", "part of the data, where it has two").choices(["train", "test"]),
  labels: () => new Option("--labels <PATH>", "labels in a file of their own: .npy, IDX, .json or .txt"),
  limit: () => new Option("--limit <N>", "use at most N samples").argParser(integer("--limit", 1)),
  mean: () =>
    new Option("--mean <LIST>", "mean of each channel, on the scale of 0 to 1: 0.485,0.456,0.406").argParser(
      parseNumbers("--mean"),
    ),
  std: () =>
    new Option("--std <LIST>", "standard deviation of each channel: 0.229,0.224,0.225").argParser(
      parseNumbers("--std"),
    ),
  criterion: () =>
    new Option("--criterion <NAME>", "importance of a channel (default: taylor)").choices([
      "taylor",
      "l1",
      "l2",
      "bn-scale",
      "random",
    ]),
  loss: () =>
    new Option(
      "--loss <NAME>",
      "what the taylor criterion differentiates (default: auto: labels where there are any)",
    ).choices(["auto", "cross-entropy", "own-labels", "projection"]),
  steps: () =>
    new Option("--steps <N>", "steps from the dense latency to the budget (default: 1)").argParser(
      integer("--steps", 1, 1000),
    ),
  rounds: () =>
    new Option("--rounds <N>", "times to correct the prediction when the budget is missed (default: 3)").argParser(
      integer("--rounds", 0, 100),
    ),
  standIn: () =>
    new Option(
      "--stand-in <NAME>",
      "what removed channels are taken for by the layers that read them (default: zero)",
    ).choices(["zero", "beta", "mean"]),
  mode: () =>
    new Option(
      "--mode <NAME>",
      "what the latency of a layer depends on: both its sides (joint, default) or its outputs (halp, as in the paper); or the same share of every group (uniform)",
    ).choices(["joint", "halp", "uniform"]),
  tolerance: () =>
    new Option("--tolerance <PART>", "how far above the budget still counts as met (default: 3%)").argParser(
      parseFraction("--tolerance"),
    ),
  freeze: () =>
    new Option(
      "--freeze <NAME>",
      "layer, tensor or group that stays whole; * matches anything; may be repeated",
    ).argParser(collect),
  heads: () =>
    new Option(
      "--heads <NAME>",
      "Reshape that splits channels into attention heads: whole heads may go; * matches anything; may be repeated",
    ).argParser(collect),
  headWidth: () =>
    new Option(
      "--head-width <NAME>",
      "likewise: the same places of every head may go (default: whichever leaves more to choose from)",
    ).argParser(collect),
  minChannels: () =>
    new Option(
      "--min-channels <[NAME=]N>",
      "channels that a group keeps at least, of all groups or of those named; may be repeated",
    ).argParser((text: string, previous: readonly WidthLimit[] = []) => {
      const [name, value] = named(text);
      return [...previous, { ...name, minChannels: integer("--min-channels", 1)(value) }];
    }),
  maxPruneRatio: () =>
    new Option(
      "--max-prune-ratio <[NAME=]PART>",
      "share of a group's channels that may go, of all groups or of those named; may be repeated",
    ).argParser((text: string, previous: readonly WidthLimit[] = []) => {
      const [name, value] = named(text);
      return [...previous, { ...name, maxPruneRatio: parseFraction("--max-prune-ratio")(value) }];
    }),
  output: () => new Option("-o, --output <FILE>", "where the result is written"),
  run: () => new Option("--run <DIR>", "folder for what the run leaves behind"),
  table: () =>
    new Option(
      "--table <FILE>",
      "latency table to use instead of measuring; for several devices split by commas, or with {device} in its name",
    ),
  deviceName: () => new Option("--device-name <NAME>", "what the device of an imported table is called"),
  cache: () => new Option("--cache <DIR>", "folder where measured latencies are kept between runs"),
  against: () => new Option("--against <MODEL>", "another model to compare with, in the same run"),
  boxes: () =>
    new Option(
      "--boxes <NAME>",
      "output of boxes [N, K, 4] of a detector: how far boxes agree (with --scores, --against)",
    ),
  scores: () => new Option("--scores <NAME>", "output of their scores: [N, K, classes], or [N, K] for one class"),
  boxFormat: () =>
    new Option(
      "--box-format <NAME>",
      "two corners; centre, width and height; or those relative to anchors (default: xyxy)",
    ).choices(["xyxy", "cxcywh", "ssd"]),
  anchors: () =>
    new Option(
      "--anchors <LEVELS>",
      "of ssd: stride and sides of the squares in each cell, in pixels, level by level: 8:10+16+24,16:32+48",
    ).argParser(parseAnchors),
  background: () =>
    new Option("--background <CLASS>", "class that means that nothing is there, or none (default: 0)").argParser(
      (text: string) => (text === "none" ? text : integer("--background", 0)(text)),
    ),
  scoreThreshold: () =>
    new Option("--score-threshold <X>", "score from which on a box counts (default: 0.7)").argParser(
      parseNumber("--score-threshold"),
    ),
  nmsIou: () =>
    new Option(
      "--nms-iou <PART>",
      "overlap (intersection over union) above which the lower-scored of two boxes goes (default: 0.5)",
    ).argParser(parseFraction("--nms-iou")),
  matchIou: () =>
    new Option("--match-iou <PART>", "overlap from which on two boxes are the same (default: 0.5)").argParser(
      parseFraction("--match-iou"),
    ),
  repeats: () => new Option("--repeats <N>", "timed runs of each model").argParser(integer("--repeats", 3, 1_000_000)),
  frontier: () => new Option("--frontier", "every best (latency, value) pair instead of one solution"),
  hull: () => new Option("--hull", "only the corners of the frontier's convex hull"),
  backend: () =>
    new Option("--backend <NAME>", "solver to use: wasm (default), js, dense or paper; the last two for comparison"),
  verify: () => new Option("--verify", "check each solution by independent code"),
  timeLimit: () =>
    new Option("--time-limit <TIME>", "stop proving after this time: 500ms, 2s").argParser(parseTime("--time-limit")),
  gap: () =>
    new Option("--gap <GAP>", "stop once this close to the optimum is proven: 0.1% or 0.001").argParser(
      parseFraction("--gap"),
    ),
  maxStates: () =>
    new Option("--max-states <N>", "stop after so many search states; alike on every machine").argParser(
      integer("--max-states", 0),
    ),
  memoryLimit: () =>
    new Option("--memory-limit <SIZE>", "memory that the search may take: 512MB (default: 2GB)").argParser(
      parseBytes("--memory-limit"),
    ),
  lines: () => new Option("--lines", "every line is a problem: answer each at once (else only once the next has come)"),
  operators: () => new Option("--operators", "list the operators that halp knows, and what of each"),
  all: () => new Option("--all", "list everything"),
  html: () => new Option("--html <FILE>", "write the page of the run there, one file that opens from disk"),
  cuda: () => new Option("--cuda", "time ten convolutions on the GPU and hold a result against the CPU's"),
  epochs: () =>
    new Option("--epochs <N>", "times that a training goes through the data (default: 10; of prune: 0)").argParser(
      integer("--epochs", 1, 1e6),
    ),
  resume: () =>
    new Option(
      "--resume <DIR>",
      "go on with the run in this folder, from its last checkpoint; nothing else need be said",
    ),
  soft: () =>
    new Option("--soft", "removed channels may come back until the last step (default: what is gone is gone)"),
  trainSteps: () =>
    new Option(
      "--train-steps <N>",
      "steps of training on each network of the schedule, from whose gradients importance comes (default: 0)",
    ).argParser(integer("--train-steps", 0, 1e9)),
  trainBatch: () =>
    new Option(
      "--train-batch <N>",
      "samples a batch of training (default: the network's batch, 64 at least where it is open)",
    ).argParser(integer("--train-batch", 1, 65536)),
  reinitialize: () => new Option("--reinitialize", "draw all weights anew: train from nothing"),
  trainLoss: () =>
    new Option(
      "--train-loss <TERMS>",
      "what is made small: cross-entropy, soft-labels, outputs, values:NAME+NAME, scores:NAME, boxes:BOXES+SCORES, FILE.onnx; several with weights: cross-entropy,0.5*soft-labels",
    ),
  teacher: () => new Option("--teacher <MODEL>", "network to learn from (soft-labels, outputs, values, scores, boxes)"),
  learningRate: () =>
    new Option("--learning-rate <X>", "at its highest (default: 0.01 for sgd, 0.001 for adamw)").argParser(
      parseNumber("--learning-rate"),
    ),
  schedule: () =>
    new Option("--schedule <NAME>", "how the learning rate falls (default: cosine)").choices([
      "constant",
      "cosine",
      "linear",
      "step",
    ]),
  warmup: () =>
    new Option("--warmup <STEPS>", "steps over which the learning rate rises (default: 0)").argParser(
      integer("--warmup", 0),
    ),
  optimizer: () => new Option("--optimizer <NAME>", "sgd (default) or adamw").choices(["sgd", "adamw"]),
  momentum: () => new Option("--momentum <X>", "of sgd (default: 0.9)").argParser(parseNumber("--momentum")),
  nesterov: () => new Option("--nesterov", "Nesterov's form of momentum"),
  weightDecay: () =>
    new Option("--weight-decay <X>", "of weights, not of biases and scales (default: 5e-4; adamw 0.01)").argParser(
      parseNumber("--weight-decay"),
    ),
  labelSmoothing: () =>
    new Option("--label-smoothing <PART>", "share of the target spread over all classes (default: 0)").argParser(
      parseNumber("--label-smoothing"),
    ),
  temperature: () =>
    new Option("--temperature <X>", "of soft-labels (default: 4)").argParser(parseNumber("--temperature")),
  clip: () =>
    new Option("--clip <NORM>", "largest norm of the gradient (default: none)").argParser(parseNumber("--clip")),
  accumulate: () =>
    new Option("--accumulate <N>", "batches whose mean gradient makes one step (default: 1)").argParser(
      integer("--accumulate", 1, 65536),
    ),
  freezeBatchNorm: () => new Option("--freeze-batch-norm", "batch norms keep their running statistics"),
  recompute: () =>
    new Option(
      "--recompute",
      "values of the forward pass are computed again on the way back instead of being kept: less memory, more time",
    ),
  augment: () =>
    new Option(
      "--augment <LIST>",
      "images changed at random: flip, crop:PIXELS, resized-crop[:FROM-TO] (default: none)",
    ),
  names: () =>
    new Option("--names <FILE>", "JSON of what initialisers are called in the file of weights, where the names differ"),
  partial: () => new Option("--partial", "weights that the file does not have keep their values"),
};

/** Options that every command has. */
export const commonOptions: readonly OptionName[] = ["json", "quiet", "verbose"];

export function makeOption(name: OptionName): Option {
  return table[name]();
}
