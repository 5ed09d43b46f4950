import type { GpuOptions } from "../../latency/index.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { given } from "../given.js";
import type { OptionValues } from "../options.js";
import { formatNs } from "../quantities.js";
import { printable } from "../style.js";

export const profileCommand: CommandSpec = {
  name: "profile",
  args: [["<MODEL>", "ONNX file"]],
  summary: "measure the latency table of this device: every layer at the widths that may be kept",
  options: [
    "output",
    "input",
    "batch",
    "threads",
    "pin",
    "patience",
    "device",
    "precision",
    "layout",
    "cudaLibrary",
    "cudnnLibrary",
    "freeze",
    "heads",
    "headWidth",
    "cache",
  ],
  required: ["output"],
  readsConfig: true,
  examples: [
    "halp profile model.onnx -o table.json",
    "halp profile resnet.onnx --batch 64 --threads 2 -o table.json",
    "halp profile resnet.onnx --batch 64 --device cuda:0 --precision fp16 --layout NHWC -o gpu.json",
  ],
  run: async ([model = ""], options, { io, print, progress, signal, styles, warn }) => {
    const [{ profile }, { parseDevice }] = await Promise.all([
      import("../../pipeline/index.js"),
      import("../../latency/index.js"),
    ]);
    const result = await profile({
      model,
      output: options.output!,
      cacheDir: options.cache ?? cacheFolder(),
      ...given("device", options.device === undefined ? undefined : parseDevice(options.device)),
      gpu: gpuOf(options),
      ...given("pin", options.pin),
      ...given("patienceMs", options.patience),
      ...given("inputs", options.input),
      ...given("batch", options.batch),
      ...given("threads", options.threads),
      ...given("freeze", options.freeze),
      ...given("heads", options.heads),
      ...given("headWidth", options.headWidth),
      signal,
      clock: io.clock,
      onProgress: progress.update,
      onWarning: warn,
    });
    const { cpu, runtime, threads } = result.device;
    const left = Object.entries(result.notCounted).map(([op, count]) => `${count} ${op}`);
    print(result, () =>
      [
        `${styles.dim("device    ")}  ${printable(cpu)}, ${runtime.name} ${runtime.version}, threads: ${threads}`,
        `${styles.dim("layers    ")}  ${result.entries}, of which ${result.measured} were measured now`,
        `${styles.dim("network   ")}  ${formatNs(result.predictedNs)} as the sum of its layers`,
        ...(left.length > 0 ? [`${styles.dim("not in it ")}  ${left.join(", ")}`] : []),
        `${styles.dim("written   ")}  ${printable(result.output)}`,
      ].join("\n"),
    );
    return 0;
  },
};

/** What the options say of a GPU. */
export function gpuOf(options: OptionValues): GpuOptions {
  const libraries = { ...given("cuda", options.cudaLibrary), ...given("cudnn", options.cudnnLibrary) };
  return { libraries, ...given("precision", options.precision), ...given("layout", options.layout) };
}
