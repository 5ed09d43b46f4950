import t from "tap";
import { createFlatSolver, type FlatProblem, type FlatSolution, type Problem, solve } from "../../src/solver/index.js";
import { hardProblem } from "./hard-problem.js";
import { randomFrom } from "./random-problem.js";

/** A random flat problem: integers, decimals or arbitrary doubles; some options forbidden. */
function randomFlat(seed: number): { readonly flat: FlatProblem; readonly problem: Problem; readonly budget: number } {
  const random = randomFrom(seed);
  const count = 1 + Math.floor(random() * 8);
  const kind = seed % 4;
  const number = (): number => {
    const x = random() * 200 - (seed % 3 === 0 ? 60 : 0);
    return kind === 0 ? Math.round(x) : kind === 1 ? Math.round(x * 100) / 100 : kind === 2 ? x : x * 1e-7;
  };
  const sizes = Array.from({ length: count }, () => 1 + Math.floor(random() * 9));
  const offset = Int32Array.from([0, ...sizes]);
  for (let i = 0; i < count; i++) offset[i + 1]! += offset[i]!;
  const size = offset[count]!;
  const value = Float64Array.from({ length: size }, number);
  if (seed % 5 === 0) for (let i = 0; i < count; i++) value.subarray(offset[i], offset[i + 1]).sort();
  const latency = Float64Array.from({ length: size }, () => (random() < 0.1 ? Number.NaN : number()));
  const variables = sizes.map((_, i) => ({ name: `v${i}`, values: [...value.subarray(offset[i], offset[i + 1])] }));
  const factors = sizes.map((_, i) => ({
    variables: [`v${i}`] as const,
    latency: Array.from(latency.subarray(offset[i], offset[i + 1]), (x) => (Number.isNaN(x) ? null : x)),
  }));
  const budget = number() * (count / 2);
  return { flat: { offset, value, latency }, problem: { format: "halp.problem/1", variables, factors }, budget };
}

t.test("2000 random flat problems give what the JSON form gives, quantum and all", async (t) => {
  const solver = createFlatSolver();
  const again: FlatSolution = {
    status: "optimal",
    choice: new Int32Array(16),
    value: 0,
    latency: 0,
    upperBound: 0,
    gap: 0,
  };
  let wrong = "";
  for (let seed = 1; seed <= 2000 && wrong === ""; seed++) {
    const { flat, problem, budget } = randomFlat(seed);
    const expected = solve(problem, budget);
    const found = solver.solve(flat, budget);
    const possible = expected.smallestLatency !== null;
    solver.resolveInto(budget, again);
    const same =
      found.status === expected.status &&
      (!possible ||
        (found.value === expected.value &&
          found.latency === expected.latency &&
          found.upperBound === expected.upperBound &&
          problem.variables.every((v, i) => found.choice[i] === expected.choice[v.name]))) &&
      again.value === found.value &&
      again.status === found.status &&
      found.choice.every((x, i) => x === again.choice[i]);
    if (!same) wrong = `seed ${seed}: ${JSON.stringify({ found, expected })}`;
  }
  t.equal(wrong, "");
});

t.test("arrays that do not fit together are refused", async (t) => {
  const solver = createFlatSolver();
  const { flat } = randomFlat(2);
  const bad: FlatProblem[] = [
    { ...flat, offset: new Int32Array(0) },
    { ...flat, latency: flat.latency.subarray(1) },
    { ...flat, offset: Int32Array.from([0, 0, flat.value.length]) },
    { ...flat, offset: Int32Array.from([0, 900, flat.value.length]) },
    { ...flat, value: flat.value.map(() => Number.NaN) },
    { ...flat, latency: flat.latency.map(() => Number.POSITIVE_INFINITY) },
  ];
  for (const problem of bad) t.throws(() => solver.solve(problem, 1), { code: "HALP_FLAT" });
  const out: FlatSolution = { ...solver.solve(flat, 1e9), choice: new Int32Array(0) };
  t.throws(() => solver.solveInto(flat, 1, out), { code: "HALP_FLAT" });
  t.throws(() => solver.solve(flat, Number.NaN), { code: "HALP_BUDGET" });
  t.throws(() => createFlatSolver().resolveInto(1, out), { code: "HALP_FLAT" });
});

t.test("what is no typed array, and sums that overflow, are refused", async (t) => {
  const solver = createFlatSolver();
  const { flat } = randomFlat(2);
  const bad: unknown[] = [
    null,
    7,
    { ...flat, offset: [0, 2] },
    { ...flat, value: undefined },
    { ...flat, latency: new BigInt64Array(flat.latency.length) },
    { ...flat, value: new DataView(new ArrayBuffer(8)) },
    { ...flat, value: flat.value.map(() => 1e308) },
    { ...flat, latency: flat.latency.map(() => -1e308) },
  ];
  for (const problem of bad) t.throws(() => solver.solve(problem as FlatProblem, 1), { code: "HALP_FLAT" });
  for (const out of [null, {}, { choice: "x" }])
    t.throws(() => solver.solveInto(flat, 1, out as unknown as FlatSolution), { code: "HALP_FLAT" });
});

t.test("limits are those of the JSON form: refused alike, anytime answers alike", async (t) => {
  const hard = hardProblem("strong", 200, 60, 10_000, 1);
  const sizes = hard.variables.map((v) => v.values.length);
  const offset = Int32Array.from([0, ...sizes]);
  for (let i = 0; i < sizes.length; i++) offset[i + 1]! += offset[i]!;
  const flat: FlatProblem = {
    offset,
    value: Float64Array.from(hard.variables.flatMap((v) => [...v.values])),
    latency: Float64Array.from(hard.factors.flatMap((f) => [...(f.latency as number[])])),
  };
  const solver = createFlatSolver();
  const budget = hard.budget!;
  const wrong = [{ gap: 2 }, { gap: "0" }, { timeLimitMs: -1 }, { maxStates: Number.NaN }, { stopped: true }, 5, null];
  for (const limits of wrong) {
    t.throws(() => solver.solve(flat, budget, limits as never), { code: "HALP_LIMIT" }, JSON.stringify(limits));
    t.throws(() => solve(hard, budget, limits as never), { code: "HALP_LIMIT" }, JSON.stringify(limits));
  }
  t.throws(() => createFlatSolver({ memoryLimitBytes: 10 }), { code: "HALP_LIMIT" });
  for (const limits of [{ maxStates: 1000 }, { gap: 0.001 }, { timeLimitMs: 0 }, { stopped: () => true }]) {
    const found = solver.solve(flat, budget, limits);
    const expected = solve(hard, budget, limits);
    t.equal(found.status, "feasible", JSON.stringify(Object.keys(limits)));
    t.ok(found.latency <= budget && found.upperBound >= found.value && found.gap < 0.01);
    t.same([found.value, found.upperBound, found.gap], [expected.value, expected.upperBound, expected.gap]);
  }
  const small = createFlatSolver({ memoryLimitBytes: 4 * 2 ** 20 });
  t.equal(small.solve(flat, budget).status, "feasible");
  t.throws(() => createFlatSolver({ memoryLimitBytes: 2 ** 17 }).solve(flat, budget), { code: "HALP_SOLVER_MEMORY" });
});

t.test("memory that grows under way leaves every view whole", async (t) => {
  const solver = createFlatSolver();
  const random = randomFrom(9);
  for (const count of [3, 3000, 5, 30_000, 4]) {
    const offset = Int32Array.from({ length: count + 1 }, (_, i) => i * 8);
    const value = Float64Array.from({ length: count * 8 }, () => Math.floor(random() * 1000));
    const latency = Float64Array.from({ length: count * 8 }, () => Math.floor(random() * 1000));
    const solution = solver.solve({ offset, value, latency }, count * 300);
    let v = 0;
    let w = 0;
    solution.choice.forEach((x, i) => {
      v += value[i * 8 + x]!;
      w += latency[i * 8 + x]!;
    });
    t.equal(v, solution.value);
    t.equal(w, solution.latency);
    t.ok(w <= count * 300);
    t.equal(solution.status, "optimal");
  }
});
