/** Convolutions on a GPU, through the addon: cuDNN's, between CUDA events. Other operators are not timed there. */
import { HalpError } from "../errors.js";
import { type Child, lowerMean, readConditions, spawnChild, summarize } from "../runtime/index.js";
import { type ConvShape, convolutionOf } from "./convolution.js";
import type { CudaOpened, CudaOpenTask, CudaTimed, CudaTimeTask } from "./cuda-child.js";
import { describeDevice, fingerprintOf, type GpuForm, type TableDevice, type TableGpu } from "./device.js";
import { driftOf, type Item, type Meter, type MeterOptions } from "./meter.js";
import type { TableEntry } from "./table.js";
import { plainTraits } from "./traits.js";

/** Convolutions that are kept at once: what a killed run loses at most. */
const groupSize = 8;
const warmup = 10;
/** Each of as many convolutions as take half a millisecond. */
const repetitions = 30;

/** Timed with every group, by which a drift of the GPU's clock shows. */
const reference: ConvShape = {
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
  bias: false,
  residual: false,
  relu: false,
};

/** The reference is timed until it was no faster so many times in a row. */
const steadyTimes = 4;
const steadyWithin = 0.005;
const mostReferences = 40;

/** @throws HalpError HALP_ADDON_MISSING, HALP_CUDA_LIBRARY, HALP_CUDA, HALP_CUDNN */
export async function openCudaMeter(index: number, options: MeterOptions): Promise<Meter> {
  const { gpu, signal } = options;
  const form: GpuForm = { precision: gpu.precision ?? "fp32", layout: gpu.layout ?? "NCHW" };
  const child = spawnChild(new URL("./cuda-child.js", import.meta.url), signal ? { signal } : {});
  try {
    const task: CudaOpenTask = { index, libraries: gpu.libraries ?? {} };
    const opened = await child.request<CudaOpened>("open", task);
    const device = deviceOf(opened, form);
    return {
      fingerprint: device.fingerprint,
      describe: async () => ({ ...device, referenceNs: await settledReferenceNs(child, form) }),
      groupsOf: (items) =>
        Array.from({ length: Math.ceil(items.length / groupSize) }, (_, i) =>
          items.slice(i * groupSize, (i + 1) * groupSize),
        ),
      measure: async (table, group) => {
        const drift = driftOf(table, await referenceNs(child, form));
        const entries: [string, TableEntry][] = [];
        for (const item of group) entries.push([item[0], await timeLayer(child, form, item, drift)]);
        return entries;
      },
      [Symbol.dispose]: () => child.dispose(),
    };
  } catch (error) {
    child.dispose();
    throw error;
  }
}

function deviceOf({ device, cudnnVersion }: CudaOpened, form: GpuForm): TableDevice {
  const { arch, platform, node, cores } = describeDevice();
  const gpu: TableGpu = { ...device, cudnnVersion, ...form };
  const { name, computeCapability, multiprocessors, driverVersion } = device;
  const parts = ["cuda", name, computeCapability, multiprocessors, driverVersion, cudnnVersion, form, 2];
  const { cores: _, ...conditions } = readConditions();
  return {
    fingerprint: fingerprintOf(parts),
    cpu: name,
    flags: [],
    cores,
    arch,
    platform,
    node,
    runtime: { name: "cudnn", version: cudnnVersion, provider: "cuda" },
    threads: 1,
    precision: form.precision === "fp16" ? "float16" : form.precision === "tf32" ? "tf32" : "float32",
    clock: "cuda-events",
    traits: plainTraits,
    // The time of an event is that of the GPU: nothing is added, and what a run costs besides is not known.
    calibration: { nodeNs: 0, runNs: 0, idleNs: 0 },
    referenceNs: 0,
    conditions: { cores: [], ...conditions },
    gpu,
  };
}

async function referenceNs(child: Child, form: GpuForm): Promise<number> {
  const task: CudaTimeTask = { shape: reference, form, warmup, repetitions };
  const { milliseconds } = await child.request<CudaTimed>("time", task);
  return 1e6 * lowerMean(milliseconds);
}

/** An idle GPU's clock is low, and rises for some tenths of a second: all later times are held against this one. */
async function settledReferenceNs(child: Child, form: GpuForm): Promise<number> {
  let least = await referenceNs(child, form);
  for (let steady = 0, i = 0; steady < steadyTimes && i < mostReferences; i++) {
    const next = await referenceNs(child, form);
    steady = next > least * (1 - steadyWithin) ? steady + 1 : 0;
    least = Math.min(least, next);
  }
  return least;
}

async function timeLayer(child: Child, form: GpuForm, [key, config]: Item, drift: number): Promise<TableEntry> {
  const { shape } = convolutionOf(config) ?? {};
  if (!shape) throw new Error(`unreachable: ${key} is a convolution`);
  const task: CudaTimeTask = { shape, form, warmup, repetitions };
  const timed = await child.request<CudaTimed>("time", task).catch((error: unknown) => {
    if (!(error instanceof HalpError)) throw error;
    const where = `The layer was ${key}. What was measured before it is kept.`;
    throw new HalpError(error.code, `${error.message}\n${where}`, {
      name: key,
      cause: error,
      exitCode: error.exitCode,
    });
  });
  const ns = timed.milliseconds.map((ms) => 1e6 * ms * drift);
  const { min, q1, median, q3, count } = summarize(ns);
  const [low, first, middle, third] = [min, q1, median, q3].map(Math.round) as [number, number, number, number];
  const { bias, residual, relu } = shape;
  const fused = [...(bias ? ["bias"] : []), ...(residual ? ["Add"] : []), ...(relu ? ["Relu"] : [])];
  return {
    config,
    ns: Math.round(lowerMean(ns)),
    samples: { min: low, q1: first, median: middle, q3: third, count },
    kernels: 1,
    layoutAsExpected: true,
    algorithm: timed.algorithm,
    ...(timed.alone ? { leftOut: fused } : {}),
  };
}
