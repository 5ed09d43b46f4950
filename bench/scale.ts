/**
 * Large networks: how long a graph of 10,000 nodes takes to analyse, and what memory pruning a network of 1 GB takes.
 *
 *     npm run bench -- scale [--criteria l1,taylor] [--nodes-only]
 *
 * Needs 4 GB for temporary files (TMPDIR says where), and Linux for the memory: it is the resident size of halp's process
 * and all its children together, read every 50 ms; pages of mapped files count.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { analyzeCoupling } from "../src/coupling/index.js";
import { attr } from "../src/graph/attributes.js";
import { GraphBuilder } from "../src/graph/builder.js";
import { analyzeGraph } from "../src/graph/infer.js";
import type { Model } from "../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../src/graph/tensors.js";
import { decodeModel, encodeModel, writeModel } from "../src/onnx/index.js";
import { findOperator } from "../src/operators/index.js";
import { groupsThatMayVanish } from "../src/rewrite/index.js";
import { uniform } from "../src/runtime/index.js";

export async function benchScale(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { criteria: { type: "string", default: "l1,taylor" }, "nodes-only": { type: "boolean" } },
  });
  console.log(`${cpus()[0]?.model}, Node ${process.version}\n`);
  timeAnalysis();
  if (values["nodes-only"]) return;
  const folder = await mkdtemp(join(tmpdir(), "halp-scale-"));
  try {
    const file = join(folder, "large.onnx");
    await writeModel(wide(2048, 7), file);
    const { size } = await stat(file);
    for (const criterion of values.criteria.split(",")) {
      const start = performance.now();
      const { code, peak } = await pruneWatched(folder, file, criterion);
      const seconds = (performance.now() - start) / 1000;
      console.log(
        `${(size / 1e9).toFixed(3)} GB, ${criterion}: ${(peak / 1e9).toFixed(2)} GB at most, ${(peak / size).toFixed(2)} times its size; ${seconds.toFixed(0)} s, exit code ${code}`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function timeAnalysis(): void {
  const bytes = encodeModel(residual(1428, 16));
  const samples: number[] = [];
  let nodes = 0;
  for (let i = 0; i < 7; i++) {
    const start = performance.now();
    const analyzed = analyzeGraph(decodeModel(bytes), findOperator, {});
    const coupling = analyzeCoupling(analyzed, findOperator);
    groupsThatMayVanish(analyzed, coupling);
    samples.push(performance.now() - start);
    nodes = analyzed.graph.nodes.length;
  }
  const [first = 0] = samples;
  const sorted = samples.toSorted((a, b) => a - b);
  console.log(
    `${nodes} nodes from bytes to groups, and which of them may vanish: ${first.toFixed(0)} ms the first time, median of ${samples.length} ${sorted[samples.length >> 1]?.toFixed(0)} ms (${sorted[0]?.toFixed(0)} to ${sorted.at(-1)?.toFixed(0)})`,
  );
}

/** Residual blocks of seven nodes each. */
function residual(blocks: number, width: number): Model {
  const g = new GraphBuilder();
  const w = (...dims: number[]) =>
    g.initializer(float32Tensor(g.freshName("w"), dims, new Float32Array(sizeOf(dims)).fill(0.1)));
  const norm = (x: string) => g.node("BatchNormalization", [x, w(width), w(width), w(width), w(width)]);
  let y = g.node("Conv", [g.input("x", [1, 3, 8, 8]), w(width, 3, 1, 1)]);
  for (let i = 0; i < blocks; i++) {
    const inner = g.node("Relu", [norm(g.node("Conv", [y, w(width, width, 1, 1)]))]);
    y = g.node("Relu", [g.node("Add", [norm(g.node("Conv", [inner, w(width, width, 1, 1)])), y])]);
  }
  g.output(g.node("Conv", [y, w(5, width, 1, 1)]), [1, 5, 8, 8]);
  return g.model({ opset: 17 });
}

/** A chain of wide convolutions with random weights. */
function wide(width: number, layers: number): Model {
  const g = new GraphBuilder();
  const next = uniform(1);
  const w = (dims: readonly number[], scale: number) =>
    g.initializer(
      float32Tensor(
        g.freshName("w"),
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => scale * (next() - 0.5)),
      ),
    );
  const conv = (x: string, from: number, stride: number) =>
    g.node("Relu", [
      g.node("Conv", [x, w([width, from, 3, 3], Math.sqrt(24 / (9 * from))), w([width], 0.1)], {
        strides: attr.ints([stride, stride]),
        pads: attr.ints([1, 1, 1, 1]),
      }),
    ]);
  let y = conv(g.input("x", [1, 3, 32, 32]), 3, 4);
  for (let i = 0; i < layers; i++) y = conv(y, width, i === 0 ? 2 : 1);
  const flat = g.node("Flatten", [g.node("GlobalAveragePool", [y])]);
  g.output(g.node("Gemm", [flat, w([width, 1000], 0.05), w([1000], 0.1)]), [1, 1000]);
  return g.model({ opset: 13 });
}

async function pruneWatched(
  folder: string,
  file: string,
  criterion: string,
): Promise<{ code: number | null; peak: number }> {
  const halp = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
  const to = ["-o", join(folder, "pruned.onnx"), "--run", join(folder, "run"), "--cache", join(folder, "cache")];
  const child = spawn(
    process.execPath,
    [halp, "prune", file, "--budget", "70%", "--criterion", criterion, "--quiet", ...to],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  let code: number | null | undefined;
  child.once("exit", (c) => {
    code = c;
  });
  let peak = 0;
  while (code === undefined) {
    peak = Math.max(peak, await residentBytes(child.pid ?? 0));
    await wait(50);
  }
  return { code, peak };
}

/** Of a process and all its children; 0 where the system does not tell. */
async function residentBytes(pid: number): Promise<number> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    let bytes = 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    for (const thread of await readdir(`/proc/${pid}/task`))
      for (const child of (await readFile(`/proc/${pid}/task/${thread}/children`, "utf8")).split(" ").filter(Boolean))
        bytes += await residentBytes(Number(child));
    return bytes;
  } catch {
    return 0;
  }
}
