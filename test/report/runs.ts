/** A run folder as `halp prune` leaves it: layers in a chain, whose choice is the solution of its problem. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../src/data/index.js";
import type { EpochLine, PruneResult, SearchRecord } from "../../src/pipeline/index.js";
import { type Problem, solve } from "../../src/solver/index.js";

export interface MadeRun {
  readonly folder: string;
  readonly result: PruneResult;
  readonly search: SearchRecord;
  readonly problem: Problem;
}

export interface RunShape {
  /** Of the groups; the last is frozen. */
  readonly names: readonly string[];
  /** Epochs of training; none by default. */
  readonly epochs?: number;
  readonly seed?: number;
}

const step = 4;
const runNs = 5000;

/** A staircase in the sum of both widths. */
const latencyNs = (a: number, b: number) =>
  a === 0 || b === 0 ? 0 : 700 * Math.ceil(a / 8) * Math.ceil(b / 8) + 90 * (a + b);

export function writeRun(folder: string, { names, epochs = 0, seed = 1 }: RunShape): MadeRun {
  const random = createRandom(seed);
  const groups = names.slice(0, -1).map((name) => {
    const size = step * (4 + random.below(13));
    const scores = Array.from({ length: size }, () => Math.exp(2 * random.gaussian())).sort((a, b) => b - a);
    const options = Array.from({ length: size / step }, (_, i) => step * (i + 1));
    return { name, size, scores, options };
  });
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  const problem: Problem = {
    format: "halp.problem/1",
    unit: "ns",
    variables: groups.map(({ name, options, scores }) => ({
      name,
      values: options.map((k) => sum(scores.slice(0, k))),
    })),
    factors: groups.slice(1).map((b, i) => {
      const a = groups[i]!;
      return {
        variables: [a.name, b.name] as const,
        latency: a.options.map((x) => b.options.map((y) => latencyNs(x, y))),
      };
    }),
  };
  const dense = sum(groups.slice(1).map((b, i) => latencyNs(groups[i]!.size, b.size)));
  const solution = solve(problem, 0.6 * dense);
  const whole = sum(groups.map((g) => sum(g.scores)));
  const chosen = groups.map((g) => solution.choice[g.name]!);
  const predicted = { dense: dense + runNs, present: dense + runNs, chosen: solution.latency + runNs };
  const kept = groups.map((g, i) => g.options[chosen[i]!]!);
  const search: SearchRecord = {
    format: "halp.search/1",
    latencyNs: predicted,
    solution: { status: solution.status, value: solution.value, latency: solution.latency },
    importance: { whole, share: 1 },
    groups: groups.map(({ name, options, scores }, i) => ({
      name,
      options,
      chosen: chosen[i]!,
      scores,
      origins: [{ group: name, kept: options }],
    })),
    layers: groups.slice(1).map((b, i) => {
      const a = groups[i]!;
      return {
        name: `layer of ${b.name}`,
        operators: "Conv+Relu",
        sides: [
          { groups: [a.name], points: a.options.map((x) => [x, latencyNs(x, b.size)] as const), chosen: kept[i]! },
          { groups: [b.name], points: b.options.map((y) => [y, latencyNs(a.size, y)] as const), chosen: kept[i + 1]! },
        ],
        wholeNs: latencyNs(a.size, b.size),
        chosenNs: latencyNs(kept[i]!, kept[i + 1]!),
      };
    }),
  };
  const log = Array.from(
    { length: epochs },
    (_, i): EpochLine => ({
      epoch: i + 1,
      step: 100 * (i + 1),
      loss: 2 / (i + 1),
      trainAccuracy: 1 - 0.5 / (i + 1),
      accuracy: 1 - 0.6 / (i + 1),
      learningRate: 0.01,
      skippedSteps: 0,
      seconds: 10,
    }),
  );
  const result: PruneResult = {
    format: "halp.result/1",
    budgetRatio: 0.6,
    predictedRatio: predicted.chosen / predicted.dense,
    measuredRatio: 0.61,
    heldAgainst: "measured",
    latencyNs: { dense: 2 * dense, pruned: 1.22 * dense },
    spread: 0.02,
    parameters: { dense: 271_100, pruned: 120_300 },
    accuracy: epochs > 0 ? { dense: 0.912, pruned: 0.904 } : null,
    maskedError: 1e-7,
    outputError: 0.1,
    importanceKept: solution.value / whole,
    steps: 1,
    rounds: 1,
    training: epochs > 0 ? { stepsBetween: 0, epochs, accuracyBefore: 0.3, log, skippedSteps: 0 } : null,
    groups: [
      ...groups.map((g, i) => ({ name: g.name, dense: g.size, kept: kept[i]! })),
      { name: names.at(-1)!, dense: 10, kept: 10, frozen: `reaches the network output ${names.at(-1)}` },
    ],
    output: `${names[0]}.onnx`,
    warnings: [`${names[0]} was slow`],
  };
  const times = search.layers.map((l) => ({
    name: l.name,
    operators: l.operators,
    predictedNs: l.wholeNs,
    measuredNs: 1.1 * l.wholeNs!,
  }));
  const layers = { layers: times, unattributedNs: 0 };
  mkdirSync(folder, { recursive: true });
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
  put("result.json", JSON.stringify(result));
  put("search.json", JSON.stringify(search));
  put("problem.json", JSON.stringify(problem));
  put("layers.json", JSON.stringify({ format: "halp.layers/1", dense: layers, pruned: layers }));
  put(
    "config.json",
    JSON.stringify({ format: "halp.config/1", model: `models/${names[0]}`, command: { folder: "secret" } }),
  );
  if (epochs > 0) put("log.jsonl", log.map((l) => `${JSON.stringify(l)}\n`).join(""));
  const runtime = { name: "onnxruntime-node", version: "1.0", provider: "cpu" };
  put(
    "device.json",
    JSON.stringify({ format: "halp.device/1", isThisMachine: true, cpu: names[0], cores: 2, threads: 1, runtime }),
  );
  return { folder, result, search, problem };
}

/** A run for two devices, on the second of which the budget was missed. */
export function writeRunForTwo(folder: string, names: readonly [string, string]): void {
  const { result, problem } = writeRun(folder, { names: ["a", "b", "out"] });
  const { budgetRatio, predictedRatio, measuredRatio, heldAgainst, latencyNs, spread } = result;
  const first = { name: names[0], budgetRatio, predictedRatio, measuredRatio, heldAgainst, latencyNs, spread };
  const devices = [first, { ...first, name: names[1], budgetRatio: 0.7, measuredRatio: 0.75 }];
  writeFileSync(join(folder, "result.json"), JSON.stringify({ ...result, devices }));
  const factors = devices.flatMap(({ name: device }) => problem.factors.map((f) => ({ ...f, device })));
  const budgets = Object.fromEntries(devices.map(({ name }) => [name, 5000]));
  writeFileSync(join(folder, "problem.json"), JSON.stringify({ ...problem, factors, budgets }));
}

/** Only what a run cannot be without. */
export function writeBareRun(folder: string): void {
  const { result } = writeRun(join(folder, "whole"), { names: ["a", "b", "out"] });
  writeFileSync(join(folder, "result.json"), JSON.stringify(result));
}

/** Names that try to become markup, script or more JSON. */
export const hostileNames: readonly string[] = [
  "</script><script>globalThis.injected = 1</script>",
  '<img src=x onerror="globalThis.injected = 2">',
  "<!--<script>",
  "\u2028\u2029 \\u003c &lt; ' \" `globalThis.injected = 3`",
  "javascript:globalThis.injected=4",
  "__proto__",
  "a very long name ".repeat(20),
  "</title><svg onload=globalThis.injected=5>",
];
