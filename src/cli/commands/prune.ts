import { basename, join } from "node:path";
import { HalpError } from "../../errors.js";
import type { Bench } from "../../jobs/index.js";
import type { StepTrainingOptions } from "../../pipeline/index.js";
import type { DeviceTarget, PruneOptions, PruneResult } from "../../pipeline/types.js";
import type { WidthLimit } from "../../problem/index.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { dataOptionNames, dataOptions } from "../data-options.js";
import { deviceTargets } from "../device-targets.js";
import { given } from "../given.js";
import { checkTakeModels, openMachines } from "../machines.js";
import { networkOptions } from "../network-options.js";
import type { OptionValues } from "../options.js";
import { renderPruneResult } from "../render-prune-result.js";
import { resumption } from "../resume.js";
import { writeRunPage } from "../run-page.js";
import { controlsOf, howToTrain, recipeOptions, type TrainingContext } from "../training-options.js";

export const pruneCommand: CommandSpec = {
  name: "prune",
  args: [["[MODEL]", "ONNX file"]],
  summary: "remove channels until the network meets a latency budget on this device, as measured",
  options: [
    "budget",
    "output",
    "run",
    "input",
    "batch",
    "threads",
    "pin",
    "patience",
    ...dataOptionNames,
    "criterion",
    "loss",
    "standIn",
    "mode",
    "steps",
    "rounds",
    "tolerance",
    "freeze",
    "heads",
    "headWidth",
    "minChannels",
    "maxPruneRatio",
    "table",
    "device",
    "redis",
    "workers",
    "cache",
    "seed",
    "epochs",
    "trainSteps",
    "soft",
    "trainBatch",
    ...recipeOptions.filter((name) => name !== "teacher"),
    "resume",
  ],
  required: ["budget"],
  readsConfig: true,
  resumes: true,
  howToGoOn: ([model = ""], options, begun) =>
    resumption("prune", runFolderOf(model, options), options.resume ? 0 : begun),
  examples: [
    "halp prune model.onnx --budget 70%",
    "halp prune resnet.onnx --budget 3.2ms --batch 64 --steps 10 --data images/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
    "halp prune resnet.onnx --budget 50% --batch 64 --data cifar10/ --steps 30 --train-steps 100 --epochs 20 --augment flip,crop:4",
    "halp prune --resume .halp/runs/resnet",
    "halp prune model.onnx --budget 60% --table phone.json",
    "halp prune model.onnx --budget 60% --device pi5 --redis redis://build-server:6379",
    "halp prune model.onnx --budget 60%,75% --device pi5,server --redis redis://build-server:6379",
    "halp prune model.onnx --budget 60% --data /mnt/images --workers --redis redis://build-server:6379",
    "halp prune detector.onnx --budget 0.7 --input x=1x3x320x320 --freeze 'head.*' -o small.onnx --json",
  ],
  run: async ([model = ""], options, context) => {
    const { prune } = await import("../../pipeline/index.js");
    await using machines = await openMachines(options);
    const { crew } = machines;
    await checkTakeModels(machines.benches);
    const asked = {
      ...(await pruneOptions(model, options, context, machines.benches)),
      ...given("crew", crew),
    };
    return await reportPrune(() => prune(asked), asked.runFolder, context);
  },
};

const nameOf = (model: string) => basename(model).replace(/\.onnx$/i, "");
const runFolderOf = (model: string, { run }: OptionValues) => run ?? join(".halp", "runs", nameOf(model));

export async function pruneOptions(
  model: string,
  options: OptionValues,
  context: TrainingContext,
  benches: readonly Bench[] = [],
): Promise<PruneOptions> {
  const training = await trainingOptions(options);
  const data = dataOptions(options);
  const [target, ...others] = deviceTargets(options, benches) as [DeviceTarget, ...DeviceTarget[]];
  return {
    model,
    ...target,
    ...given("others", others.length > 0 ? others : undefined),
    output: options.output ?? `${nameOf(model)}.pruned.onnx`,
    runFolder: runFolderOf(model, options),
    cacheDir: options.cache ?? cacheFolder(),
    ...networkOptions(options),
    ...given("data", data),
    ...given("criterion", options.criterion),
    ...given("loss", options.loss),
    ...given("standIn", options.standIn),
    ...given("mode", options.mode),
    ...given("steps", options.steps),
    ...given("tolerance", options.tolerance),
    ...given("widthLimits", widthLimits(options)),
    ...given("rounds", options.rounds),
    ...given("seed", options.seed),
    ...given("training", training),
    ...controlsOf(options, context),
  };
}

/** What the options say of training; undefined where they ask for none. */
async function trainingOptions(options: OptionValues): Promise<StepTrainingOptions | undefined> {
  const { epochs = 0, soft, trainSteps = 0 } = options;
  if (epochs === 0 && trainSteps === 0 && !soft) return undefined;
  return {
    ...(await howToTrain(options)),
    epochs,
    batchesPerStep: trainSteps,
    ...given("soft", soft),
    ...given("batch", options.trainBatch),
  };
}

/** What --min-channels and --max-prune-ratio say; undefined without them. */
export function widthLimits({ minChannels, maxPruneRatio }: OptionValues): readonly WidthLimit[] | undefined {
  const limits = [...(minChannels ?? []), ...(maxPruneRatio ?? [])];
  return limits.length > 0 ? limits : undefined;
}

/** Prints the result; a missed budget has one too, and its error still comes after it. */
async function reportPrune(
  work: () => Promise<PruneResult>,
  runFolder: string,
  context: CommandContext,
): Promise<number> {
  const { result, missed } = await resultOfMissed(work);
  const page = await writeRunPage(runFolder, context);
  context.print(result, () => renderPruneResult(result, context.width, context.styles, page));
  if (missed) throw missed;
  return 0;
}

/** The result of a pruning; where it missed its budget, that of the best network, and the error. */
export async function resultOfMissed(
  work: () => Promise<PruneResult>,
): Promise<{ readonly result: PruneResult; readonly missed?: HalpError }> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof HalpError && error.exitCode === 4 && isPruneResult(error.cause))
      return { result: error.cause, missed: error };
    throw error;
  }
}

function isPruneResult(x: unknown): x is PruneResult {
  return typeof x === "object" && x !== null && (x as { format?: unknown }).format === "halp.result/1";
}
