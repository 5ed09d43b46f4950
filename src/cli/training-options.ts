/** How a network is trained: what commands that train have in common. */
import type { Optimizer, Recipe } from "../finetune/index.js";
import type { EpochLine } from "../pipeline/index.js";
import type { CommandContext } from "./command.js";
import { given } from "./given.js";
import type { OptionName, OptionValues } from "./options.js";
import { formatDuration, formatPercent } from "./quantities.js";

export const recipeOptions: readonly OptionName[] = [
  "trainLoss",
  "teacher",
  "learningRate",
  "schedule",
  "warmup",
  "optimizer",
  "momentum",
  "nesterov",
  "weightDecay",
  "labelSmoothing",
  "temperature",
  "clip",
  "accumulate",
  "freezeBatchNorm",
  "recompute",
  "augment",
];

function recipeOf(options: OptionValues): Omit<Recipe, "loss"> {
  const optimizer: Optimizer =
    options.optimizer === "adamw"
      ? { kind: "adamw", weightDecay: options.weightDecay ?? 0.01 }
      : {
          kind: "sgd",
          momentum: options.momentum ?? 0.9,
          weightDecay: options.weightDecay ?? 5e-4,
          ...given("nesterov", options.nesterov),
        };
  return {
    optimizer,
    schedule: {
      kind: options.schedule ?? "cosine",
      learningRate: options.learningRate ?? (optimizer.kind === "adamw" ? 0.001 : 0.01),
      ...given("warmup", options.warmup),
    },
    ...given("clipNorm", options.clip),
    ...given("accumulate", options.accumulate),
    ...given("freezeBatchNorm", options.freezeBatchNorm),
    ...given("recompute", options.recompute),
  };
}

/** What the options say of a training. */
export async function howToTrain(options: OptionValues) {
  const { trainLoss, augment } = options;
  const [{ parseAugmentation }, { parseLoss }] = await Promise.all([
    import("../data/index.js"),
    import("./parse-loss.js"),
  ]);
  return {
    recipe: recipeOf(options),
    ...given("loss", trainLoss === undefined ? undefined : parseLoss(trainLoss, options)),
    ...given("augment", augment === undefined ? undefined : parseAugmentation(augment)),
  };
}

/** What a run that may train needs of its surroundings. */
export type TrainingContext = Pick<CommandContext, "command" | "io" | "progress" | "signal" | "warn">;

/** How a run that may train is watched, stopped and begun again. */
export function controlsOf({ resume }: OptionValues, { command, io, progress, signal, warn }: TrainingContext) {
  return {
    ...given("resume", resume === undefined ? undefined : true),
    command,
    signal,
    onProgress: progress.update,
    onWarning: warn,
    onEpoch: (line: EpochLine) => progress.say(epochText(line)),
    clock: io.clock,
  };
}

/** An epoch in one line. */
function epochText(line: EpochLine): string {
  const accuracy = line.accuracy === null ? "" : `, accuracy ${formatPercent(line.accuracy, 2)}`;
  return `epoch ${line.epoch}: loss ${line.loss.toFixed(4)}${accuracy}, ${formatDuration(line.seconds * 1000)}`;
}
