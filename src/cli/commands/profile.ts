import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { formatNs } from "../quantities.js";
import { printable } from "../style.js";
import { given } from "./prune.js";

export const profileCommand: CommandSpec = {
  name: "profile",
  args: [["<MODEL>", "ONNX file"]],
  summary: "measure the latency table of this device: every layer at the widths that may be kept",
  options: ["output", "input", "batch", "threads", "freeze", "cache"],
  required: ["output"],
  readsConfig: true,
  examples: ["halp profile model.onnx -o table.json", "halp profile resnet.onnx --batch 64 --threads 2 -o table.json"],
  run: async ([model = ""], options, { io, print, progress, signal, styles, warn }) => {
    const { profile } = await import("../../pipeline/index.js");
    const result = await profile({
      model,
      output: options.output!,
      cacheDir: options.cache ?? cacheFolder(),
      ...given("inputs", options.input),
      ...given("batch", options.batch),
      ...given("threads", options.threads),
      ...given("freeze", options.freeze),
      signal,
      clock: io.clock,
      onProgress: progress.update,
      onWarning: warn,
    });
    const { cpu, runtime, threads } = result.device;
    print(result, () =>
      [
        `${styles.dim("device    ")}  ${printable(cpu)}, ${runtime.name} ${runtime.version}, threads: ${threads}`,
        `${styles.dim("layers    ")}  ${result.entries}, of which ${result.measured} were measured now`,
        `${styles.dim("network   ")}  ${formatNs(result.predictedNs)} as the sum of its layers`,
        `${styles.dim("written   ")}  ${printable(result.output)}`,
      ].join("\n"),
    );
    return 0;
  },
};
