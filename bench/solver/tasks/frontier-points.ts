import { createSolver, type Frontier } from "../../../src/solver/index.js";
import { denseLatency, pruningProblem } from "../instances/networks.js";
import { median } from "../statistics.js";
import { every, type Tell } from "./tell.js";

export interface FrontierRun {
  readonly seed: number;
  readonly points: number;
  readonly complete: boolean;
  /** Of the whole frontier, prepared: median of repeats where it takes less than a second, and the first time. */
  readonly seconds: number;
  readonly firstSeconds: number;
  /** Of one solve of the same prepared problem, over budgets spread evenly: median. It takes turns with the frontier. */
  readonly solveSeconds: number;
  /** Solves' time that a thousand points took. */
  readonly solvesPerThousand: number;
  /**
   * Points checked, and those that failed: the optimum under a budget one quantum below the next point must be the point,
   * so that it is right and none is missing before the next.
   */
  readonly checked: number;
  readonly different: number;
}

/** The whole frontier of problems like ResNet-50's; its points are then checked, evenly spread if there are too many. */
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
    const budgets = Array.from({ length: 100 }, (_, k) => (dense * (k + 1)) / 101);
    const solves = (): number => {
      const taken = budgets.map((budget) => {
        const start = performance.now();
        prepared.solve(budget);
        return (performance.now() - start) / 1000;
      });
      return median(taken);
    };
    let frontier: Frontier | null = null;
    const find = (): number => {
      const start = performance.now();
      frontier = prepared.frontier({ maxPoints: 50_000_000, timeLimitMs: argument.limitMs });
      return (performance.now() - start) / 1000;
    };
    solves();
    const firstSeconds = find();
    // taking turns, so that what else the machine does meets both
    const rounds: { readonly solve: number; readonly whole: number }[] = [];
    for (let k = 0; k < (firstSeconds < 1 ? 15 : 1); k++) rounds.push({ solve: solves(), whole: find() });
    const solveSeconds = median(rounds.map((r) => r.solve));
    const seconds = median(rounds.map((r) => r.whole));
    const perSolve = median(rounds.map((r) => r.whole / r.solve));
    const { latency, value, quantum, complete } = frontier!;
    const points = latency.length;
    let checked = 0;
    let different = 0;
    const run = (): FrontierRun => ({
      seed,
      points,
      complete,
      seconds,
      firstSeconds,
      solveSeconds,
      solvesPerThousand: (perSolve / points) * 1000,
      checked,
      different,
    });
    const step = Math.max(1, Math.ceil((points * solveSeconds * 1500) / argument.checkMs));
    for (let i = -1; i < points; i += i < 0 ? 1 : step) {
      const budget = i + 1 < points ? latency[i + 1]! - quantum.latency : 2 * dense;
      const best = prepared.solve(budget);
      checked++;
      const right =
        i < 0
          ? best.status === "infeasible"
          : best.status === "optimal" && best.value === value[i] && best.latency === latency[i];
      // where the list was cut off there is more below it
      if (!right && (i >= 0 || complete)) different++;
      if (due()) tell([...runs, run()], `seed ${seed}: ${checked} of ${Math.ceil(points / step)} points checked`);
    }
    runs.push(run());
    tell(runs, `seed ${seed}: ${points} points`);
  }
  return runs;
}
