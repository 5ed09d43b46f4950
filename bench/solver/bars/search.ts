import { runTask } from "../run-task.js";
import { formatRatio, formatSeconds } from "../statistics.js";
import { type BarGroup, untold } from "./bar.js";

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
              `seed ${r.seed}: ${formatSeconds(r.seconds)} in all (${formatSeconds(r.firstSeconds)} the first time), a solve ${formatSeconds(r.solveSeconds)}; ${r.different} of ${r.checked} points checked are wrong or miss one after them`,
          ),
          ...(cut === null ? [] : [cut]),
        ],
        figures: result,
      },
    ];
  },
};
