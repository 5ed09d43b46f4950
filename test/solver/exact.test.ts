import t from "tap";
import { type BackendName, type Problem, type Solution, solve, verify } from "../../src/solver/index.js";
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

/** How far apart the lightest and the heaviest choice may be. */
function spread(seed: number): number {
  return randomProblem(seed).problem.factors.reduce((sum, { latency }) => {
    const numbers = latency.flat().filter((x) => x !== null);
    return sum + Math.max(0, ...numbers) - Math.min(0, ...numbers);
  }, 0);
}

for (const backend of [...backends, "dense"] as const)
  t.test(`${backend}: ${problemsEach} random small problems with one-variable factors equal brute force`, async (t) => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= problemsEach; seed++) {
      // the dense program takes a cell for each unit of latency
      if (backend === "dense" && spread(seed) > 20_000) continue;
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

t.test("the paper's program keeps within the budget, and never beats the optimum", async (t) => {
  let lost = 0;
  let wrong = "";
  for (let seed = 1; seed <= 500; seed++) {
    const { problem, budget } = randomProblem(seed);
    const best = solve(problem, budget);
    const found = solve(problem, budget, { backend: "paper" });
    verify(problem, found, budget);
    if (found.value < best.value && best.status === "optimal") lost++;
    if ((found.status === "infeasible") !== (best.status === "infeasible")) wrong = describe(seed, found, best);
    if (best.status === "optimal" && (found.value > best.value || found.upperBound < best.value))
      wrong = describe(seed, found, best);
  }
  t.equal(wrong, "");
  t.ok(lost > 0, `its rule loses the optimum in ${lost} of 500 problems`);
});

t.test("the dense and the paper's program refuse what they cannot do", async (t) => {
  let seed = 1;
  while (!randomProblem(seed, { pairs: true }).problem.factors.some((f) => f.variables.length === 2)) seed++;
  const { problem, budget } = randomProblem(seed, { pairs: true });
  for (const backend of ["dense", "paper"] as const)
    t.throws(() => solve(problem, budget, { backend }), { code: "HALP_BACKEND_JOINT" });
  const wide: Problem = {
    format: "halp.problem/1",
    variables: [{ name: "a", values: [0, 1] }],
    factors: [{ variables: ["a"], latency: [0, 1e9] }],
  };
  t.throws(() => solve(wide, 1e12, { backend: "dense" }), { code: "HALP_DENSE_TOO_LARGE" });
});
