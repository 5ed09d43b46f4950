import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { CommandSpec } from "../command.js";
import type { DemoOptions } from "../demo/words.js";
import { onlyBudget } from "../device-targets.js";
import { given } from "../given.js";
import type { OptionValues } from "../options.js";
import { renderDemo } from "../render-demo.js";
import { commandLine, resumption } from "../resume.js";
import { formatBudget } from "../values.js";

export const demoCommand: CommandSpec = {
  name: "demo",
  args: [],
  summary: "the whole story in three minutes: a network learns digits, is pruned to half its latency, and learns again",
  options: ["budget", "run", "threads", "cache", "seed"],
  examples: ["halp demo", "halp demo --budget 30% --seed 1", "halp demo --json"],
  howToGoOn: async (_args, options, begun) => {
    const { demoFiles, demoWords } = await import("../demo/words.js");
    const asked = await demoOptions(options);
    const { pruning, trained, training } = demoFiles(asked.runFolder);
    const pruned = await resumption("prune", pruning, begun);
    if (pruned !== undefined) return pruned;
    if (((await stat(trained).catch(() => undefined))?.mtimeMs ?? 0) >= begun)
      return commandLine("prune", demoWords(asked).prune);
    return await resumption("finetune", training, begun);
  },
  run: async (_args, options, context) => {
    const { runDemo } = await import("../demo/run-demo.js");
    const { result, missed } = await runDemo(await demoOptions(options), context);
    context.print(result, () => renderDemo(result, context.width, context.styles));
    if (missed) throw missed;
    return 0;
  },
};

async function demoOptions(options: OptionValues): Promise<DemoOptions> {
  const { fullSizes } = await import("../demo/words.js");
  return {
    runFolder: options.run ?? join(".halp", "demo"),
    budget: options.budget ? formatBudget(onlyBudget(options.budget)) : "50%",
    seed: options.seed ?? 0,
    ...given("threads", options.threads),
    ...given("cache", options.cache),
    sizes: fullSizes,
  };
}
