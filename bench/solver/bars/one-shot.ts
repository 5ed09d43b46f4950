import { contest, type Heat, type Timed } from "../contest.js";
import { networkInstances, ratios } from "../instances/suites.js";
import { formatRatio, formatSeconds, median, quantile } from "../statistics.js";
import { type BarContext, type BarGroup, type BarResult, untold } from "./bar.js";
import { ratioBar } from "./ratio-bar.js";

/** HiGHS's median over our 99th percentile, single solves over all instances. */
function tailBar(all: readonly Timed[], groups: readonly string[], least: number): BarResult {
  const bar = "HiGHS median / our 99th percentile, one shot";
  const parts = groups.map((group) => {
    const of = (name: string): Timed[] =>
      all.filter((t) => t.contender === name && t.checked !== null && t.group.endsWith(group));
    const calls = of("halp").flatMap((t) => t.calls);
    const theirs = median(of("highs").map((t) => median(t.samples)));
    const p99 = quantile(calls, 0.99);
    const figures = { instances: of("halp").length, calls: calls.length, theirs, p99, ratio: theirs / p99 };
    return { group, ...figures, slowest: Math.max(...calls) };
  });
  if (parts.some((p) => !(p.ratio > 0))) return untold(bar, `${least}x`, "", "not every contender answered", parts);
  return {
    bar,
    atLeast: `${least}x`,
    measured: parts
      .map((p) => `${p.group} ${formatRatio(p.ratio)}x (${formatSeconds(p.theirs)} / ${formatSeconds(p.p99)})`)
      .join("; "),
    reached: parts.every((p) => p.ratio >= least),
    instances: parts.map((p) => `${p.group}: ${p.calls} single solves of ${p.instances} instances`).join("; "),
    notes: parts.map((p) => `${p.group}: slowest single solve ${formatSeconds(p.slowest)}`),
    figures: parts,
  };
}

/** Heats of a network: each contender on so many seeds. */
function heats(network: "resnet50" | "resnet101" | "ssd" | "chain300x128", seeds: Record<string, number>): Heat[] {
  const most = Math.max(...Object.values(seeds));
  return networkInstances("pruning", network, most).map((instance) => ({
    instance,
    contenders: Object.keys(seeds).filter((name) => instance.seed <= seeds[name]!),
  }));
}

async function race(context: BarContext, all: readonly Heat[], limitSeconds: number): Promise<Timed[]> {
  const { quick, stop, tell, timed } = context;
  const found = await contest(all, {
    seconds: quick ? 0.03 : 0.05,
    limitSeconds,
    stop,
    progress: (done, of, { group, contender }) => tell(`${done} of ${of}: ${group}, ${contender}`),
  });
  timed.push(...found);
  return found;
}

/** The one-variable form on networks of the usual size. */
export const oneShot: BarGroup = {
  name: "one-shot",
  seconds: [200, 35],
  async run(context) {
    const { quick } = context;
    const some = quick ? 1 : 5;
    const seeds = {
      halp: quick ? 5 : 50,
      "halp-again": some,
      js: some,
      "js-again": some,
      paper: quick ? 1 : 3,
      highs: quick ? 1 : 3,
      // no bar speaks of it, but it is the fastest of the others
      glpk: quick ? 1 : 3,
    };
    const all = await race(
      context,
      [
        ...heats("resnet50", seeds),
        ...heats("resnet101", seeds),
        ...heats("ssd", { halp: 1, "halp-again": 1, js: 1, paper: 1, highs: 1, glpk: 1 }),
      ],
      60,
    );
    const networks = ["resnet50", "resnet101"];
    return [
      ratioBar(all, "HiGHS / ours, one shot", networks, ["highs", "halp"], 2000),
      ratioBar(all, "the paper's program at 110,000 cells / ours, one shot", ["resnet50"], ["paper", "halp"], 300),
      tailBar(all, networks, 20),
      ratioBar(all, "plain JavaScript / WASM, one shot", networks, ["js", "halp"], 2),
      ratioBar(all, "plain JavaScript / WASM, prepared", networks, ["js-again", "halp-again"], 2),
    ];
  },
};

/** The one-variable form on 300 variables of 128 options. */
export const wide: BarGroup = {
  name: "300x128",
  seconds: [150, 40],
  async run(context) {
    const { quick } = context;
    const all = await race(
      context,
      networkInstances("pruning", "chain300x128", 1)
        .filter((i) => !quick || ("ratio" in i && i.ratio === ratios[2]))
        .map((instance) => ({ instance, contenders: ["halp", "js", "highs"] })),
      quick ? 30 : 120,
    );
    return [ratioBar(all, "HiGHS / ours, one shot, 300 x 128", ["chain300x128"], ["highs", "halp"], 1000)];
  },
};
