import { createSolver, verify } from "../../../src/solver/index.js";
import { denseLatency, jointProblem, type NetworkName } from "../instances/networks.js";
import { ratios } from "../instances/suites.js";
import { median, quantile } from "../statistics.js";
import { every, type Tell } from "./tell.js";

export interface NetworkProofs {
  readonly network: NetworkName;
  readonly solved: number;
  readonly proven: number;
  readonly prepareSeconds: number;
  /** Of one budget, prepared. */
  readonly solveSeconds: number;
  readonly p99Seconds: number;
  readonly slowestSeconds: number;
}

export interface JointProofs {
  readonly networks: readonly NetworkProofs[];
  /** What was not proven, by network, seed and ratio. */
  readonly unproven: readonly string[];
}

/** Joint problems of real networks under four budgets each; every answer is verified. */
export async function jointProofs(
  { networks, seeds, limitMs }: { networks: readonly NetworkName[]; seeds: number; limitMs: number },
  tell: Tell<JointProofs>,
): Promise<JointProofs> {
  const solver = createSolver();
  const unproven: string[] = [];
  const taken = new Map(networks.map((n) => [n, { prepare: [] as number[], solve: [] as number[], proven: 0 }]));
  const result = (): JointProofs => ({
    unproven,
    networks: [...taken].map(([network, { prepare, solve, proven }]) => ({
      network,
      solved: solve.length,
      proven,
      prepareSeconds: median(prepare),
      solveSeconds: median(solve),
      p99Seconds: quantile(solve, 0.99),
      slowestSeconds: solve.length === 0 ? Number.NaN : Math.max(...solve),
    })),
  });
  const due = every(2000);
  // the networks take turns, so that an early end has seen all of them
  for (let seed = 1; seed <= seeds; seed++)
    for (const [network, own] of taken) {
      const problem = jointProblem(network, seed);
      const dense = denseLatency(problem);
      let start = performance.now();
      const prepared = solver.prepare(problem);
      own.prepare.push((performance.now() - start) / 1000);
      for (const ratio of ratios) {
        const budget = Math.floor(ratio * dense);
        start = performance.now();
        const solution = prepared.solve(budget, { timeLimitMs: limitMs });
        own.solve.push((performance.now() - start) / 1000);
        verify(problem, solution, budget);
        if (solution.status === "optimal") own.proven++;
        else unproven.push(`${network}, seed ${seed}, ${100 * ratio} %: ${solution.status}, gap ${solution.gap}`);
      }
      if (due()) tell(result(), `${network}, seed ${seed} of ${seeds}, ${unproven.length} not proven`);
    }
  return result();
}
