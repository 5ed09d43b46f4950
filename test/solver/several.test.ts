import fc from "fast-check";
import t from "tap";
import { devicesProblem } from "../../bench/solver/instances/networks.js";
import {
  createSolver,
  type Factor,
  type Problem,
  parseProblem,
  solve,
  solveAsync,
  verify,
} from "../../src/solver/index.js";
import { randomFrom, randomProblem } from "./random-problem.js";

interface Best {
  readonly value: number;
}

/** Tries every choice. */
function tryAll(problem: Problem): Best | null {
  const budgets = Object.entries(problem.budgets ?? {});
  const at = new Map(problem.variables.map((v, i) => [v.name, i]));
  let best: Best | null = null;
  const options = problem.variables.map(() => 0);
  const pick = (f: Factor, table: unknown): unknown => {
    const [a, b] = f.variables.map((name) => options[at.get(name) as number] as number);
    const row = (table as unknown[])[a as number];
    return b === undefined ? row : (row as unknown[])[b];
  };
  const visit = (): void => {
    let value = problem.variables.reduce((sum, v, i) => sum + (v.values[options[i] as number] as number), 0);
    const spent = budgets.map(() => 0);
    for (const f of problem.factors) {
      const entry = pick(f, f.latency) as number | null;
      if (entry === null) return;
      budgets.forEach(([device], d) => {
        if (f.device === undefined || f.device === device) (spent[d] as number) += entry;
      });
      if (f.value !== undefined) value += pick(f, f.value) as number;
    }
    if (budgets.some(([, most], d) => (spent[d] as number) > most)) return;
    if (best === null || value > best.value) best = { value };
  };
  const walk = (i: number): void => {
    if (i === options.length) {
      visit();
      return;
    }
    for (let k = 0; k < (problem.variables[i] as { values: readonly number[] }).values.length; k++) {
      options[i] = k;
      walk(i + 1);
    }
  };
  walk(0);
  return best;
}

/** A random problem whose factors belong to one of several devices, or to all; budgets about what choices take. */
function severalDevices(seed: number, pairs: boolean): Problem {
  const { problem } = randomProblem(seed, { pairs });
  const random = randomFrom(seed ^ 0x5eed);
  const names = ["pi5", "jetson", "server"].slice(0, 1 + Math.floor(random() * 3));
  // each factor again for other devices, its latencies near to those of the first or far from them
  const factors = problem.factors.flatMap((f): Factor[] => {
    if (random() < 0.2) return [f];
    const { value: _, ...plain } = f;
    return names.map((device, d) => {
      const other = (x: number | null): number | null =>
        x === null || d === 0 ? x : Math.round(x * (0.5 + random()) + (random() < 0.1 ? 5 : 0));
      const latency = (f.latency as readonly unknown[]).map((row) =>
        Array.isArray(row) ? row.map(other) : other(row as number | null),
      );
      return { ...(d === 0 ? f : plain), latency, device } as unknown as Factor;
    });
  });
  const sum = (device: string, of: (...x: number[]) => number): number =>
    factors
      .filter((f) => f.device === undefined || f.device === device)
      .reduce((n, f) => n + of(...(f.latency.flat() as (number | null)[]).map((x) => x ?? 0)), 0);
  const budgets = Object.fromEntries(
    names.map((device) => {
      const low = sum(device, Math.min);
      return [device, low - 1 + Math.floor(random() * (sum(device, Math.max) - low + 3))];
    }),
  );
  return { ...problem, budgets, factors };
}

for (const backend of ["wasm", "js"] as const)
  t.test(`several devices: as trying every choice (${backend})`, (t) => {
    const solver = createSolver({ backend });
    const seen = { optimal: 0, infeasible: 0 };
    fc.assert(
      fc.property(fc.integer(), fc.boolean(), (seed, pairs) => {
        const problem = severalDevices(seed, pairs);
        const expected = tryAll(problem);
        const found = solver.solve(problem);
        if (expected === null) {
          seen.infeasible++;
          return found.status === "infeasible";
        }
        seen.optimal++;
        verify(problem, found);
        return found.status === "optimal" && found.value === expected.value;
      }),
      { numRuns: backend === "wasm" ? 3000 : 500 },
    );
    t.ok(seen.optimal > 50 && seen.infeasible > 20, `${seen.optimal} with an answer, ${seen.infeasible} without`);
    t.end();
  });

const small: Problem = {
  format: "halp.problem/1",
  budgets: { pi5: 10, server: 7 },
  variables: [
    { name: "a", values: [0, 5, 6] },
    { name: "b", values: [0, 4] },
  ],
  factors: [
    { variables: ["a"], latency: [0, 6, 6], device: "pi5" },
    { variables: ["a"], latency: [0, 2, 7], device: "server" },
    { variables: ["b"], latency: [1, 4] },
  ],
};

t.test("several devices: an answer with a latency for each", async (t) => {
  const found = solve(small);
  t.match(found, {
    status: "optimal",
    choice: { a: 1, b: 1 },
    value: 9,
    latencies: { pi5: 10, server: 6 },
    latency: 10,
  });
  t.same(verify(small, found), { value: 9, latency: 10, latencies: { pi5: 10, server: 6 } });
  t.equal(solve({ ...small, budgets: { pi5: 10, server: 0 } }).status, "infeasible");
  t.throws(() => verify(small, { ...found, choice: { a: 2, b: 1 }, value: 10, latencies: { pi5: 10, server: 11 } }), {
    code: "HALP_VERIFY_BUDGET",
    message: /"server", more than the budget of 7/,
  });
  t.throws(() => verify(small, { ...found, latencies: { pi5: 10, server: 5 } }), { code: "HALP_VERIFY_LATENCY" });
});

t.test("several devices: what does not fit together is refused", async (t) => {
  const refused = (problem: object, code: string, message: RegExp): void => {
    t.throws(() => parseProblem(problem), { code, message });
  };
  const { budgets: _, ...without } = small;
  refused(without, "HALP_PROBLEM_DEVICE", /factors\[0\].device .*no budgets/);
  refused(
    { ...small, budgets: { pi5: 1 } },
    "HALP_PROBLEM_DEVICE",
    /factors\[1\].device must be one of budgets, not "server"/,
  );
  refused({ ...small, budget: 3 }, "HALP_PROBLEM_DEVICE", /a budget and budgets/);
  refused({ ...small, budgets: {} }, "HALP_PROBLEM_DEVICE", /1 to 16 devices/);
  refused({ ...small, budgets: [1, 2] }, "HALP_PROBLEM_DEVICE", /must be an object/);
  refused({ ...small, budgets: { pi5: 10, server: Number.NaN } }, "HALP_BUDGET", /"server"/);
  t.throws(() => solve(small, 5), { code: "HALP_BUDGET" });
  t.throws(() => solve(small, undefined, { backend: "dense" }), { code: "HALP_BACKEND_DEVICES" });
  t.throws(() => createSolver().frontier(small), { code: "HALP_BUDGET" });
});

t.test(
  "several devices: a real network's problem, proven; a slack budget changes nothing; limits leave a true bound",
  async (t) => {
    const tight = devicesProblem("resnet50", 1, [0.55, 0.5]);
    const best = solve(tight);
    t.equal(best.status, "optimal");
    verify(tight, best);
    const alone = (device: string): Problem => {
      const { budgets, ...rest } = tight;
      const factors = tight.factors.filter((f) => f.device === device).map(({ device: _, ...f }) => f as Factor);
      return { ...rest, budget: (budgets as Record<string, number>)[device] as number, factors };
    };
    for (const device of ["device1", "device2"]) {
      const single = solve(alone(device));
      t.ok(single.value >= best.value, `${device} alone allows as much`);
      const other = device === "device1" ? "device2" : "device1";
      const slack = { ...tight, budgets: { ...tight.budgets, [other]: 1e12 } };
      t.equal(solve(slack).value, single.value, `${device} alone binding`);
    }
    const stopped = await solveAsync(tight, undefined, { signal: AbortSignal.abort() });
    t.ok(stopped.upperBound >= best.value);
    const limited = solve(tight, undefined, { maxStates: 0 });
    t.ok(limited.upperBound >= best.value && limited.value <= best.value);
    if (limited.status === "feasible") verify(tight, limited);
    t.same(solve(tight, undefined, { maxStates: 1000 }).choice, solve(tight, undefined, { maxStates: 1000 }).choice);
  },
);
