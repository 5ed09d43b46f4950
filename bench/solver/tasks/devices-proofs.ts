import { solve, verify } from "../../../src/solver/index.js";
import { devicesProblem, type NetworkName } from "../instances/networks.js";
import { median } from "../statistics.js";
import { every, type Tell } from "./tell.js";

export interface DevicesProofs {
  readonly solved: number;
  readonly proven: number;
  readonly medianSeconds: number;
  readonly slowestSeconds: number;
  /** The largest gap that was left; 0 where all were proven. */
  readonly largestGap: number;
  /** What was not proven, by seed and budgets. */
  readonly unproven: readonly string[];
}

/** One plan for several devices: joint problems under a budget for each; every answer is verified. */
export async function devicesProofs(
  {
    network,
    seeds,
    budgets,
    maxStates,
  }: { network: NetworkName; seeds: number; budgets: readonly (readonly number[])[]; maxStates: number },
  tell: Tell<DevicesProofs>,
): Promise<DevicesProofs> {
  const seconds: number[] = [];
  const unproven: string[] = [];
  let largestGap = 0;
  const result = (): DevicesProofs => ({
    solved: seconds.length,
    proven: seconds.length - unproven.length,
    medianSeconds: median(seconds),
    slowestSeconds: seconds.length === 0 ? Number.NaN : Math.max(...seconds),
    largestGap,
    unproven,
  });
  const due = every(2000);
  for (let seed = 1; seed <= seeds; seed++)
    for (const ratios of budgets) {
      const problem = devicesProblem(network, seed, ratios);
      const start = performance.now();
      const solution = solve(problem, undefined, { maxStates });
      seconds.push((performance.now() - start) / 1000);
      verify(problem, solution);
      if (solution.status !== "optimal") {
        unproven.push(
          `seed ${seed}, ${ratios.map((r) => `${100 * r} %`).join(" and ")}: ${solution.status}, gap ${solution.gap}`,
        );
        largestGap = Math.max(largestGap, solution.gap);
      }
      if (due()) tell(result(), `seed ${seed} of ${seeds}, ${unproven.length} not proven`);
    }
  return result();
}
