import { HalpError } from "../../errors.js";
import { createSolver, type Solver } from "../solver.js";
import { createFlatSolver, type FlatSolver } from "../wasm/flat-solver.js";
import type { Failure, Reply, Task } from "./messages.js";
import { insideWorker } from "./thread.js";

// A worker of the pool: answers tasks one after the other.

const solvers = new Map<string, Solver>();
let flat: FlatSolver | undefined;

function answer(task: Task): Reply {
  try {
    if (task.kind === "flat") {
      flat ??= createFlatSolver();
      const solver = flat;
      return { id: task.id, answers: task.requests.map((r) => solver.solve(r.problem, r.budget, task.limits)) };
    }
    let solver = solvers.get(task.backend);
    if (solver === undefined) {
      solver = createSolver({ backend: task.backend });
      solvers.set(task.backend, solver);
    }
    return { id: task.id, answers: solver.solveBatch(task.requests, task.limits) };
  } catch (error) {
    return { id: task.id, failure: describe(error) };
  }
}

function describe(error: unknown): Failure {
  if (error instanceof HalpError)
    return { code: error.code, message: error.message, name: undefined, exitCode: error.exitCode };
  const message = error instanceof Error ? error.message : String(error);
  return { code: "HALP_POOL", message: `a solver worker failed: ${message}`, name: undefined, exitCode: 1 };
}

insideWorker().then((port) => port.listen((message) => port.post(answer(message as Task))));
