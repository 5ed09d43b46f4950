import { contest } from "../contest.js";
import type { NetworkName } from "../instances/networks.js";
import { networkInstances } from "../instances/suites.js";
import { runTask } from "../run-task.js";
import { formatSeconds } from "../statistics.js";
import { type BarGroup, untold } from "./bar.js";
import { ratioBar } from "./ratio-bar.js";

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
  seconds: [220, 30],
  async run({ quick, stop, tell, timed }) {
    const instances = networkInstances("joint", "resnet50", quick ? 1 : 4).filter(
      (i) => !quick || ("ratio" in i && i.ratio >= 0.55),
    );
    const all = await contest(
      instances.map((instance) => ({ instance, contenders: ["halp-json", "highs"] })),
      {
        seconds: 0.3,
        limitSeconds: quick ? 60 : 300,
        stop,
        progress: (done, of, { contender }) => tell(`${done} of ${of}: ${contender}`),
      },
    );
    timed.push(...all);
    const bar = "joint: HiGHS on the linearised problem / ours, one shot, ResNet-50-like";
    return [ratioBar(all, bar, ["resnet50"], ["highs", "halp-json"], 50)];
  },
};
