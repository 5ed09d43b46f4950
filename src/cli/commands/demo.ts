import { join } from "node:path";
import type { PruneResult } from "../../pipeline/types.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { demoModel } from "../demo-models.js";
import { renderPruneResult } from "../render-prune-result.js";
import { wrap } from "../table.js";
import { given } from "./prune.js";

const detector = { file: "ch_PP-OCRv4_det_infer.onnx", input: [1, 3, 320, 320], budget: 0.7 } as const;

export const demoCommand: CommandSpec = {
  name: "demo",
  args: [],
  summary: "the whole story on a real network: a text detector, pruned to 70 % of its latency with no data",
  options: ["run", "threads", "cache", "seed"],
  examples: ["halp demo", "halp demo --json"],
  run: async (_args, options, { io, print, progress, signal, styles, warn, width }) => {
    const model = demoModel(detector.file);
    const runFolder = options.run ?? join(".halp", "demo");
    const { prune } = await import("../../pipeline/index.js");
    progress.say(
      wrap(
        `Pruning the text detector of PP-OCRv4 at ${detector.input.join("x")} to ${detector.budget * 100} % of its latency on this machine, with no data: importance comes from random projections of the outputs.`,
        width,
      ),
    );
    const result: PruneResult = await prune({
      model,
      budget: { kind: "ratio", ratio: detector.budget },
      output: join(runFolder, "detector.pruned.onnx"),
      runFolder,
      inputs: { x: detector.input },
      cacheDir: options.cache ?? cacheFolder(),
      ...given("threads", options.threads),
      ...given("seed", options.seed),
      signal,
      clock: io.clock,
      onProgress: progress.update,
      onWarning: warn,
    });
    print({ format: "halp.demo/1", detector: result }, () => renderPruneResult(result, width, styles));
    return 0;
  },
};
