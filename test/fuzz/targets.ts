/** Everything that reads what others wrote, each with files that it can read to begin from. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { readConfig } from "../../src/cli/config-file.js";
import { makeOption } from "../../src/cli/options.js";
import { readProblems } from "../../src/cli/read-problems.js";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { decodeImage } from "../../src/data/decode-image.js";
import { openDataset } from "../../src/data/index.js";
import { openLabels } from "../../src/data/label-array.js";
import { HalpError } from "../../src/errors.js";
import { readArrays } from "../../src/exchange/index.js";
import { readTensors } from "../../src/finetune/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { checkRecipe, evaluateTask, layersTask, meterTask, modelsTask, scoreTask } from "../../src/jobs/check-task.js";
import { importTable } from "../../src/latency/import-table.js";
import { type LayerConfig, layerKey } from "../../src/latency/index.js";
import { openTable } from "../../src/latency/table-file.js";
import { encodeModel, readModel, validateModel, writeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { createSolver, type Problem } from "../../src/solver/index.js";
import { bytesOf, idxBytes, jpegBytes, npyBytes, patternBytes, pngBytes } from "../data/files.js";
import { device } from "../latency/table-device.js";
import { randomProblem } from "../solver/random-problem.js";
import { zoo } from "../zoo/index.js";
import { Layers } from "../zoo/layers.js";

import { runTargets } from "./run-targets.js";
import { stored, type Target, text } from "./target.js";

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
};

function models(): Uint8Array[] {
  return ["VGG", "MobileNetV3", "UNet", "ShuffleNetV2"].map((name) => {
    const network = zoo.find((n) => n.name === name) ?? zoo[0]!;
    const net = new Layers(13);
    network.build(net);
    return encodeModel(net.model(13));
  });
}

async function drain(path: string, kind?: string): Promise<void> {
  const dataset = await openDataset({ path, ...(kind === undefined ? {} : { kind: kind as "npy" }) });
  let batches = 0;
  for await (const _ of dataset.batches({ batchSize: 4 })) if (++batches === 4) break;
}

/** An entry of a table, for a Relu over so many channels. */
function entryOf(channels: number) {
  const config: LayerConfig = {
    opset: 13,
    inputs: [{ dtype: "float32", dims: [1, channels, 8, 8], layout: "plain" }],
    constants: [],
    nodes: [{ opType: "Relu", domain: "", attributes: {}, inputs: ["i0"], outputs: 1 }],
    results: [{ value: "n0", layout: "plain" }],
  };
  const samples = { min: 1, q1: 1, median: 1, q3: 1, count: 9 };
  return { key: layerKey(config), config, ns: 1, samples, kernels: 1, layoutAsExpected: true };
}

/** What workers are sent, and the recipe of a score graph. */
const sha256 = "0".repeat(64);
const shard = {
  data: { kind: "stored", spec: { path: "/data", kind: "npy", size: [8, 8], normalize: { mean: [0.5], scale: 1 } } },
  mark: { size: 10, sha256 },
  ...{ batchSize: 4, from: 0, count: 2, threads: 1 },
};
const { key, config } = entryOf(3);
const tasks: readonly object[] = [
  { threads: 1, pin: [0, 1], patienceMs: 5, bankLayers: 12, device, layers: [[key, config]] },
  { models: [sha256], inputs: { x: [1, 3, 8, 8] }, threads: 1, pin: "auto", seed: 3, samples: 10 },
  { ...shard, graph: sha256, recipe: sha256, shuffleSeed: 1 },
  { ...shard, data: { kind: "drawn", dims: [1, 3, 8, 8], seed: 2 }, model: sha256, limit: 10 },
  {
    input: { name: "x", dims: [4, 3, 8, 8] },
    feeds: [{ name: "t", dims: [4], kind: "target" }],
    sums: [{ output: "s", rows: 4, channels: [0, -1, 1] }],
    ...{ channelCount: 2, repeats: 1, seed: 0, perSample: true, isLarge: false },
  },
];

const floats = bytesOf(Float32Array.from({ length: 2 * 3 * 4 * 4 }, (_, i) => i / 7));

export const targets: readonly Target[] = [
  {
    name: "onnx",
    file: "model.onnx",
    seeds: models,
    read: async (path) => {
      const model = await readModel(path);
      validateModel(model, { file: path });
      const analyzed = analyzeGraph(model, findOperator, { batch: 1 });
      analyzeCoupling(analyzed, findOperator);
      encodeModel(model);
    },
  },
  {
    name: "external-data",
    file: "model.onnx",
    seeds: async () => {
      const folder = mkdtempSync(join(tmpdir(), "halp-fuzz-seed-"));
      try {
        const net = new Layers(13);
        zoo[0]!.build(net);
        await writeModel(net.model(13), join(folder, "model.onnx"), { externalData: { threshold: 64 } });
        return [readFileSync(join(folder, "model.onnx"))];
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    prepare: (folder) => writeFileSync(join(folder, "model.onnx.data"), patternBytes(60_000)),
    read: async (path) => validateModel(await readModel(path), { file: path }),
  },
  {
    name: "npy",
    file: "x.npy",
    seeds: () => [
      npyBytes("<f4", [2, 3, 4, 4], floats),
      npyBytes("|u1", [3, 5], patternBytes(15)),
      npyBytes(">i2", [6], patternBytes(12)),
    ],
    read: (path) => drain(path),
  },
  {
    name: "npz",
    file: "x.npz",
    seeds: () => [
      zipSync({ "x.npy": npyBytes("<f4", [2, 3, 4, 4], floats), "y.npy": npyBytes("<i8", [2], new Uint8Array(16)) }),
      zipSync({ "w.npy": npyBytes("<f8", [3], new Uint8Array(24)) }, { level: 0 }),
    ],
    read: async (path) => {
      await readArrays(path);
      await drain(path);
    },
  },
  {
    name: "idx",
    file: "t10k-images-idx3-ubyte",
    seeds: () => [idxBytes([3, 4, 4], patternBytes(48)), idxBytes([5], patternBytes(5))],
    read: (path) => drain(path, "idx"),
  },
  {
    name: "png",
    file: "a/x.png",
    seeds: async () => [await pngBytes(6, 5, 3, patternBytes(90)), await pngBytes(4, 4, 1, patternBytes(16))],
    read: async (path) => void (await decodeImage(path, path, { channels: 3, size: [4, 4] })),
  },
  {
    name: "jpeg",
    file: "a/x.jpg",
    seeds: async () => [await jpegBytes(8, 8, [200, 10, 90])],
    read: async (path) => void (await decodeImage(path, path, { channels: 3, size: [4, 4] })),
  },
  {
    name: "table",
    file: "table.json",
    seeds: () => [text({ format: "halp.table/1", device, entries: [4, 8].map(entryOf) })],
    read: (path) => void openTable(path),
  },
  {
    name: "imported-table",
    file: "measured.json",
    seeds: () => [text({ "1_16_32_28_3_1_1": 0.12, "1_16_16_28_3_1_1": 0.08, "1_8_32_28_3_1_8": 0.05 })],
    read: (path) => void importTable(path, "device"),
  },
  {
    name: "problem",
    file: "problem.json",
    seeds: () => [1, 2, 3, 4].map((seed) => text(randomProblem(seed, { pairs: seed % 2 === 0 }).problem)),
    read: (_path, bytes) => {
      const problem = parsed(bytes);
      if (problem === undefined) return;
      const limits = { timeLimitMs: 200, maxStates: 10_000 };
      createSolver({ memoryLimitBytes: 64 * 2 ** 20 }).solve(problem as Problem, 100, limits);
    },
  },
  {
    name: "problem-lines",
    file: "problems.jsonl",
    seeds: () => [text([1, 2].map((seed) => JSON.stringify(randomProblem(seed, {}).problem)).join("\n"))],
    read: async (_path, bytes) => {
      async function* stream() {
        yield new TextDecoder().decode(bytes);
      }
      for await (const _ of readProblems(stream(), true));
    },
  },
  {
    name: "config",
    file: "halp.config.json",
    seeds: () => [
      text({
        budget: "70%",
        threads: 2,
        input: { x: [1, 3, 32, 32] },
        freeze: ["a*"],
        mean: [0.5, 0.2],
        steps: 3,
        soft: true,
      }),
    ],
    read: (path) => {
      const options = (
        ["budget", "threads", "input", "freeze", "mean", "steps", "soft", "mode", "minChannels"] as const
      ).map(makeOption);
      readConfig(path, options, options);
    },
  },
  {
    name: "checkpoint",
    file: "state.safetensors",
    seeds: () => [stored({ a: [2, 3], "b.weight": [4] })],
    read: async (path) => {
      await readTensors(path);
      await readArrays(path);
    },
  },
  {
    name: "labels",
    file: "labels",
    seeds: () => [
      text([1, 0, 2]),
      text("1\n0\n2\n"),
      npyBytes("<i8", [3], new Uint8Array(24)),
      idxBytes([4], patternBytes(4)),
    ],
    read: async (path) => {
      await openLabels(path, { path, classes: 256 });
    },
  },
  {
    name: "label-numbers",
    file: "labels",
    seeds: () => [
      text([
        [1, 0.5],
        [2, -3],
      ]),
      npyBytes("<f4", [2, 3, 4, 4], floats),
    ],
    read: async (path) => {
      const labels = await openLabels(path, { path, labelsAs: "numbers" });
      if (!("open" in labels)) return;
      const reader = await labels.open();
      const size = labels.dims.reduce((a, b) => a * b, 1);
      if (labels.count > 0 && size < 1000) await reader.readInto(0, new Float32Array(size), 0);
      await reader.close?.();
    },
  },
  {
    name: "list",
    file: "list.txt",
    seeds: () => [text("# two\na.png 1\na.png\t0\n"), text("a.png\r\n\r\na.png")],
    prepare: async (folder) => writeFileSync(join(folder, "a.png"), await pngBytes(2, 2, 3, patternBytes(12))),
    read: (path) => drain(path),
  },
  {
    name: "task",
    file: "task.json",
    seeds: () => tasks.map(text),
    read: (path) => {
      const task = parsed(readFileSync(path));
      for (const check of [meterTask, layersTask, modelsTask, scoreTask, evaluateTask, checkRecipe])
        try {
          check(task);
        } catch (error) {
          if (!(error instanceof HalpError)) throw error;
        }
    },
  },
  ...runTargets,
];
