import t from "tap";
import { type Problem, solve, solveAsync, verify } from "../../src/solver/index.js";
import { hardProblem, jointChain } from "./hard-problem.js";
import { completeProblem } from "./wide-problem.js";

/** A signal that aborts itself when it is asked for the n-th time. */
function abortedAtLook(n: number): AbortSignal {
  let looks = 0;
  return {
    get aborted() {
      return ++looks >= n;
    },
  } as unknown as AbortSignal;
}

const strong = hardProblem("strong", 60, 30, 1000, 1);
const chain = jointChain(24, 40, 3);
const wide = completeProblem(11, 4, 3);
const problems: readonly (readonly [string, Problem, number])[] = [
  ["one-variable factors", strong, strong.budget!],
  ["two-variable factors", chain, chain.budget!],
  ["too wide for a proof", wide, 55 * 44],
];

for (const backend of ["wasm", "js"] as const)
  for (const [what, problem, budget] of problems)
    t.test(`${backend}, ${what}: an abort at any moment gives the best so far, with a bound that holds`, async (t) => {
      const reference = solve(problem, budget, { backend, timeLimitMs: 300 });
      const statuses = new Set<string>();
      let wrong = "";
      // in plain JavaScript a wide problem takes a second a run
      const looks = backend === "js" && problem === wide ? [1, 3, 1e9] : [1, 2, 3, 5, 9, 22, 60, 1e9];
      for (const look of looks) {
        const signal = abortedAtLook(look);
        const limits = look === 1e9 ? { signal, timeLimitMs: 100 } : { signal };
        const solution = await solveAsync(problem, budget, { backend, ...limits });
        verify(problem, solution, budget);
        statuses.add(solution.status);
        // the best found by either run is within the bound of the other
        if (solution.upperBound < reference.value || reference.upperBound < solution.value)
          wrong = JSON.stringify({ look, solution, reference });
      }
      t.equal(wrong, "");
      t.ok(statuses.has("feasible"), [...statuses].join());
    });

t.test("a signal that aborted before the start still gives an answer", async (t) => {
  for (const backend of ["wasm", "js"] as const)
    for (const [what, problem, budget] of problems) {
      const solution = await solveAsync(problem, budget, { backend, signal: AbortSignal.abort() });
      verify(problem, solution, budget);
      t.equal(solution.status, "feasible", `${backend}, ${what}`);
    }
});

t.test("the event loop turns while the js backend searches", async (t) => {
  const abort = new AbortController();
  let turns = 0;
  const timer = setInterval(() => ++turns >= 5 && abort.abort(), 1);
  const hard = hardProblem("strong", 300, 60, 10_000, 1);
  const solution = await solveAsync(hard, undefined, { backend: "js", signal: abort.signal });
  clearInterval(timer);
  verify(hard, solution);
  t.equal(solution.status, "feasible");
  t.ok(turns >= 5);
  for (const backend of ["wasm", "js"] as const)
    t.match(solve(hard, undefined, { backend, stopped: () => true }), { status: "feasible" });
});
