import { HalpError } from "../../errors.js";
import type { Bench } from "../../jobs/index.js";
import type { GpuOptions } from "../../latency/index.js";
import type { ProfileResult } from "../../pipeline/index.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { given } from "../given.js";
import { openMachines } from "../machines.js";
import { networkOptions } from "../network-options.js";
import type { OptionValues } from "../options.js";
import { formatNs } from "../quantities.js";
import { printable, type Styles } from "../style.js";

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
    "redis",
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
    "halp profile model.onnx --device pi5,server --redis redis://build-server:6379 -o 'table-{device}.json'",
  ],
  run: async ([model = ""], options, { io, print, progress, signal, styles, warn }) => {
    const [{ profile }, { parseDevice }] = await Promise.all([
      import("../../pipeline/index.js"),
      import("../../latency/index.js"),
    ]);
    await using machines = await openMachines(options);
    const outputs = outputsOf(options.output!, machines.benches);
    const profileOn = (bench: Bench | undefined, output: string) =>
      profile({
        model,
        output,
        cacheDir: options.cache ?? cacheFolder(),
        ...given("bench", bench),
        ...given("device", bench || options.device === undefined ? undefined : parseDevice(options.device)),
        gpu: gpuOf(options),
        ...networkOptions(options),
        signal,
        clock: io.clock,
        onProgress: bench ? (p) => progress.update({ ...p, phase: `${bench.name}: ${p.phase}` }) : progress.update,
        onWarning: warn,
      });
    const results = await Promise.all(outputs.map(({ bench, output }) => profileOn(bench, output)));
    const [only] = results;
    const document = results.length === 1 && only ? only : { format: "halp.profiles/1", profiles: results };
    print(document, () => results.map((result) => renderProfile(result, styles)).join("\n\n"));
    return 0;
  },
};

/** Where the table of each device goes: `{device}` in the path stands for its name. */
function outputsOf(output: string, benches: readonly Bench[]) {
  if (benches.length === 0) return [{ bench: undefined, output }];
  const outputs = benches.map((bench) => ({ bench, output: output.replaceAll("{device}", bench.name) }));
  if (new Set(outputs.map((o) => o.output)).size < outputs.length)
    throw new HalpError(
      "HALP_OPTION_CONFLICT",
      "Several devices need a table each: write {device} in the path of -o where the name is to stand, such as -o table-{device}.json.",
    );
  return outputs;
}

function renderProfile(result: ProfileResult, styles: Styles): string {
  const { cpu, runtime, threads } = result.device;
  const left = Object.entries(result.notCounted).map(([op, count]) => `${count} ${op}`);
  return [
    `${styles.dim("device    ")}  ${printable(cpu)}, ${runtime.name} ${runtime.version}, threads: ${threads}`,
    `${styles.dim("layers    ")}  ${result.entries}, of which ${result.measured} were measured now`,
    `${styles.dim("network   ")}  ${formatNs(result.predictedNs)} as the sum of its layers`,
    ...(left.length > 0 ? [`${styles.dim("not in it ")}  ${left.join(", ")}`] : []),
    `${styles.dim("written   ")}  ${printable(result.output)}`,
  ].join("\n");
}

/** What the options say of a GPU. */
export function gpuOf(options: OptionValues): GpuOptions {
  const libraries = { ...given("cuda", options.cudaLibrary), ...given("cudnn", options.cudnnLibrary) };
  return { libraries, ...given("precision", options.precision), ...given("layout", options.layout) };
}
