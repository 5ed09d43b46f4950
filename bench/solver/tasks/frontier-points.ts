import { createSolver } from "../../../src/solver/index.js";
import { denseLatency, pruningProblem } from "../instances/networks.js";
import { median } from "../statistics.js";
import { every, type Tell } from "./tell.js";

export interface FrontierRun {
  readonly seed: number;
  readonly points: number;
  readonly complete: boolean;
  readonly seconds: number;
  /** Of one solve of the same prepared problem, over budgets spread evenly: median. */
  readonly solveSeconds: number;
  /** Solves' time that a thousand points took. */
  readonly solvesPerThousand: number;
  /** Points solved for again, and those of them whose optimum was another. */
  readonly checked: number;
  readonly different: number;
}

/** The whole frontier of problems like ResNet-50's; its points are then solved for, evenly spread if there are too many. */
export async function frontierPoints(
  argument: { seeds: number; limitMs: number; checkMs: number },
  tell: Tell<FrontierRun[]>,
): Promise<FrontierRun[]> {
  const runs: FrontierRun[] = [];
  const solver = createSolver();
  const due = every(2000);
  for (let seed = 1; seed <= argument.seeds; seed++) {
    const problem = pruningProblem("resnet50", seed);
    const prepared = solver.prepare(problem);
    const dense = denseLatency(problem);
    const solves: number[] = [];
    for (let k = 1; k <= 400; k++) {
      const start = performance.now();
      prepared.solve((dense * k) / 401);
      solves.push((performance.now() - start) / 1000);
    }
    // the first half taught the engine
    const solveSeconds = median(solves.slice(200));
    const start = performance.now();
    const frontier = prepared.frontier({ maxPoints: 50_000_000, timeLimitMs: argument.limitMs });
    const seconds = (performance.now() - start) / 1000;
    const points = frontier.latency.length;
    let checked = 0;
    let different = 0;
    const run = (): FrontierRun => ({
      seed,
      points,
      complete: frontier.complete,
      seconds,
      solveSeconds,
      solvesPerThousand: (seconds / solveSeconds / points) * 1000,
      checked,
      different,
    });
    const step = Math.max(1, Math.ceil((points * solveSeconds * 1500) / argument.checkMs));
    for (let i = 0; i < points; i += step) {
      const { status, value, latency } = prepared.solve(frontier.latency[i]!);
      checked++;
      if (status !== "optimal" || value !== frontier.value[i] || latency !== frontier.latency[i]) different++;
      if (due()) tell([...runs, run()], `seed ${seed}: ${checked} of ${Math.ceil(points / step)} points solved for`);
    }
    runs.push(run());
    tell(runs, `seed ${seed}: ${points} points`);
  }
  return runs;
}
