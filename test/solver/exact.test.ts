import t from "tap";
import { type BackendName, type Solution, solve, verify } from "../../src/solver/index.js";
import { bruteForce } from "./brute-force.js";
import { randomProblem, type Shape } from "./random-problem.js";

// One suite over all exact backends: each must agree with trying every choice, to the last tie.
const backends: readonly BackendName[] = ["wasm", "js"];
const problemsEach = 4000;

function describe(seed: number, solution: Solution, expected: unknown): string {
  return `seed ${seed}: ${JSON.stringify(solution)}, expected ${JSON.stringify(expected)}`;
}

function mismatch(seed: number, backend: BackendName, shape: Shape): string | null {
  const { problem, budget } = randomProblem(seed, shape);
  const expected = bruteForce(problem, budget);
  const solution = solve(problem, budget, { backend });
  if (expected.best === null) {
    if (solution.status !== "infeasible" || solution.smallestLatency !== expected.smallestLatency)
      return describe(seed, solution, expected.smallestLatency);
  } else {
    const options = problem.variables.map((v) => solution.choice[v.name]);
    const { best } = expected;
    if (
      solution.status !== "optimal" ||
      solution.value !== best.value ||
      solution.latency !== best.latency ||
      solution.upperBound !== best.value ||
      solution.gap !== 0 ||
      options.some((x, i) => x !== best.options[i])
    )
      return describe(seed, solution, best);
  }
  verify(problem, solution, budget);
  return null;
}

for (const backend of backends)
  t.test(`${backend}: ${problemsEach} random small problems with one-variable factors equal brute force`, async (t) => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= problemsEach; seed++) {
      const found = mismatch(seed, backend, {});
      if (found !== null) wrong.push(found);
    }
    t.equal(wrong.length, 0, wrong[0] ?? "no mismatch");
  });

for (const backend of backends)
  t.test(`${backend}: ${problemsEach} random small problems with two-variable factors equal brute force`, async (t) => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= problemsEach; seed++) {
      const found = mismatch(seed, backend, { pairs: true });
      if (found !== null) wrong.push(found);
    }
    t.equal(wrong.length, 0, wrong[0] ?? "no mismatch");
  });
