/** The files of run folders, and the caches that runs share. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readInvocation } from "../../src/cli/resume.js";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import { exportRun } from "../../src/exchange/index.js";
import { createFormChooser, readForms } from "../../src/finetune/forms.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { writeModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import type { FormTask } from "../../src/operators/spec.js";
import { readProgress } from "../../src/pipeline/epochs.js";
import { lockRunFolder } from "../../src/pipeline/run-lock.js";
import { readState } from "../../src/pipeline/run-state.js";
import { openWholeWeights } from "../../src/pipeline/whole-weights.js";
import { readRun, reportData } from "../../src/report/index.js";
import { applyPlan } from "../../src/rewrite/index.js";
import { residualNet } from "../pipeline/networks.js";
import { writeRun } from "../report/runs.js";
import { stored, type Target, text } from "./target.js";

export const runTargets: readonly Target[] = [
  {
    name: "run-state",
    file: "state.safetensors",
    seeds: () => {
      const plan = smallNet().coupling.groups.map((g) => Array.from({ length: g.size }, (_, i) => i));
      const state = { step: 2, ratios: [0.6], plan, kept: 0.9, predictedNs: [1e6] };
      const measured = { on: [{ ratio: 0.6, spread: 0.1, denseNs: 2, prunedNs: 1 }], rounds: 1 };
      // A small one of the network's weights.
      const bias = smallNet().analyzed.graph.initializers.find(
        ({ dtype, dims }) => dtype === "float32" && dims.length === 1,
      )!;
      return [state, { ...state, measured }].map((s) =>
        stored({ [bias.name]: bias.dims }, { state: JSON.stringify(s) }),
      );
    },
    read: async (path) => {
      const read = await readState(dirname(path), smallNet().coupling);
      if (read) applyPlan(smallNet().analyzed, smallNet().coupling, read.state.plan, findOperator);
      if (read) openWholeWeights(smallNet().analyzed).restore(read.tensors);
    },
  },
  {
    name: "progress",
    file: "checkpoint.safetensors",
    seeds: () => {
      const line = { epoch: 1, step: 9, loss: 0.5, trainAccuracy: null, accuracy: 0.5, learningRate: 0.1 };
      const log = [{ ...line, skippedSteps: 0, seconds: 3 }];
      const counts = { correct: 3, judged: 8, skipped: 0, skippedBefore: 0, learningRate: 0.1, seconds: 2.5 };
      const progress = { epoch: 1, step: 4, lossSum: 2, ...counts, accuracyBefore: 0.1, log };
      return [stored({ a: [2] }, { progress: JSON.stringify(progress), steps: "13" })];
    },
    read: async (path) => void (await readProgress(path)),
  },
  {
    name: "forms",
    file: "forms.json",
    seeds: () => [text({ format: "halp.forms/2", forms: { "conv of 1x2, 1 threads": "plain" } })],
    read: async (path) => {
      const task: FormTask = {
        key: "conv",
        inputs: [{ value: "x", dims: [1, 2] }],
        forms: { plain: () => "y", other: () => "y" },
      };
      const choose = createFormChooser(
        13,
        1,
        new Map([...(await readForms(path)), ["conv of 1x2, 1 threads", "plain"]]),
      );
      choose.choose(task);
    },
  },
  {
    name: "resume",
    file: "config.json",
    seeds: () => [
      text({
        format: "halp.config/1",
        command: { name: "prune", args: ["x.onnx"], options: { budget: "50%", epochs: 2 }, folder: "/" },
      }),
    ],
    read: (path) => void readInvocation("prune", dirname(path), "/"),
  },
  {
    name: "lock",
    file: "run.lock",
    seeds: () => [text({ pid: 2 ** 22 + 1, host: hostname(), began: "1 2", since: "2026-01-01T00:00:00.000Z" })],
    read: async (path) => {
      await using _lock = await lockRunFolder(dirname(path));
    },
  },
  {
    name: "plan",
    file: "plan.json",
    prepare: async (folder) => {
      const { analyzed } = smallNet();
      await writeModel(analyzed.model, join(folder, "net.onnx"));
      const put = (name: string, value: object) => writeFileSync(join(folder, name), JSON.stringify(value));
      put("config.json", { format: "halp.config/1", model: "net.onnx", command: { folder } });
      put("result.json", { format: "halp.result/1", output: "net.onnx" });
    },
    seeds: () => {
      const groups = smallNet().coupling.groups.filter((g) => g.frozen === undefined);
      const whole = (size: number) => Array.from({ length: size }, (_, i) => i);
      const entries = groups.map(({ name, size }) => [name, { size, kept: whole(size) }]);
      return [text({ format: "halp.plan/1", groups: Object.fromEntries(entries) })];
    },
    read: async (path) => void (await exportRun(dirname(path))),
  },
  ...["search.json", "problem.json", "layers.json", "device.json", "config.json", "log.jsonl"].map(fileOfRun),
  {
    name: "run",
    file: "result.json",
    seeds: () => [
      text({
        ...{
          format: "halp.result/1",
          budgetRatio: 0.5,
          predictedRatio: 0.5,
          measuredRatio: 0.5,
          spread: 0.1,
          maskedError: 0,
        },
        ...{
          outputError: 0.1,
          importanceKept: 0.9,
          steps: 1,
          rounds: 1,
          heldAgainst: "measured",
          accuracy: null,
          training: null,
        },
        ...{ latencyNs: { dense: 2, pruned: 1 }, parameters: { dense: 2, pruned: 1 }, output: "x.onnx", warnings: [] },
        groups: [{ name: "a", dense: 4, kept: 2 }],
      }),
    ],
    read: (path) => void readRun(dirname(path)),
  },
];

/** One file of a run folder, the others whole. */
function fileOfRun(file: string): Target {
  const write = (folder: string) => void writeRun(folder, { names: ["a", "b", "out"], epochs: 2 });
  return {
    name: `run-${file.replace(/\..*/, "")}`,
    file,
    prepare: write,
    seeds: () => {
      const folder = mkdtempSync(join(tmpdir(), "halp-fuzz-seed-"));
      try {
        write(folder);
        return [readFileSync(join(folder, file))];
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    read: (path) => void reportData(readRun(dirname(path))),
  };
}

let small: { readonly analyzed: AnalyzedGraph; readonly coupling: Coupling } | undefined;

/** A small network with a residual connection, analysed once. */
function smallNet() {
  if (!small) {
    const analyzed = analyzeGraph(residualNet(8), findOperator);
    small = { analyzed, coupling: analyzeCoupling(analyzed, findOperator) };
  }
  return small;
}
