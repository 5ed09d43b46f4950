import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { HalpError } from "../../src/errors.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { readModel, writeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { type PruneOptions, type PruneResult, prune } from "../../src/pipeline/index.js";
import { ownCache } from "../cli/own-cache.js";
import { latencyCache } from "../cli/run-halp.js";
import { Net } from "../coupling/zoo.js";
import { residualNet } from "./networks.js";

const folder = await mkdtemp(join(tmpdir(), "halp-prune-"));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const model = join(folder, "net.onnx");
await writeModel(residualNet(), model);

let runs = 0;
/** Tests never depend on time: whatever is measured counts as met. */
function optionsOf(over: Partial<PruneOptions>): PruneOptions {
  const name = `run${runs++}`;
  return {
    model,
    budget: { kind: "ratio", ratio: 0.6 },
    output: join(folder, `${name}.onnx`),
    runFolder: join(folder, name),
    cacheDir: latencyCache,
    patienceMs: 0,
    rounds: 1,
    tolerance: 1e9,
    ...over,
  };
}

t.test("a network is pruned to a budget, step by step, and the run can be read back", async (t) => {
  const phases = new Set<string>();
  const options = optionsOf({ steps: 3, onProgress: (p) => phases.add(p.phase) });
  const result = await prune(options);
  t.equal(result.format, "halp.result/1");
  t.ok(result.predictedRatio <= 0.6, `predicted ${result.predictedRatio}`);
  t.ok(result.maskedError < 1e-4);
  t.ok(result.parameters.pruned < result.parameters.dense);
  t.ok(result.importanceKept > 0 && result.importanceKept < 1);
  t.ok(result.groups.some((g) => g.kept < g.dense));
  t.ok(phases.has("saliency") && phases.has("measuring"));

  const written = analyzeGraph(await readModel(options.output), findOperator, {});
  t.same(written.types.get(written.graph.outputs[0]?.name ?? "")?.dims, [1, 5], "the output keeps its shape");
  const files = (await readdir(options.runFolder)).sort();
  t.same(files, [
    ...["config.json", "device.json", "layers.json", "plan.json", "problem.json", "result.json", "search.json"],
    ...["step-1.json", "step-2.json"],
  ]);
  t.same(
    JSON.parse(await readFile(join(options.runFolder, "result.json"), "utf8")),
    JSON.parse(JSON.stringify(result)),
  );
  const plan = JSON.parse(await readFile(join(options.runFolder, "plan.json"), "utf8"));
  for (const g of result.groups) if (!g.frozen) t.equal(plan.groups[g.name].kept.length, g.kept);
});

t.test("a frozen layer stays whole, and a criterion is a choice", async (t) => {
  for (const criterion of ["l1", "random"] as const) {
    const result = await prune(optionsOf({ criterion, freeze: ["a.1"], budget: { kind: "ratio", ratio: 0.8 } }));
    const group = result.groups.find((g) => g.name === "a.1");
    t.match(group?.frozen, /--freeze a\.1/);
    t.equal(group?.kept, 64);
  }
});

t.test("what stands in for removed channels goes into the network that is written, which stays as wide", async (t) => {
  const weights = async (standIn: NonNullable<PruneOptions["standIn"]>) => {
    const options = optionsOf({ standIn, criterion: "l1", budget: { kind: "ratio", ratio: 0.8 } });
    const result = await prune(options);
    t.ok(result.maskedError < 1e-4, standIn);
    const { graph } = await readModel(options.output);
    t.equal(
      graph.initializers.some((w) => w.name.endsWith("_absorbed")),
      standIn !== "zero",
      standIn,
    );
    return graph.nodes.map((n) => n.opType);
  };
  const zero = await weights("zero");
  t.same(await weights("mean"), zero);
  t.same(await weights("beta"), zero);
});

t.test("a missed budget ends with exit code 4, its result and the best network so far", async (t) => {
  const options = optionsOf({ tolerance: -0.999 });
  const error = await prune(options).then(
    () => undefined,
    (e: unknown) => e as HalpError,
  );
  t.match(error, { code: "HALP_BUDGET_MISSED", exitCode: 4 });
  t.equal((error?.cause as PruneResult | undefined)?.format, "halp.result/1");
  t.ok((await stat(options.output)).size > 0);
});

t.test("bad input is refused before any work, and nothing is written", async (t) => {
  const cases: [string, number, Partial<PruneOptions>][] = [
    ["HALP_BUDGET_RANGE", 2, { budget: { kind: "ratio", ratio: 1.01 } }],
    ["HALP_BUDGET_RANGE", 2, { budget: { kind: "ratio", ratio: 0 } }],
    ["HALP_BUDGET_RANGE", 2, { budget: { kind: "ns", ns: -3e6 } }],
    ["HALP_INFEASIBLE_BUDGET", 3, { budget: { kind: "ratio", ratio: 0.001 } }],
    ["HALP_FREEZE_NAME", 2, { freeze: ["no.such.layer"] }],
    ["HALP_OUTPUT_UNWRITABLE", 2, { output: join(folder, "no", "such", "folder", "out.onnx") }],
    ["HALP_OUTPUT_UNWRITABLE", 2, { output: folder }],
    ["HALP_RUN_FOLDER", 2, { runFolder: model }],
    ["HALP_NOTHING_TO_PRUNE", 2, { freeze: ["*"] }],
  ];
  for (const [code, exitCode, over] of cases) {
    const options = optionsOf(over);
    await t.rejects(prune(options), { code, exitCode }, code);
    if (options.output !== folder) await t.rejects(stat(options.output), { code: "ENOENT" }, `${code}: no output`);
  }
});

t.test("the smallest latency that can be reached stands in the message of an infeasible budget", async (t) => {
  await t.rejects(prune(optionsOf({ budget: { kind: "ratio", ratio: 0.001 } })), {
    message: /smallest network has a predicted latency of [\d.]+ ms, [\d.]+ % of the present/,
  });
});

t.test("a network with two inputs is pruned by a criterion of its weights; taylor says what to do", async (t) => {
  const n = new Net();
  const left = n.relu(n.conv("left", n.input(3, 32, "a"), 3, 32));
  const right = n.relu(n.conv("right", n.input(3, 32, "b"), 3, 32));
  n.head(n.relu(n.conv("both", n.op("Add", [left, right]), 32, 64)), 64);
  const path = join(folder, "two.onnx");
  await writeModel(n.model(), path);
  const result = await prune(optionsOf({ model: path, criterion: "l1", budget: { kind: "ratio", ratio: 0.7 } }));
  t.ok(result.maskedError < 1e-4 && result.outputError > 0);
  await t.rejects(prune(optionsOf({ model: path })), { name: "HalpError", message: /criterion/ });
});

t.test("Ctrl-C stops a run", async (t) => {
  const controller = new AbortController();
  const options = optionsOf({
    signal: controller.signal,
    cacheDir: await ownCache(join(folder, "cold")),
    onProgress: ({ phase }) => {
      if (phase === "measuring layers") controller.abort();
    },
  });
  await t.rejects(prune(options), { name: "AbortError" });
  await t.rejects(stat(options.output), { code: "ENOENT" });
});

t.test("the same seed gives the same plan", async (t) => {
  const plans: string[] = [];
  for (let i = 0; i < 2; i++) {
    const options = optionsOf({ steps: 2, seed: 7 });
    await prune(options);
    plans.push(await readFile(join(options.runFolder, "plan.json"), "utf8"));
  }
  t.equal(plans[0], plans[1]);
});
