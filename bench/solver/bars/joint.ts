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

export const severalDevices: BarGroup = {
  name: "devices",
  seconds: [60, 10],
  async run({ quick, stop, tell }) {
    const bar = "one plan for two devices, joint, ResNet-50-like: gap left";
    const atLeast = "1 % at most, within 200,000 states";
    const seeds = quick ? 2 : 24;
    const budgets = [
      [0.7, 0.68],
      [0.55, 0.535],
      [0.45, 0.44],
    ];
    const task = { network: "resnet50", seeds, budgets, maxStates: 200_000 } as const;
    const { result, cut } = await runTask("devicesProofs", task, stop, tell);
    if (result === null) return [untold(bar, atLeast, `seeds 1 to ${seeds}`, cut ?? "no answer")];
    const { proven, solved, largestGap, medianSeconds, slowestSeconds } = result;
    const met = largestGap <= 0.01;
    return [
      {
        bar,
        atLeast,
        measured: `${(100 * largestGap).toFixed(3)} % at most; ${proven} of ${solved} proven`,
        reached: !met ? false : cut === null ? true : null,
        instances: `seeds 1 to ${seeds}, budgets of ${budgets.map((b) => b.map((r) => +(100 * r).toFixed(1)).join(" and ")).join(", ")} %`,
        notes: [
          `a solve ${formatSeconds(medianSeconds)}, slowest ${formatSeconds(slowestSeconds)}`,
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
