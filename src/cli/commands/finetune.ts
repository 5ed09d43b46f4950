import { basename, join } from "node:path";
import { HalpError } from "../../errors.js";
import type { Optimizer, Recipe } from "../../finetune/index.js";
import type { FinetuneOptions, FinetuneResult } from "../../pipeline/index.js";
import type { CommandContext, CommandSpec } from "../command.js";
import type { OptionName, OptionValues } from "../options.js";
import { formatDuration, formatPercent } from "../quantities.js";
import { printable } from "../style.js";
import { renderTable } from "../table.js";
import { dataOptions, given } from "./prune.js";

/** How a network is trained: options of every command that trains. */
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
  "augment",
];

export const finetuneCommand: CommandSpec = {
  name: "finetune",
  args: [["<MODEL>", "ONNX file"]],
  summary: "train a network: on labels, by distillation from another network, or with a loss of your own",
  options: [
    "output",
    "run",
    "resume",
    "input",
    "batch",
    "threads",
    "data",
    "dataKind",
    "labels",
    "limit",
    "mean",
    "std",
    "epochs",
    "reinitialize",
    ...recipeOptions,
    "seed",
  ],
  required: ["data"],
  readsConfig: true,
  examples: [
    "halp finetune pruned.onnx --data cifar10/ --batch 128 --epochs 20 --learning-rate 0.02 --augment flip,crop:4",
    "halp finetune pruned.onnx --teacher original.onnx --data photos/ --batch 16 --train-loss outputs",
    "halp finetune resnet.onnx --data cifar10/ --batch 128 --epochs 60 --reinitialize --run runs/scratch",
    "halp finetune resnet.onnx --data cifar10/ --batch 128 --epochs 60 --run runs/scratch --resume",
  ],
  run: async ([model = ""], options, context) => {
    const { finetune } = await import("../../pipeline/index.js");
    const result = await finetune(await finetuneOptions(model, options, context));
    context.print(result, () => renderTraining(result, context));
    return 0;
  },
};

async function finetuneOptions(
  model: string,
  options: OptionValues,
  context: CommandContext,
): Promise<FinetuneOptions> {
  const name = basename(model).replace(/\.onnx$/i, "");
  const data = dataOptions(options);
  if (!data) throw new HalpError("HALP_DATA_MISSING", "There is nothing to train on. Give data with --data.");
  const { parseLoss } = await import("../parse-loss.js");
  const loss = options.trainLoss === undefined ? undefined : parseLoss(options.trainLoss, options);
  const { parseAugmentation } = await import("../../data/index.js");
  return {
    model,
    data,
    output: options.output ?? `${name}.trained.onnx`,
    runFolder: options.run ?? join(".halp", "runs", `${name}.training`),
    epochs: options.epochs ?? 10,
    recipe: recipeOf(options),
    ...given("resume", options.resume),
    ...given("reinitialize", options.reinitialize),
    ...given("teacher", options.teacher),
    ...given("loss", loss),
    ...given("augment", options.augment === undefined ? undefined : parseAugmentation(options.augment)),
    ...given("inputs", options.input),
    ...given("batch", options.batch),
    ...given("threads", options.threads),
    ...given("seed", options.seed),
    signal: context.signal,
    onProgress: context.progress.update,
    onWarning: context.warn,
    onEpoch: (line) => {
      const accuracy = line.accuracy === null ? "" : `, accuracy ${formatPercent(line.accuracy, 2)}`;
      context.progress.say(
        `epoch ${line.epoch}: loss ${line.loss.toFixed(4)}${accuracy}, ${formatDuration(line.seconds * 1000)}`,
      );
    },
    clock: context.io.clock,
  };
}

/** What the options say of a training. */
export function recipeOf(options: OptionValues): Omit<Recipe, "loss"> {
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
  };
}

function renderTraining(result: FinetuneResult, { styles, width }: CommandContext): string {
  const percent = (x: number | null) => (x === null ? "" : formatPercent(x, 2));
  const rows = result.log.map((line) => [
    `${line.epoch}`,
    line.loss.toFixed(4),
    percent(line.trainAccuracy),
    percent(line.accuracy),
    line.learningRate.toPrecision(3),
  ]);
  const right = "right" as const;
  const table = renderTable(
    [
      { title: "epoch" },
      { title: "loss", align: right },
      { title: "in training", align: right },
      { title: "accuracy", align: right },
      { title: "rate", align: right },
    ],
    rows,
    width,
    styles.bold,
  );
  const { before, after } = result.accuracy;
  const change =
    before === null || after === null ? "" : `${percent(before)} before, ${styles.bold(percent(after))} after`;
  return [
    table,
    ...(change === "" ? [] : [`${styles.dim("accuracy")}  ${change}`]),
    `${styles.dim("written ")}  ${printable(result.output)}`,
  ].join("\n");
}
