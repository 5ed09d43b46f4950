import { HalpError } from "../../errors.js";
import type { ModelBench } from "../../jobs/index.js";
import type { CommandSpec } from "../command.js";
import { loadModel } from "../load-model.js";
import { checkTakeModels, type Machines, openMachines } from "../machines.js";
import type { OptionValues } from "../options.js";
import { formatNs, formatPercent } from "../quantities.js";
import { printable } from "../style.js";
import { renderTable } from "../table.js";

export const measureCommand: CommandSpec = {
  name: "measure",
  args: [["<MODEL>", "ONNX file"]],
  summary: "time a model on this device, or on a worker's; with --against, two in one run, interleaved",
  options: ["against", "input", "batch", "threads", "pin", "repeats", "seed", "device", "redis"],
  readsConfig: true,
  examples: [
    "halp measure model.onnx --batch 64",
    "halp measure small.onnx --against model.onnx --json",
    "halp measure detector.onnx --input x=1x3x320x320 --threads 2",
    "halp measure small.onnx --against model.onnx --device pi5 --redis redis://build-server:6379",
  ],
  run: async ([path = ""], options, { print, progress, signal, styles, warn, width }) => {
    await using machines = await openMachines(options);
    await checkTakeModels(machines.benches);
    const bench = await benchOf(options, machines);
    // The one that is compared with comes first: ratios are taken to it.
    const paths = options.against === undefined ? [path] : [options.against, path];
    const analyzed = await Promise.all(paths.map((p) => loadModel(p, options)));
    const timings = await bench.measureModels(
      analyzed.map((a) => a.model),
      {
        inputs: analyzed.map((a) => Object.fromEntries(a.inputDims)),
        ...(options.threads === undefined ? {} : { threads: options.threads }),
        ...(options.repeats === undefined ? {} : { samples: options.repeats }),
        ...(options.seed === undefined ? {} : { seed: options.seed }),
        ...(options.pin === undefined ? {} : { pin: options.pin }),
        signal,
        onWarning: warn,
        onProgress: (done, total) => progress.update({ phase: "measuring", done, total }),
      },
    );
    const latencies = new Map(paths.map((p, i) => [p, timings.latencies[i]!]));
    const own = timings.latencies.at(-1)!;
    const paired = timings.paired.at(-1)!;
    const comparison =
      options.against === undefined
        ? {}
        : { against: options.against, ratio: timings.ratios.at(-1)!, spread: paired.q3 - paired.q1 };
    const document = {
      format: "halp.measurement/1",
      model: path,
      ...(options.redis === undefined ? {} : { device: bench.name }),
      ...comparison,
      latencyNs: {
        model: own,
        ...(options.against === undefined ? {} : { against: timings.latencies[0]! }),
      },
      threads: options.threads ?? 1,
      cores: timings.cores,
      inputs: Object.fromEntries(analyzed.at(-1)!.inputDims),
    };
    print(document, () => {
      const table = renderTable(
        [
          { title: "model", flexible: true },
          { title: "median", align: "right" },
          { title: "quartiles", align: "right" },
          { title: "runs", align: "right" },
        ],
        [...latencies].map(([name, l]) => [
          printable(name),
          formatNs(l.median),
          `${formatNs(l.q1)} to ${formatNs(l.q3)}`,
          String(l.count),
        ]),
        width,
        styles.bold,
      );
      if (comparison.ratio === undefined) return table;
      return `${table}\n\n${printable(path)} takes ${styles.bold(formatPercent(comparison.ratio))} of ${printable(comparison.against)}, spread ${formatPercent(comparison.spread)} between paired runs`;
    });
    return 0;
  },
};

/** @throws HalpError HALP_DEVICE_OPTION where --device names more or other than one worker */
async function benchOf({ device, redis }: OptionValues, { benches }: Machines): Promise<ModelBench> {
  const [bench, ...more] = benches;
  if (more.length > 0)
    throw new HalpError("HALP_DEVICE_OPTION", "Whole networks are measured on one device at a time: name one.");
  if (redis === undefined && device !== undefined && device !== "cpu")
    throw new HalpError(
      "HALP_DEVICE_OPTION",
      `Whole networks are measured on the CPU, here or, with --redis URL, on that of a worker; ${device} is neither.`,
    );
  return bench ?? (await import("../../jobs/index.js")).benchHere;
}
