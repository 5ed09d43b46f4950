import { describeMachine, loadNow } from "../machine.js";
import { runTask } from "../run-task.js";
import { formatRatio, formatSeconds } from "../statistics.js";
import { type BarGroup, untold } from "./bar.js";

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
/** What two threads that exchange nothing must reach for their cores to count as two: hardware may share its units among them. */
const wholeCores = 1.9;

export const batch: BarGroup = {
  name: "throughput",
  seconds: [30, 8],
  async run({ quick, stop, tell }) {
    const bars = ["batch on one thread, different ResNet-50-like problems", "two workers / one thread"] as const;
    const least = 15_000;
    const argument = { problems: 960, rounds: quick ? 24 : 60, workers: 2 };
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
    const whole = result.bareRatio >= wholeCores;
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
        measured: `${formatRatio(result.poolRatio)}x (${rate(result.pool)}); from shared memory ${formatRatio(result.sharedRatio)}x (${rate(result.shared)})`,
        reached: Math.max(result.poolRatio, result.sharedRatio) >= 1.8 ? true : free && whole ? false : null,
        instances: `the same, in turns with the one thread`,
        notes: [
          `5 % to 95 % of the rounds: ${result.poolRatioSpread.map(formatRatio).join(" to ")}`,
          `a solve by the pool takes ${formatRatio(result.poolCpu)}x the CPU time, messages included (from shared memory ${formatRatio(result.sharedCpu)}x): at most ${formatRatio(2 / result.poolCpu)}x (${formatRatio(2 / result.sharedCpu)}x) on two cores`,
          `two threads that exchange nothing, each with its half of the problems: ${formatRatio(result.bareRatio)}x`,
          ...(free ? [] : ["two cores were not free: no judgement"]),
          ...(whole ? [] : [`the cores do not give ${wholeCores}x to such threads either: no judgement`]),
          taken,
        ],
        figures: result,
      },
    ];
  },
};
