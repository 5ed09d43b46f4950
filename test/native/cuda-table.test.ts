/** Latency tables of a GPU: the stub driver's virtual time has to come out of the table as it went in. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { CudaConvolution } from "../../native/addon.js";
import type { HalpError } from "../../src/errors.js";
import { attr } from "../../src/graph/attributes.js";
import {
  checkCuda,
  createLatencyTable,
  type GpuOptions,
  type LayerConfig,
  lookup,
  measureMissing,
  networkConfigs,
  networkOf,
  notCounted,
  predictNs,
  probeAlignment,
} from "../../src/latency/index.js";
import { loadAddon } from "../../src/runtime/index.js";
import { analyzed, NetBuilder } from "../latency/networks.js";
import { compileStub, missingCompiler } from "./compile.js";
import { stubCost } from "./stub-cost.js";

const loaded = loadAddon();
const skip = missingCompiler() ?? (loaded.addon ? false : loaded.reason);
const stub = skip === false ? compileStub(false) : { path: "", failure: undefined };
const libraries = { cuda: stub.path, cudnn: stub.path };
const device = { kind: "cuda", index: 1 } as const;

// Convolutions take their time here, and are not computed.
process.env.STUB_COMPUTE = "0";

/** The stub is in a child process, which takes its switches from here when it starts. */
async function withSwitch<T>(name: string, value: string, work: () => Promise<T>): Promise<T> {
  process.env[name] = value;
  try {
    return await work();
  } finally {
    delete process.env[name];
  }
}

/** Convolutions of every form that a network has them in, and what they are on the GPU. */
function network(): { configs: readonly LayerConfig[]; layers: readonly CudaConvolution[] } {
  const g = new NetBuilder();
  const x = g.input("x", [2, 3, 16, 16]);
  const stem = g.node("Relu", [g.norm(g.conv(x, 3, 24, 3, 1, 2), 24)]);
  const depthwise = g.node("Clip", [g.conv(stem, 24, 24, 3, 24), g.float32(0), g.float32(6)]);
  const body = g.node("Relu", [g.node("Add", [g.conv(depthwise, 24, 24, 1), stem])]);
  // Padded on one side: so is the input on the GPU.
  const uneven = g.node("Conv", [body, g.weights([40, 24, 3, 3])], { pads: attr.ints([1, 0, 1, 1]) });
  const same = { auto_pad: attr.string("SAME_UPPER"), strides: attr.ints([2, 2]) };
  const last = g.node("Conv", [uneven, g.weights([8, 40, 3, 3])], same);
  g.output(g.node("Softmax", [g.node("Flatten", [g.node("GlobalAveragePool", [last])])]));
  const net = networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 });
  const shape = (inChannels: number, outChannels: number, inHeight: number, kernel: number): CudaConvolution => ({
    batch: 2,
    inChannels,
    inHeight,
    inWidth: inHeight,
    outChannels,
    kernelHeight: kernel,
    kernelWidth: kernel,
  });
  return {
    configs: networkConfigs(net, { dimsOf: () => undefined }),
    layers: [
      { ...shape(3, 24, 16, 3), stride: [2, 2], padding: [1, 1], bias: true, relu: true },
      { ...shape(24, 24, 8, 3), padding: [1, 1], groups: 24, bias: true },
      { ...shape(24, 24, 8, 1), bias: true, residual: true, relu: true },
      { ...shape(24, 40, 8, 3), inWidth: 9, padding: [1, 0] },
      { ...shape(40, 8, 9, 3), inWidth: 7, stride: [2, 2], padding: [0, 1] },
    ],
  };
}

const isConv = (c: LayerConfig) => c.nodes.some((n) => n.opType === "Conv");
const close = (ns: number, ms: number) => Math.abs(ns / (1e6 * ms) - 1) < 1e-3;

t.test("a table of the stub holds its virtual times", { skip }, async (t) => {
  t.equal(stub.failure, undefined, "the stub compiles");
  const { configs, layers } = network();
  const convs = configs.filter(isConv);
  t.equal(convs.length, layers.length);
  const forms: readonly (readonly [GpuOptions, string])[] = [
    [{}, "float32"],
    [{ precision: "tf32" }, "tf32"],
    [{ precision: "fp16", layout: "NHWC" }, "float16"],
  ];
  for (const [form, precision] of forms) {
    const table = await createLatencyTable({ device, gpu: { ...form, libraries } });
    t.match(table.device, {
      cpu: "Stub GPU 1",
      precision,
      clock: "cuda-events",
      runtime: { name: "cudnn", version: "9.1.0", provider: "cuda" },
      gpu: { computeCapability: "8.6", driverVersion: "13.0" },
    });
    t.equal(await measureMissing(table, configs), convs.length);
    convs.forEach((c, i) => {
      const layer = { ...layers[i]!, ...form };
      const { algorithm = "" } = [...table.entries.values()].find((e) => e.ns === lookup(table, c)) ?? {};
      t.ok(
        close(lookup(table, c), stubCost(layer, algorithm)),
        `${precision} layer ${i}: ${lookup(table, c)} ns by ${algorithm}, not ${1e6 * stubCost(layer, algorithm)}`,
      );
    });
    const sum = convs.reduce((ns, c) => ns + lookup(table, c), 0);
    t.equal(predictNs(table, configs), sum, "nothing else counts");
  }
  const table = await createLatencyTable({ device, gpu: { libraries } });
  t.strictSame(
    [...notCounted(table.device, configs)].sort(),
    [
      ["Clip", 1],
      ["Flatten", 1],
      ["GlobalAveragePool", 1],
      ["Softmax", 1],
    ],
    "and it is said",
  );
});

t.test("the alignment is read off the GPU's staircase", { skip }, async (t) => {
  const table = await createLatencyTable({ device, gpu: { libraries } });
  const { outputs, inputs } = await probeAlignment(table);
  t.equal(outputs, 32, "the stub works in steps of 32 outputs");
  t.equal(inputs, 1);
});

t.test("what goes wrong has the driver's name; what was measured is kept", { skip }, async (t) => {
  const { configs } = network();
  const create = (cacheDir: string) => createLatencyTable({ device, gpu: { libraries }, cacheDir });
  const fails = async (name: string, value: string, expected: { code: string; message: RegExp }) => {
    const failure = await withSwitch(name, value, () => create(t.testdir()).catch((e: unknown) => e));
    t.match(failure, { ...expected, exitCode: 1 }, `${name}=${value}`);
  };
  await fails("STUB_DEVICES", "0", { code: "HALP_CUDA", message: /cuInit.*CUDA_ERROR_NO_DEVICE/ });
  await fails("STUB_MEMORY", "1000", { code: "HALP_CUDA", message: /cuMemAlloc_v2.*CUDA_ERROR_OUT_OF_MEMORY/ });
  await fails("STUB_FAIL", "cudnnCreate:1:4", { code: "HALP_CUDNN", message: /cudnnCreate/ });
  await fails("STUB_CUDNN", "7605", { code: "HALP_CUDA_LIBRARY", message: /too old/ });
  await t.rejects(createLatencyTable({ device, gpu: { libraries: { cuda: "libno-such.so" } } }), {
    code: "HALP_CUDA_LIBRARY",
    message: /libno-such\.so[\s\S]*--cuda-library/,
  });

  // Wide enough for several groups: the journal is written group by group.
  const many = Array.from({ length: 30 }, (_, i) => i + 1).flatMap((channels) => {
    const g = new NetBuilder();
    g.output(g.conv(g.input("x", [1, channels, 8, 8]), channels, 16));
    const net = networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 });
    return networkConfigs(net, { dimsOf: () => undefined });
  });
  const cacheDir = t.testdir();
  const table = await create(cacheDir);
  let failure: HalpError | undefined;
  // The reference is convolved without bias, the layers with it: once to try the form, 8 and 128 times to capture it.
  await withSwitch("STUB_FAIL", "cudnnConvolutionBiasActivationForward:2900:8", async () => {
    failure = (await measureMissing(table, many).catch((e: unknown) => e)) as HalpError;
  });
  t.match(failure, { code: "HALP_CUDNN", message: /CUDNN_STATUS_EXECUTION_FAILED[\s\S]*The layer was 13\|/ });
  const done = table.entries.size;
  t.ok(done > 0 && done < many.length, `${done} of ${many.length}`);
  t.ok([...table.entries.values()].every((e) => e.unchecked));
  const again = await create(cacheDir);
  t.equal(again.entries.size, done, "the journal has them");
  t.equal(await measureMissing(again, many), many.length - done, "and only the rest is left to do");
  t.notOk([...again.entries.values()].some((e) => e.unchecked));
  t.equal(await measureMissing(await create(cacheDir), [...many, ...configs.filter((c) => !isConv(c))]), 0);
  t.ok(readFileSync(join(cacheDir, `${table.device.fingerprint}.table.jsonl`), "utf8").length > 0);
});

t.test("where cuDNN has no fused form the convolution alone is timed, and it is said", { skip }, async (t) => {
  const g = new NetBuilder();
  g.output(g.conv(g.input("x", [1, 16, 8, 8]), 16, 16));
  const configs = networkConfigs(networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 }), {
    dimsOf: () => undefined,
  });
  await withSwitch("STUB_UNFUSED", "1", async () => {
    const table = await createLatencyTable({ device, gpu: { libraries } });
    await measureMissing(table, configs);
    t.match([...table.entries.values()], [{ leftOut: ["bias"], algorithm: "WINOGRAD" }]);
  });
});

t.test("doctor's check of a GPU", { skip }, async (t) => {
  const good = await withSwitch("STUB_COMPUTE", "2000000", () => checkCuda(0, libraries));
  t.equal(good.convolutions.length, 10);
  t.ok(good.convolutions.every((c) => c.ms.length === 2 && c.ratio < 1.001));
  t.ok(good.resultError < 1e-5 && good.ok, `result within ${good.resultError}`);
  t.equal(good.gpu.name, "Stub GPU 0");
  process.env.STUB_COMPUTE = "0";
  const wrong = await checkCuda(0, libraries);
  t.ok(!wrong.ok && wrong.resultError > 0.1, "a GPU that computes nothing is found out");
});
