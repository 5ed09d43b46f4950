import { basename, join } from "node:path";
import { HalpError } from "../../errors.js";
import type { FinetuneOptions, FinetuneResult } from "../../pipeline/index.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { dataOptionNames, dataOptions } from "../data-options.js";
import { given } from "../given.js";
import { openMachines } from "../machines.js";
import type { OptionValues } from "../options.js";
import { formatPercent } from "../quantities.js";
import { resumption } from "../resume.js";
import { printable } from "../style.js";
import { renderTable } from "../table.js";
import { controlsOf, howToTrain, recipeOptions, type TrainingContext } from "../training-options.js";

export const finetuneCommand: CommandSpec = {
  name: "finetune",
  args: [["[MODEL]", "ONNX file"]],
  summary: "train a network: on labels, by distillation from another network, or with a loss of your own",
  options: [
    "output",
    "run",
    "resume",
    "input",
    "batch",
    "threads",
    ...dataOptionNames,
    "epochs",
    "reinitialize",
    "cache",
    ...recipeOptions,
    "seed",
    "redis",
    "workers",
  ],
  readsConfig: true,
  resumes: true,
  howToGoOn: ([model = ""], options, begun) =>
    resumption("finetune", runFolderOf(model, options), options.resume ? 0 : begun),
  examples: [
    "halp finetune pruned.onnx --data cifar10/ --batch 128 --epochs 20 --learning-rate 0.02 --augment flip,crop:4",
    "halp finetune pruned.onnx --teacher original.onnx --data photos/ --batch 16 --train-loss outputs",
    "halp finetune resnet.onnx --data cifar10/ --batch 128 --epochs 60 --reinitialize --run runs/scratch",
    "halp finetune --resume runs/scratch",
    "halp finetune pruned.onnx --data /mnt/images --batch 64 --accumulate 8 --workers --redis redis://build-server:6379",
  ],
  run: async ([model = ""], options, context) => {
    const { finetune } = await import("../../pipeline/index.js");
    await using machines = await openMachines(options);
    const { crew } = machines;
    const result = await finetune({ ...(await finetuneOptions(model, options, context)), ...given("crew", crew) });
    context.print(result, () => renderTraining(result, context));
    return 0;
  },
};

const nameOf = (model: string) => basename(model).replace(/\.onnx$/i, "");
const runFolderOf = (model: string, { run }: OptionValues) => run ?? join(".halp", "runs", `${nameOf(model)}.training`);

export async function finetuneOptions(
  model: string,
  options: OptionValues,
  context: TrainingContext,
): Promise<FinetuneOptions> {
  const data = dataOptions(options);
  if (!data) throw new HalpError("HALP_DATA_MISSING", "There is nothing to train on. Give data with --data.");
  return {
    model,
    data,
    output: options.output ?? `${nameOf(model)}.trained.onnx`,
    runFolder: runFolderOf(model, options),
    epochs: options.epochs ?? 10,
    cacheDir: options.cache ?? cacheFolder(),
    ...(await howToTrain(options)),
    ...given("reinitialize", options.reinitialize),
    ...given("teacher", options.teacher),
    ...given("inputs", options.input),
    ...given("batch", options.batch),
    ...given("threads", options.threads),
    ...given("seed", options.seed),
    ...controlsOf(options, context),
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
