import { createSolver, verify } from "../../../src/solver/index.js";
import { bruteForce } from "../../../test/solver/brute-force.js";
import { randomProblem } from "../../../test/solver/random-problem.js";
import { every, type Tell } from "./tell.js";

export interface EveryChoice {
  readonly problems: number;
  readonly joint: number;
  readonly infeasible: number;
  readonly mismatches: readonly string[];
}

/** Small random problems against trying every choice: status, value, latency and the choice itself, to the last tie. */
export async function againstEveryChoice(
  { problems }: { readonly problems: number },
  tell: Tell<EveryChoice>,
): Promise<EveryChoice> {
  const solver = createSolver();
  const mismatches: string[] = [];
  let joint = 0;
  let infeasible = 0;
  const due = every(2000);
  const result = (done: number): EveryChoice => ({ problems: done, joint, infeasible, mismatches });
  for (let seed = 1; seed <= problems; seed++) {
    const pairs = seed % 2 === 0;
    const { problem, budget } = randomProblem(seed, { pairs });
    if (pairs) joint++;
    const { best, smallestLatency } = bruteForce(problem, budget);
    const solution = solver.solve(problem, budget);
    let wrong: string | null = null;
    if (best === null) {
      infeasible++;
      if (solution.status !== "infeasible" || solution.smallestLatency !== smallestLatency) wrong = "not infeasible";
    } else if (solution.status !== "optimal") wrong = solution.status;
    else if (solution.value !== best.value || solution.latency !== best.latency)
      wrong = `${solution.value} at ${solution.latency}, not ${best.value} at ${best.latency}`;
    else if (problem.variables.some((v, i) => solution.choice[v.name] !== best.options[i])) wrong = "another choice";
    try {
      verify(problem, solution, budget);
    } catch (error) {
      wrong = String(error);
    }
    if (wrong !== null) mismatches.push(`seed ${seed}: ${wrong}`);
    if (due()) tell(result(seed), `${seed} of ${problems} small problems, ${mismatches.length} mismatches`);
  }
  return result(problems);
}
