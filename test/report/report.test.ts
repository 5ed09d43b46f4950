/** `halp report`: what a run folder tells, and what it says of folders that are none. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import type { LayerTimes } from "../../src/latency/index.js";
import { readRun, worstLayers } from "../../src/report/index.js";
import { runHalp } from "../cli/run-halp.js";

const folder = t.testdir();
const result = {
  format: "halp.result/1",
  budgetRatio: 0.7,
  predictedRatio: 0.69,
  measuredRatio: 0.71,
  heldAgainst: "measured",
  latencyNs: { dense: 1_000_000, pruned: 710_000 },
  spread: 0.01,
  parameters: { dense: 1000, pruned: 600 },
  accuracy: null,
  maskedError: 1e-7,
  outputError: 0.1,
  importanceKept: 0.9,
  steps: 1,
  rounds: 0,
  groups: [{ name: "conv1", dense: 16, kept: 8 }],
  output: "out.onnx",
  warnings: ["the machine was busy"],
};
const layer = (name: string, predictedNs: number | null, measuredNs: number | null): LayerTimes => ({
  name,
  operators: "Conv+Relu",
  predictedNs,
  measuredNs,
});
const layers = {
  format: "halp.layers/1",
  dense: { layers: [layer("right", 500_000, 500_000), layer("unknown", null, 10)], unattributedNs: 7000 },
  pruned: {
    layers: [
      layer("close", 300_000, 310_000),
      layer("slow\u001b[31m", 200_000, 300_000),
      layer("fast", 90_000, 40_000),
    ],
    unattributedNs: null,
  },
};

function run(name: string, files: Readonly<Record<string, unknown>>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [file, content] of Object.entries(files))
    writeFileSync(join(path, file), typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

t.test("the layers that a prediction failed on come first", async (t) => {
  const path = run("whole", { "result.json": result, "layers.json": layers });
  const ran = await runHalp(["report", path, "--json"]);
  t.equal(ran.status, 0, ran.stderr);
  const report = JSON.parse(ran.stdout);
  t.match(report, { format: "halp.report/1", run: path, result });
  t.match(report.layers.dense, { compared: 1, untold: 1, predictedNs: 500_000, unattributedNs: 7000 });
  t.strictSame(
    report.layers.pruned.worst.map((l: { name: string; missedByNs: number }) => [l.name, l.missedByNs]),
    [
      ["slow\u001b[31m", 100_000],
      ["fast", -50_000],
      ["close", 10_000],
    ],
  );
  const text = (await runHalp(["report", path])).stdout;
  t.match(text, /measured\s+71\.0 %/);
  t.match(text, /warning: the machine was busy/);
  t.match(
    text,
    /slow\?\[31m .*200\.0 us +300\.0 us +\+100\.0 us +15\.4 %/,
    "names do not reach the terminal as they are",
  );
  t.notMatch(text, "\u001b");
});

t.test("runs without times of layers", async (t) => {
  const none = run("none", { "result.json": result });
  t.match(JSON.parse((await runHalp(["report", none, "--json"])).stdout), { layers: null });
  t.match((await runHalp(["report", none])).stdout, /kept no times/);
  const elsewhere = { layers: [layer("a", 10, null)], unattributedNs: null };
  const foreign = run("foreign", {
    "result.json": { ...result, heldAgainst: "predicted" },
    "layers.json": { format: "halp.layers/1", dense: elsewhere, pruned: elsewhere },
  });
  t.match((await runHalp(["report", foreign])).stdout, /nothing to compare/);
});

t.test("folders that hold no run", async (t) => {
  for (const [path, code] of [
    [join(folder, "nowhere"), "HALP_RUN_MISSING"],
    [run("empty", {}), "HALP_RUN_MISSING"],
    [run("half", { "result.json": '{"format": "halp.res' }), "HALP_RUN_CORRUPT"],
    [run("other", { "result.json": { format: "halp.plan/1" } }), "HALP_RUN_CORRUPT"],
    [run("wordy", { "result.json": { ...result, spread: "small" } }), "HALP_RUN_CORRUPT"],
    [run("bare", { "result.json": result, "layers.json": { format: "halp.layers/1", dense: {} } }), "HALP_RUN_CORRUPT"],
  ] as const) {
    const ran = await runHalp(["report", path]);
    t.equal(ran.status, 2, path);
    t.match(ran.stderr, code);
    t.equal(ran.stdout, "");
  }
});

t.test("whatever stands in the files, reading answers or refuses", async () => {
  let n = 0;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(result)), fc.json(), fc.json(), (key, value, other) => {
      const changed = { ...result, [key]: JSON.parse(value) };
      const path = run(`fuzz${n++}`, { "result.json": changed, "layers.json": other });
      try {
        readRun(path);
      } catch (error) {
        if ((error as { code?: string }).code !== "HALP_RUN_CORRUPT") throw error;
      }
    }),
    { numRuns: 300 },
  );
});

t.test("the worst layers are a sorted part of those compared", async () => {
  const time = fc.option(fc.integer({ min: 0, max: 1e9 }));
  const anyLayers = fc.array(fc.tuple(fc.string(), time, time));
  fc.assert(
    fc.property(anyLayers, fc.integer({ min: 0, max: 20 }), (given, most) => {
      const all = given.map(([name, predicted, measured]) => layer(name, predicted, measured));
      const { compared, untold, worst, predictedNs, measuredNs } = worstLayers(
        { layers: all, unattributedNs: null },
        most,
      );
      if (compared + untold !== all.length || worst.length !== Math.min(most, compared)) return false;
      const everything = worstLayers({ layers: all, unattributedNs: null }, Number.POSITIVE_INFINITY).worst;
      const missed = everything.reduce((sum, l) => sum + l.missedByNs, 0);
      const sorted = everything.every(
        (l, i) => i === 0 || Math.abs(everything[i - 1]!.missedByNs) >= Math.abs(l.missedByNs),
      );
      return sorted && missed === measuredNs - predictedNs;
    }),
  );
});
