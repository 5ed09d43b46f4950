/** Layers on ONNX Runtime's CUDA provider. Only whole runs can be timed there: layers come from differences. */
import { HalpError } from "../errors.js";
import { readConditions, spawnChild } from "../runtime/index.js";
import type { LayerConfig } from "./config.js";
import { type ConvShape, convConfig } from "./convolution.js";
import { describeDevice, fingerprintOf, type TableDevice } from "./device.js";
import { driftOf, type Item, type Meter, type MeterOptions } from "./meter.js";
import type { OrtCudaOpened, OrtCudaTask, OrtCudaTimed } from "./ort-cuda-child.js";
import type { TableEntry } from "./table.js";
import { plainTraits } from "./traits.js";

const groupSize = 8;
const runs = 60;

const shape: ConvShape = {
  batch: 8,
  inChannels: 64,
  inHeight: 56,
  inWidth: 56,
  outChannels: 64,
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
  dilation: [1, 1],
  groups: 1,
  bias: true,
  residual: false,
  relu: true,
};
const reference: LayerConfig = convConfig(shape);

/**
 * @throws HalpError HALP_PROVIDER_MISSING where the provider is not installed, HALP_DEVICE_OPTION where a precision or layout
 *   is asked for: the runtime chooses both itself
 */
export async function openOrtCudaMeter(index: number, options: MeterOptions): Promise<Meter> {
  const { gpu, signal } = options;
  if (gpu.precision !== undefined || gpu.layout !== undefined)
    throw new HalpError(
      "HALP_DEVICE_OPTION",
      "ONNX Runtime's CUDA provider chooses precision and layout itself; give --precision and --layout with --device cuda:N only.",
    );
  const child = spawnChild(new URL("./ort-cuda-child.js", import.meta.url), signal ? { signal } : {});
  const time = (config: LayerConfig) =>
    child.request<OrtCudaTimed>("time", { config, index, runs } satisfies OrtCudaTask);
  try {
    const opened = await child.request<OrtCudaOpened>("open", { index });
    const device = deviceOf(opened, index);
    // Now, not at the first layer: where the provider is missing nothing else need be tried.
    const first = await time(reference);
    return {
      fingerprint: device.fingerprint,
      describe: async () => ({
        ...device,
        calibration: { nodeNs: 0, runNs: first.restNs, idleNs: 0 },
        referenceNs: first.ns,
      }),
      groupsOf: (items) =>
        Array.from({ length: Math.ceil(items.length / groupSize) }, (_, i) =>
          items.slice(i * groupSize, (i + 1) * groupSize),
        ),
      measure: (table, group) => measureGroup(time, table, group),
      [Symbol.dispose]: () => child.dispose(),
    };
  } catch (error) {
    child.dispose();
    throw error;
  }
}

async function measureGroup(
  time: (config: LayerConfig) => Promise<OrtCudaTimed>,
  table: TableDevice,
  group: readonly Item[],
): Promise<[string, TableEntry][]> {
  const drift = driftOf(table, (await time(reference)).ns);
  const entries: [string, TableEntry][] = [];
  for (const [key, config] of group) {
    const { ns, samples } = await time(config);
    const net = (v: number): number => Math.round(v * drift);
    const { min, q1, median, q3, count } = samples;
    entries.push([
      key,
      {
        config,
        ns: net(ns),
        samples: { min: net(min), q1: net(q1), median: net(median), q3: net(q3), count },
        kernels: config.nodes.length,
        layoutAsExpected: true,
      },
    ]);
  }
  return entries;
}

function deviceOf({ runtimeVersion, gpuName }: OrtCudaOpened, index: number): TableDevice {
  const { arch, platform, node, cores } = describeDevice();
  const name = gpuName ?? `CUDA device ${index}`;
  const { cores: _, ...conditions } = readConditions();
  return {
    fingerprint: fingerprintOf(["ort-cuda", name, runtimeVersion, 1]),
    cpu: name,
    flags: [],
    cores,
    arch,
    platform,
    node,
    runtime: { name: "onnxruntime-node", version: runtimeVersion, provider: "cuda" },
    threads: 1,
    precision: "float32",
    clock: "wall-differences",
    traits: plainTraits,
    calibration: { nodeNs: 0, runNs: 0, idleNs: 0 },
    referenceNs: 0,
    conditions: { cores: [], ...conditions },
  };
}
