import t from "tap";
import { checkAnswer } from "../../bench/solver/answer.js";
import { contenders } from "../../bench/solver/contenders/all.js";
import { contest, type Timed } from "../../bench/solver/contest.js";
import type { Instance } from "../../bench/solver/instances/suites.js";
import { problemOf } from "../../bench/solver/instances/suites.js";
import { plotTimes } from "../../bench/solver/plot.js";
import { standings, wrongAnswers } from "../../bench/solver/standings.js";
import { formatRatio, formatSeconds, median, quantile } from "../../bench/solver/statistics.js";
import type { Stop } from "../../bench/solver/stop.js";
import type { Problem } from "../../src/solver/index.js";

t.test("medians and quantiles", async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.ok(Number.isNaN(median([])));
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.equal(quantile(hundred, 0.99), 99);
  t.equal(quantile(hundred, 0.05), 5);
  t.equal(quantile(hundred, 1), 100);
  t.equal(quantile([7], 0.99), 7);
  t.equal(formatSeconds(1.234e-5), "12.3 us");
  t.equal(formatSeconds(0.0123), "12.3 ms");
  t.equal(formatSeconds(123.4), "123 s");
  t.equal(formatRatio(1234567), "1,234,567");
});

const small: Problem = {
  format: "halp.problem/1",
  variables: [
    { name: "a", values: [0, 5] },
    { name: "b", values: [0, 4] },
  ],
  factors: [
    { variables: ["a"], latency: [0, 10] },
    { variables: ["b"], latency: [null, 7] },
  ],
};

t.test("what an answer claims is checked", async (t) => {
  const check = (choice: number[] | null, value: number, status: "optimal" | "infeasible" = "optimal") =>
    checkAnswer(small, 10, { status, value, choice }).wrong;
  t.equal(check([0, 1], 4), null);
  t.match(check([1, 1], 9), /over the budget/);
  t.match(check([0, 1], 5), /states 5/);
  t.match(check([0, 0], 0), /forbidden/);
  t.match(check([2, 1], 0), /must be an option/);
  t.match(check(null, 4), /no choice/);
  t.equal(check(null, Number.NaN, "infeasible"), null);
});

const instance: Instance = { suite: "agree", seed: 6 };

function timed(contender: string, status: "optimal" | "infeasible", value: number, wrong: string | null = null): Timed {
  const checked = { status, value, latency: 1, gap: null, wrong };
  return { group: "middling", instance, contender, checked, error: null, samples: [1, 2, 3], calls: [1, 2, 3] };
}

t.test("a claim of the optimum below another's choice is counted as wrong, whoever makes it", async (t) => {
  const all = [timed("halp", "optimal", 9), timed("highs", "optimal", 10), timed("glpk", "infeasible", Number.NaN)];
  t.equal(wrongAnswers(all).length, 2);
  const rows = standings(all, ["halp", "highs", "glpk"]);
  t.same(
    rows.map((r) => [r.contender, r.wrong]),
    [
      ["halp", 1],
      ["highs", 0],
      ["glpk", 1],
    ],
  );
  // a choice that breaks the budget makes nobody else wrong
  t.equal(wrongAnswers([timed("halp", "optimal", 9), timed("highs", "optimal", 10, "over the budget")]).length, 1);
});

t.test("every contender finds the optimum of a small problem", async (t) => {
  const easy: Instance = { suite: "hard", kind: "weak", classes: 6, items: 5, range: 100, seed: 1 };
  const { problem, budget } = problemOf(easy);
  const values = new Map<string, number>();
  for (const [name, contender] of Object.entries(contenders)) {
    const ready = (await contender.load(20))(problem, budget);
    const { value, wrong, status } = checkAnswer(problem, budget, ready.read(ready.run()));
    t.equal(wrong, null, name);
    t.equal(status, contender.exact ? "optimal" : "feasible", name);
    if (contender.exact) values.set(name, value);
  }
  t.equal(new Set(values.values()).size, 1, JSON.stringify([...values]));
});

t.test("contenders take turns in processes of their own; an end that is wished for comes", async (t) => {
  let stopped = false;
  const handlers = new Set<() => void>();
  const stop: Stop = {
    get stopped() {
      return stopped;
    },
    onStop(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    close() {},
  };
  const heats = [1, 2, 3].map((seed) => ({
    instance: { suite: "hard", kind: "zig-zag", classes: 6, items: 5, range: 100, seed } as const,
    contenders: ["halp", "js"],
  }));
  const all = await contest(heats, {
    seconds: 0.01,
    limitSeconds: 5,
    stop,
    progress(done) {
      if (done < 3) return;
      stopped = true;
      for (const handler of [...handlers]) handler();
    },
  });
  t.same(
    all.map((r) => [r.instance.seed, r.contender, r.checked?.status]),
    [
      [1, "halp", "optimal"],
      [1, "js", "optimal"],
      [2, "halp", "optimal"],
    ],
  );
  t.ok(all.every((r) => r.samples.length > 0 && r.calls.length > 0));
});

t.test("the plot has its axes, its legend and a mark for every point", async (t) => {
  const points = [
    { contender: "halp", group: "a < b", joint: false, options: 1000, median: 2e-5, unfinished: 0 },
    { contender: "halp", group: "c", joint: false, options: 30_000, median: 8e-4, unfinished: 0 },
    { contender: "highs", group: "a < b", joint: false, options: 1000, median: 30, unfinished: 1 },
    { contender: "dense", group: "a < b", joint: false, options: 1000, median: Number.NaN, unfinished: 0 },
  ];
  const svg = plotTimes(points, "Time & size");
  t.match(svg, /^<svg [^>]*viewBox/);
  t.equal(svg.match(/<title>/g)?.length, 3);
  for (const text of [
    "Time &amp; size",
    "a &lt; b",
    "10,000",
    "10 us",
    "100 s",
    ">highs<",
    "options, over all variables",
  ])
    t.ok(svg.includes(text), text);
  t.notMatch(svg, /NaN|Infinity|undefined/);
  t.notMatch(plotTimes([], "Nothing"), /NaN|Infinity|undefined/);
});
