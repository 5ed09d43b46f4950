import { HalpError } from "../errors.js";
import type { Backend, BackendName } from "./backend.js";
import { jsBackend } from "./js/js-backend.js";
import { type Limits, watch } from "./limits.js";
import { buildModel } from "./model.js";
import { checkBudget, parseProblem } from "./parse-problem.js";
import { budgetToGrid } from "./quantise.js";
import { toSolution } from "./solution.js";
import type { Problem, Solution } from "./types.js";
import { createWasmBackend } from "./wasm/wasm-backend.js";

/** A problem made ready once, to be solved under any number of budgets. */
export interface PreparedProblem {
  /**
   * The best choice within the budget; without one, the problem's own.
   * @throws HalpError HALP_BUDGET if there is no budget or it is no finite number
   */
  solve(budget?: number, limits?: Limits): Solution;
}

export interface Solver {
  readonly backend: BackendName;
  /** @throws HalpError as parseProblem */
  prepare(problem: Problem): PreparedProblem;
  /**
   * Prepares and solves.
   * @throws HalpError as parseProblem; HALP_BUDGET
   */
  solve(problem: Problem, budget?: number, limits?: Limits): Solution;
}

export interface SolverOptions {
  /** Default `wasm`. */
  readonly backend?: BackendName;
  /** Milliseconds from any origin, for elapsedMs and time limits. Default performance.now. */
  readonly clock?: () => number;
}

function backendNamed(name: BackendName): Backend {
  if (name === "js") return jsBackend;
  if (name === "wasm") return createWasmBackend();
  throw new HalpError("HALP_BACKEND", `there is no solver backend "${String(name)}"; the backends are: wasm, js`);
}

/**
 * Creates a solver, synchronously. With `wasm` it owns an instance of the core; the compiled module is shared in the thread.
 * @throws HalpError HALP_BACKEND, HALP_NO_WASM
 */
export function createSolver(options: SolverOptions = {}): Solver {
  const backend = backendNamed(options.backend ?? "wasm");
  const clock = options.clock ?? (() => performance.now());
  function prepareAt(
    start: number,
    problem: Problem,
  ): PreparedProblem & { first(budget?: number, limits?: Limits): Solution } {
    const checked = parseProblem(problem);
    const model = buildModel(checked);
    const prepared = backend.prepare(model);
    const solveFrom = (from: number, budget: number | undefined, limits: Limits): Solution => {
      const grid = budgetToGrid(checkBudget(budget ?? checked.budget), model.weightScale, model.terms);
      const outcome = prepared.solve(grid, watch(limits, clock));
      return toSolution(model, outcome, clock() - from);
    };
    return {
      solve: (budget, limits = {}) => solveFrom(clock(), budget, limits),
      first: (budget, limits = {}) => solveFrom(start, budget, limits),
    };
  }
  return {
    backend: backend.name,
    prepare(problem) {
      const { solve } = prepareAt(clock(), problem);
      return { solve };
    },
    solve: (problem, budget, limits) => prepareAt(clock(), problem).first(budget, limits),
  };
}

export interface SolveOptions extends Limits, SolverOptions {}

const shared = new Map<BackendName, Solver>();

/**
 * Finds the choice of largest total value whose total latency is within the budget. Ties go to the lower latency, then to
 * the smaller options, first variable first (see docs/solver.md for where that last rule ends). For many problems or
 * budgets, keep a solver or a prepared problem.
 * @param budget in the problem's unit; without one, the problem's own
 * @throws HalpError as parseProblem; HALP_BUDGET if there is no budget or it is no finite number; HALP_BACKEND
 */
export function solve(problem: Problem, budget?: number, options: SolveOptions = {}): Solution {
  const name = options.backend ?? "wasm";
  let solver = options.clock === undefined ? shared.get(name) : createSolver(options);
  if (solver === undefined) {
    solver = createSolver({ backend: name });
    shared.set(name, solver);
  }
  return solver.solve(problem, budget, options);
}
