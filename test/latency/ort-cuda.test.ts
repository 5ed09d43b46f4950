/**
 * Tables through ONNX Runtime's CUDA provider, which tests have none of: against a stand-in for the runtime whose clock is
 * virtual, and against the runtime as it is here.
 */
import t from "tap";
import { buildCopies, keepCopies } from "../../src/latency/copies.js";
import {
  createLatencyTable,
  type LayerConfig,
  lookup,
  measureMissing,
  networkConfigs,
  networkOf,
  predictNs,
} from "../../src/latency/index.js";
import { createSession, optimizedModel } from "../../src/runtime/index.js";
import { analyzed, NetBuilder } from "./networks.js";

const device = { kind: "ort-cuda", index: 1 } as const;

/** What the stand-in takes for a node, nanoseconds. */
const costs: Readonly<Record<string, number>> = { Conv: 40_000, Relu: 3000, Add: 5000, Softmax: 7000 };
const otherCost = 2000;
const runCost = 90_000;

/** A module that puts a stand-in in the place of onnxruntime-node, and a virtual clock in that of the process. */
const standIn = (refusal: string) => `
  import Module from "node:module";
  import { decodeModel } from ${JSON.stringify(new URL("../../src/onnx/index.js", import.meta.url).href)};
  let now = 0n;
  process.hrtime.bigint = () => now;
  const costs = ${JSON.stringify(costs)};
  class InferenceSession {
    loadModel(buffer, offset, length, options) {
      const [provider] = options.executionProviders ?? [];
      if (provider?.name !== "cuda" || provider.deviceId !== 1) throw new Error("asked for " + JSON.stringify(provider));
      if (${JSON.stringify(refusal)}) throw new Error(${JSON.stringify(refusal)});
      this.graph = decodeModel(new Uint8Array(buffer, offset, length)).graph;
    }
    get inputMetadata() {
      return this.graph.inputs.map((v) => ({ name: v.name, isTensor: true, type: 1, shape: [], symbolicDimensions: [] }));
    }
    get outputMetadata() {
      return this.graph.outputs.map((v) => ({ name: v.name, isTensor: true, type: 1, shape: [1], symbolicDimensions: [] }));
    }
    run(feeds, fetches) {
      let ns = ${runCost};
      for (const n of this.graph.nodes) ns += costs[n.opType] ?? ${otherCost};
      now += BigInt(ns);
      return Object.fromEntries(
        Object.keys(fetches).map((name) => [name, { type: "float32", dims: [1], data: new Float32Array(1) }]),
      );
    }
    dispose() {}
  }
  class Tensor {}
  const load = Module._load;
  Module._load = (name, ...rest) => {
    if (name === "onnxruntime-node/dist/binding.js") return { binding: { InferenceSession }, initOrt: () => {} };
    if (name === "onnxruntime-node") return { Tensor };
    return load(name, ...rest);
  };`;

async function withStandIn<T>(work: () => Promise<T>, refusal = ""): Promise<T> {
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(standIn(refusal))}`;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = before;
  }
}

function network(): readonly LayerConfig[] {
  const g = new NetBuilder();
  const x = g.node("Relu", [g.conv(g.input("x", [1, 3, 8, 8]), 3, 8)]);
  const y = g.node("Relu", [g.node("Add", [g.conv(x, 8, 8), x])]);
  g.output(g.node("Softmax", [g.node("Flatten", [g.node("GlobalAveragePool", [y])])]));
  const net = networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 });
  return networkConfigs(net, { dimsOf: () => undefined });
}

t.test("every layer's time is the difference of copies", async (t) => {
  const configs = network();
  const table = await withStandIn(async () => {
    const made = await createLatencyTable({ device });
    t.equal(await measureMissing(made, configs), configs.length);
    return made;
  });
  t.match(table.device, {
    clock: "wall-differences",
    runtime: { name: "onnxruntime-node", provider: "cuda" },
    traits: { blockSize: 1 },
  });
  for (const c of configs) {
    const expected = c.nodes.reduce((ns, n) => ns + (costs[n.opType] ?? otherCost), 0);
    t.equal(lookup(table, c), expected, c.nodes.map((n) => n.opType).join("+"));
  }
  // What a run costs: the nodes that make the copies' input and read one element are in it.
  t.equal(table.device.calibration.runNs, runCost + 3 * otherCost);
  t.equal(
    predictNs(table, configs) - table.device.calibration.runNs,
    2 * 40_000 + 2 * 3000 + 5000 + 7000 + 2 * otherCost,
  );
});

t.test("what is missing is said", async (t) => {
  const refused = await withStandIn(
    () => createLatencyTable({ device }).catch((e: unknown) => e),
    "CUDA out of memory",
  );
  t.match(refused, { code: "HALP_RUNTIME_LOAD", message: /out of memory/, exitCode: 1 });
  const precise = createLatencyTable({ device, gpu: { precision: "fp16" } });
  await t.rejects(precise, { code: "HALP_DEVICE_OPTION", exitCode: 2 });
  const here = await createLatencyTable({ device }).catch((e: unknown) => e);
  if (here instanceof Error)
    t.match(here, { code: "HALP_PROVIDER_MISSING", message: /--onnxruntime-node-install=cuda12/, exitCode: 1 });
  else t.pass("there is a CUDA provider here");
});

t.test("the runtime runs all copies, those that nobody reads included", async (t) => {
  for (const config of network()) {
    const { model, feeds } = buildCopies(config, 5);
    const optimized = optimizedModel(model, 1, keepCopies);
    const names = optimized.graph.nodes.map((n) => n.name + n.outputs.join());
    const operators = config.nodes.map((n) => n.opType).join("+");
    for (let i = 0; i < 5; i++)
      t.ok(
        names.some((n) => n.includes(`L${i}_`)),
        `copy ${i} of ${operators}`,
      );
    using session = createSession(model, { config: keepCopies });
    t.equal(Object.keys(session.run(feeds)).length, 1);
  }
});
