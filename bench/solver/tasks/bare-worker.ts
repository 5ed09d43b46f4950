import { parentPort, workerData } from "node:worker_threads";
import { createFlatSolver, type FlatProblem, type FlatSolution } from "../../../src/solver/index.js";

/** Problems of a bare worker's own, in memory that its owner sees too. */
export interface BareWork {
  readonly problems: readonly { readonly problem: FlatProblem; readonly budget: number }[];
  /** Problem `i` is this worker's where `i % workers === own`. */
  readonly workers: number;
  readonly own: number;
}

// Solves its share once for every message, and exchanges nothing else: what the machine's cores give at best.
const { problems, workers, own } = workerData as BareWork;
const solver = createFlatSolver();
const mine = problems.filter((_, i) => i % workers === own);
const outs: FlatSolution[] = mine.map(({ problem, budget }) => solver.solve(problem, budget));
parentPort?.on("message", () => {
  mine.forEach(({ problem, budget }, i) => {
    solver.solveInto(problem, budget, outs[i]!);
  });
  parentPort?.postMessage(null);
});
parentPort?.postMessage(null);
