import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { scalarWasm, simdWasm } from "../../../src/solver/wasm.gen.js";
import { describeMachine, loadNow } from "../machine.js";
import { runTask } from "../run-task.js";
import { formatRatio, formatSeconds } from "../statistics.js";
import { type BarGroup, type BarResult, untold } from "./bar.js";

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

export const binding: BarGroup = {
  name: "binding",
  seconds: [20, 4],
  async run({ quick, stop, tell }) {
    const bar = "JavaScript's share of a one-shot ResNet-50-like solve";
    const argument = { seeds: quick ? 5 : 25, rounds: quick ? 60 : 300 };
    const { result, cut } = await runTask("bindingShare", argument, stop, tell);
    if (result === null) return [untold(bar, "at most 5 %", "", cut ?? "no answer")];
    const spread = result.shareSpread.map(percent).join(" to ");
    return [
      {
        bar,
        atLeast: "at most 5 %",
        measured: `${percent(result.share)} of ${formatSeconds(result.wholeSeconds)}`,
        reached: result.share <= 0.05,
        instances: `${result.problems} instances, seeds 1 to ${argument.seeds}; ${result.rounds} rounds`,
        notes: [
          `5 % to 95 % of the rounds: ${spread}; the core alone ${formatSeconds(result.coreSeconds)}`,
          ...(cut === null ? [] : [cut]),
        ],
        figures: result,
      },
    ];
  },
};

/** The bar is for a core of so many MHz. */
const barMhz = 3000;
/** Cores taken by others up to which two workers count as having had two. */
const freeEnough = 0.15;

export const batch: BarGroup = {
  name: "throughput",
  seconds: [30, 8],
  async run({ quick, stop, tell }) {
    const bars = ["batch on one thread, different ResNet-50-like problems", "two workers / one thread"] as const;
    const least = 15_000;
    const argument = { problems: quick ? 200 : 1000, rounds: quick ? 24 : 60, workers: 2 };
    const { result, cut } = await runTask("throughput", argument, stop, tell);
    const instances = `${argument.problems} problems, seeds 1 to ${argument.problems}, budgets of 30, 45, 55 and 80 % in turn`;
    if (result === null || result.rounds === 0) {
      const why = cut ?? "no answer";
      return [untold(bars[0], `${least} /s at 3 GHz`, instances, why), untold(bars[1], "1.8x", instances, why)];
    }
    const { mhz, cores } = describeMachine();
    const scaled = mhz > 0 && mhz < barMhz ? (result.flat * barMhz) / mhz : result.flat;
    const rate = (x: number): string => `${Math.round(x).toLocaleString("en")} /s`;
    const taken = `others kept ${result.coresTaken.toFixed(2)} of ${cores} cores busy meanwhile, load ${loadNow()}`;
    const free = cores - result.coresTaken >= argument.workers - freeEnough;
    return [
      {
        bar: bars[0],
        atLeast: `${rate(least)} at 3 GHz`,
        measured: rate(result.flat),
        reached: scaled >= least,
        instances: `${instances}; ${result.rounds} rounds`,
        notes: [
          `5 % to 95 % of the rounds: ${result.flatSpread.map(rate).join(" to ")}; from halp.problem/1 ${rate(result.json)}`,
          mhz > 0
            ? `the system gives its cores ${(mhz / 1000).toFixed(1)} GHz${scaled > result.flat ? `; at 3 GHz it would be ${rate(scaled)}` : ""}`
            : "the system does not tell its cores' speed",
          taken,
        ],
        figures: result,
      },
      {
        bar: bars[1],
        atLeast: "1.8x",
        measured: `${formatRatio(result.poolRatio)}x (${rate(result.pool)})`,
        reached: result.poolRatio >= 1.8 ? true : free ? false : null,
        instances: `the same, in turns with the one thread`,
        notes: [
          `5 % to 95 % of the rounds: ${result.poolRatioSpread.map(formatRatio).join(" to ")}`,
          `a solve by the pool takes ${formatRatio(result.poolCpu)}x the CPU time, messages included: at most ${formatRatio(2 / result.poolCpu)}x on two cores`,
          ...(free ? [] : ["two cores were not free: no judgement"]),
          taken,
        ],
        figures: result,
      },
    ];
  },
};

export const hard: BarGroup = {
  name: "strong",
  seconds: [40, 12],
  async run({ quick, stop, tell }) {
    const bar = "strongly correlated 1000 x 100, R = 10,000";
    const atLeast = "proven in 10 s and 500 MB, or a gap below 1e-6 in 1 s";
    const argument = { seeds: quick ? 1 : 3, range: 10_000, limitsSeconds: [1, 10], memoryBytes: 500_000_000 };
    const { result, cut } = await runTask("stronglyCorrelated", argument, stop, tell);
    const instances = `seeds 1 to ${argument.seeds}; core memory at most 500 MB`;
    if (result === null || result.length === 0) return [untold(bar, atLeast, instances, cut ?? "no answer")];
    const good = result.map(
      (r) =>
        r.memoryBytes <= argument.memoryBytes &&
        r.seconds <= r.limitSeconds &&
        (r.status === "optimal" || (r.limitSeconds === 1 && r.gap < 1e-6)),
    );
    const seeds = [...new Set(result.map((r) => r.seed))];
    const soFar = seeds.every((seed) => result.some((r, i) => r.seed === seed && good[i]));
    const worst = result.filter((r) => r.limitSeconds === 1).reduce((m, r) => Math.max(m, r.gap), 0);
    const proven = result.filter((r) => r.limitSeconds === 10 && r.status === "optimal").length;
    const long = result.filter((r) => r.limitSeconds === 10).length;
    return [
      {
        bar,
        atLeast,
        measured: `gap at most ${worst.toExponential(1)} in 1 s; proven in 10 s: ${proven} of ${long}`,
        reached: soFar ? (cut === null ? true : null) : false,
        instances,
        notes: [
          ...result.map(
            (r) =>
              `seed ${r.seed}, ${r.limitSeconds} s: ${r.status} after ${formatSeconds(r.seconds)}, gap ${r.gap.toExponential(1)}, memory ${(r.memoryBytes / 1e6).toFixed(0)} MB`,
          ),
          ...(cut === null ? [] : [cut]),
        ],
        figures: result,
      },
    ];
  },
};

export const frontier: BarGroup = {
  name: "frontier",
  seconds: [120, 30],
  async run({ quick, stop, tell }) {
    const bar = "frontier of a ResNet-50-like problem";
    const atLeast = "all points, each as solve finds it, in under 20 solves' time per 1,000";
    const argument = quick
      ? { seeds: 1, limitMs: 15_000, checkMs: 5000 }
      : { seeds: 3, limitMs: 60_000, checkMs: 15_000 };
    const { result, cut } = await runTask("frontierPoints", argument, stop, tell);
    const instances = `seeds 1 to ${argument.seeds}`;
    if (result === null || result.length === 0) return [untold(bar, atLeast, instances, cut ?? "no answer")];
    return [
      {
        bar,
        atLeast,
        measured: result
          .map(
            (r) =>
              `${r.complete ? "all" : "the first"} ${r.points} points, ${formatRatio(r.solvesPerThousand)} solves per 1,000`,
          )
          .join("; "),
        reached: result.every((r) => r.complete && r.different === 0 && r.solvesPerThousand < 20) && cut === null,
        instances,
        notes: [
          ...result.map(
            (r) =>
              `seed ${r.seed}: ${formatSeconds(r.seconds)} in all, a solve ${formatSeconds(r.solveSeconds)}; ${r.different} of ${r.checked} points solved for were different`,
          ),
          ...(cut === null ? [] : [cut]),
        ],
        figures: result,
      },
    ];
  },
};

const bundleScript = "scripts/bundle-size.mjs";

/** The size that the bundle script states: the last line of its output as JSON, `{"gzipBytes": ...}`. */
function bundle(): BarResult {
  const bar = "solver bundle for the browser, gzipped";
  const atLeast = "below 100 KB";
  if (!existsSync(bundleScript)) return untold(bar, atLeast, "", `there is no ${bundleScript}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [bundleScript, "--json"], { encoding: "utf8" });
  try {
    const said = JSON.parse(stdout.trim().split("\n").at(-1)!) as { gzipBytes: number };
    const measured = `${(said.gzipBytes / 1000).toFixed(1)} KB`;
    return { bar, atLeast, measured, reached: said.gzipBytes < 100_000, instances: "", notes: [], figures: said };
  } catch {
    return untold(bar, atLeast, "", `${bundleScript} ended with ${status}: ${(stderr || stdout).trim().slice(0, 200)}`);
  }
}

export const sizes: BarGroup = {
  name: "sizes",
  seconds: [2, 2],
  async run() {
    const bytes = { simd: Buffer.from(simdWasm, "base64").length, scalar: Buffer.from(scalarWasm, "base64").length };
    return [
      {
        bar: "WASM files",
        atLeast: "below 64 KB each",
        measured: `SIMD ${(bytes.simd / 1000).toFixed(1)} KB, scalar ${(bytes.scalar / 1000).toFixed(1)} KB`,
        reached: Math.max(bytes.simd, bytes.scalar) < 64_000,
        instances: "",
        notes: [],
        figures: bytes,
      },
      bundle(),
    ];
  },
};
