import t from "tap";
import { type Problem, solve, verify } from "../../src/solver/index.js";
import { completeProblem } from "./wide-problem.js";

for (const backend of ["wasm", "js"] as const) {
  t.test(`${backend}: a joint problem too wide for a proof gets a choice, a bound and a gap`, async (t) => {
    const problem = completeProblem(16, 5, 3);
    const pairs = problem.factors.length;
    for (const budget of [pairs * 42, pairs * 46, pairs * 99]) {
      const solution = solve(problem, budget, { backend });
      verify(problem, solution, budget);
      t.ok(["feasible", "optimal"].includes(solution.status), solution.status);
      t.ok(solution.latency <= budget);
      t.ok(solution.upperBound >= solution.value);
      const greatest = problem.variables.reduce((sum, v) => sum + Math.max(...v.values), 0);
      t.ok(solution.upperBound <= greatest);
    }
    t.equal(solve(problem, pairs * 99, { backend }).status, "optimal", "without pressure the bound is met");
    t.equal(solve(problem, -1, { backend }).status, "infeasible");
  });

  t.test(`${backend}: a cycle, and nine variables all tied together, are solved to proof`, async (t) => {
    const nine = completeProblem(9, 3, 5);
    const solution = solve(nine, 36 * 40, { backend });
    t.equal(solution.status, "optimal");
    const cycle: Problem = {
      ...nine,
      factors: nine.variables.map((v, i) => ({
        variables: [v.name, nine.variables[(i + 1) % 9]!.name],
        latency: [
          [1, 2, 3],
          [4, null, 6],
          [7, 8, 9],
        ],
      })),
    };
    t.equal(solve(cycle, 40, { backend }).status, "optimal");
  });

  t.test(`${backend}: time, state and gap limits give an answer with its bound`, async (t) => {
    const hard = completeProblem(8, 5, 11);
    const budget = 28 * 35;
    const best = solve(hard, budget, { backend });
    t.equal(best.status, "optimal");
    for (const limits of [{ maxStates: 0 }, { timeLimitMs: 0 }, { gap: 0.5 }]) {
      const solution = solve(hard, budget, { backend, ...limits });
      verify(hard, solution, budget);
      t.ok(solution.value <= best.value && solution.upperBound >= best.value, JSON.stringify(limits));
      if (solution.status === "feasible") t.ok(solution.gap > 0);
      else t.equal(solution.status, "optimal");
    }
  });
}

t.test("nine variables of eight options all tied together: too wide for a proof, soon answered", async (t) => {
  const nine = completeProblem(9, 8, 5);
  const solution = solve(nine, 36 * 42, { timeLimitMs: 1000 });
  verify(nine, solution, 36 * 42);
  t.equal(solution.status, "feasible");
  t.ok(solution.gap > 0 && solution.gap < 1);
});

t.test("dense and scattered graphs of many variables are planned in good time", async (t) => {
  const limits = { timeLimitMs: 0 };
  const dense = completeProblem(250, 1, 1);
  t.equal(solve(dense, 1e9, limits).status, "optimal");
  const names = Array.from({ length: 8_000 }, (_, i) => `v${i}`);
  const scattered: Problem = {
    format: "halp.problem/1",
    variables: names.map((name) => ({ name, values: [0, 1] })),
    factors: names.slice(0, 4_000).map((name, i) => ({
      variables: [name, `v${i + 4_000}`],
      latency: [
        [0, 1],
        [1, 3],
      ],
    })),
  };
  const solution = solve(scattered, 2000, limits);
  verify(scattered, solution, 5000);
  t.ok(solution.upperBound >= 2000 && solution.value <= 2000);
});
