import t from "tap";
import { hasMeasuredTables, measuredProblem, measuredTables } from "../../bench/solver/instances/measured.js";
import { middlingProblem } from "../../bench/solver/instances/middling.js";
import { type HardClass, hardClasses, hardProblem } from "../../bench/solver/instances/pisinger.js";
import { groupOf, type Instance, isJoint, problemOf, suites } from "../../bench/solver/instances/suites.js";
import { parseProblem, solve } from "../../src/solver/index.js";

/** Weights and values of the classes of a problem. */
function tables(kind: HardClass, range = 1000): { weight: number[]; value: number[] }[] {
  const problem = hardProblem(kind, 30, 20, range, 3);
  return problem.variables.map((v, i) => ({ value: [...v.values], weight: problem.factors[i]!.latency as number[] }));
}

const rising = (numbers: readonly number[]): boolean => numbers.every((x, i) => i === 0 || x >= numbers[i - 1]!);

t.test("Pisinger's classes are as published", async (t) => {
  for (const kind of hardClasses)
    for (const { weight, value } of tables(kind)) {
      t.ok([...weight, ...value].every((x) => Number.isInteger(x) && x >= 1));
      if (kind !== "strong") t.ok(Math.max(...weight) <= 1000);
    }
  t.ok(tables("weak").every(({ weight, value }) => value.every((v, j) => Math.abs(v - weight[j]!) <= 10)));
  t.ok(tables("subset-sum").every(({ weight, value }) => value.every((v, j) => v === weight[j])));
  t.ok(tables("zig-zag").every(({ weight, value }) => rising(weight) && rising(value)));
  t.notOk(tables("uncorrelated").every(({ weight, value }) => rising(weight) && rising(value)));
  for (const { weight, value } of tables("strong")) {
    t.ok(value.every((v, j) => v - weight[j]! === 10 * (j + 1)));
    // every item lies on the upper convex hull: the slopes fall
    const step = (x: readonly number[], j: number): number => x[j]! - (x[j - 1] ?? 0);
    const slopes = weight.map((_, j) => step(value, j) / step(weight, j));
    t.ok(slopes.every((s, j) => j === 0 || s <= slopes[j - 1]!));
  }
});

t.test("the budget of Pisinger's is half way from the lightest choice to the heaviest", async (t) => {
  for (const kind of hardClasses) {
    const problem = hardProblem(kind, 30, 20, 1000, 3);
    const sum = (pick: (...x: number[]) => number): number =>
      problem.factors.reduce((n, f) => n + pick(...(f.latency as number[])), 0);
    t.equal(problem.budget, Math.floor((sum(Math.min) + sum(Math.max)) / 2));
  }
});

t.test("a recipe makes the same instance every time, and other seeds make others", async (t) => {
  for (const [name, make] of Object.entries(suites)) {
    if (name === "measured" && !hasMeasuredTables()) continue;
    // the large ones of the hard suite take long to write down twice
    for (const instance of make(1)
      .filter((i) => i.suite !== "hard" || i.classes <= 100)
      .slice(0, 6)) {
      // as texts: a deep comparison of tables takes minutes
      const text = (of: Instance): string => JSON.stringify(problemOf(of));
      const again = text({ ...instance });
      t.ok(text(instance) === again);
      t.ok(text(instance) !== text({ ...instance, seed: 2 }));
      parseProblem(problemOf(instance).problem);
      t.match(groupOf(instance), /\w/);
    }
  }
});

t.test("middling problems are of every kind, a few of them infeasible", async (t) => {
  const statuses = new Map<string, number>();
  for (let seed = 1; seed <= 100; seed++) {
    const { problem, budget } = middlingProblem(seed);
    const { status } = solve(problem, budget);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    t.equal(
      problem.factors.some((f) => f.variables.length === 2),
      isJoint({ suite: "agree", seed }),
    );
  }
  t.same([...statuses.keys()].sort(), ["infeasible", "optimal"]);
});

t.test("measured tables", { skip: hasMeasuredTables() ? false : `there is no ${measuredTables}` }, async (t) => {
  for (const kind of ["prune", "search"] as const) {
    const problem = parseProblem(measuredProblem(kind, 1));
    t.ok(problem.variables.length >= 11);
    // real staircases: some latencies are 0 (a block gone), most are not, and values rise with the width
    const latencies = problem.factors.flatMap((f) => f.latency as number[]);
    t.ok(latencies.includes(0) && latencies.filter((x) => x > 0).length > 200);
    if (kind === "prune") for (const v of problem.variables) t.ok(rising(v.values));
  }
});
