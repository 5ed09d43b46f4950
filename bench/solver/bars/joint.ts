import { contest } from "../contest.js";
import type { NetworkName } from "../instances/networks.js";
import type { Instance } from "../instances/suites.js";
import { runTask } from "../run-task.js";
import { wrongAnswers } from "../standings.js";
import { formatRatio, formatSeconds, median } from "../statistics.js";
import { type BarGroup, untold } from "./bar.js";

const networks = ["resnet50", "resnet101", "resnet152"] as const satisfies readonly NetworkName[];

export const jointProven: BarGroup = {
  name: "joint-proven",
  seconds: [150, 10],
  async run({ quick, stop, tell }) {
    const bar = "joint ResNet-50/-101/-152-like: proven optimal";
    const atLeast = "100 % of 200 seeds x 4 budgets";
    const seeds = quick ? 10 : 200;
    const { result, cut } = await runTask("jointProofs", { networks, seeds, limitMs: 60_000 }, stop, tell);
    if (result === null) return [untold(bar, atLeast, `seeds 1 to ${seeds}`, cut ?? "no answer")];
    const solved = result.networks.reduce((n, r) => n + r.solved, 0);
    const proven = result.networks.reduce((n, r) => n + r.proven, 0);
    return [
      {
        bar,
        atLeast,
        measured: `${proven} of ${solved}`,
        reached: proven < solved ? false : cut === null ? true : null,
        instances: `seeds 1 to ${seeds}, budgets of 30, 45, 55 and 80 %`,
        notes: [
          ...result.networks.map(
            (r) =>
              `${r.network}: preparing ${formatSeconds(r.prepareSeconds)}, a solve ${formatSeconds(r.solveSeconds)}, p99 ${formatSeconds(r.p99Seconds)}, slowest ${formatSeconds(r.slowestSeconds)}`,
          ),
          ...result.unproven.slice(0, 10),
          ...(cut === null ? [] : [cut]),
        ],
        figures: result,
      },
    ];
  },
};

export const jointHighs: BarGroup = {
  name: "joint-highs",
  seconds: [620, 50],
  async run({ quick, stop, tell, timed }) {
    const bar = "joint: HiGHS on the linearised problem / ours, one shot, ResNet-50-like";
    const atLeast = "50x";
    const limitSeconds = quick ? 40 : 600;
    const instance: Instance = { suite: "joint", network: "resnet50", seed: 1, ratio: 0.8 };
    const instances = "seed 1, budget of 80 %";
    tell(`HiGHS may take up to ${limitSeconds} s`);
    const all = await contest([{ instance, contenders: ["halp-json", "highs"] }], {
      seconds: 0.5,
      limitSeconds,
      stop,
    });
    timed.push(...all);
    const ours = all.find((t) => t.contender === "halp-json");
    const theirs = all.find((t) => t.contender === "highs");
    if (ours?.checked == null || theirs === undefined)
      return [untold(bar, atLeast, instances, ours?.error ?? "interrupted")];
    const finished = theirs.checked !== null && theirs.checked.status !== "unfinished";
    // no answer at all: it was ended by force after the limit
    const silent = theirs.checked === null;
    const seconds = silent ? limitSeconds : median(theirs.samples);
    const own = median(ours.samples);
    const wrong = wrongAnswers(all);
    const notes = [...wrong];
    if (!finished) notes.push(`HiGHS did not finish within ${limitSeconds} s: a lower bound`);
    if (silent) notes.push(`HiGHS: ${theirs.error}`);
    else if (!finished)
      notes.push(`its best by then is worth ${theirs.checked!.value}, the optimum ${ours.checked.value}`);
    const early = silent && !String(theirs.error).startsWith("no answer");
    if (early) return [untold(bar, atLeast, instances, `HiGHS: ${theirs.error}`)];
    return [
      {
        bar,
        atLeast,
        measured: `${finished ? "" : ">= "}${formatRatio(seconds / own)}x (${formatSeconds(seconds)} / ${formatSeconds(own)})`,
        reached: wrong.some((w) => w.startsWith("halp")) ? false : seconds / own >= 50 ? true : finished ? false : null,
        instances,
        notes,
        figures: { seconds, own, finished, limitSeconds, ratio: seconds / own },
      },
    ];
  },
};
