import type { Backend, BackendName } from "./backend.js";
import { checkBackend } from "./check-backend.js";
import { createJsBackend } from "./js/js-backend.js";
import { checkLimits, type Limits } from "./limits.js";
import { buildModel } from "./model.js";
import { parseProblem } from "./parse-problem.js";
import { type Frontier, type FrontierOptions, Prepared, type PreparedProblem } from "./prepared-problem.js";
import { answerEach, type Request } from "./requests.js";
import { PreparedSeveral } from "./several/prepared-several.js";
import type { Problem, Solution } from "./types.js";
import { createDenseBackend, createPaperBackend } from "./wasm/cell-backends.js";
import { createWasmBackend } from "./wasm/wasm-backend.js";

export interface Solver {
  readonly backend: BackendName;
  /** @throws HalpError as parseProblem */
  prepare(problem: Problem): PreparedProblem;
  /**
   * Prepares and solves.
   * @throws HalpError as parseProblem; HALP_BUDGET, HALP_LIMIT
   */
  solve(problem: Problem, budget?: number, limits?: Limits): Solution;
  /**
   * Solves many problems one after the other.
   * @throws HalpError as solve, for the first problem that is wrong; the message names it. HALP_BATCH if there is no array of
   * requests
   */
  solveBatch(requests: readonly Request[], limits?: Limits): Solution[];
  /** @throws HalpError as parseProblem; HALP_LIMIT */
  frontier(problem: Problem, options?: FrontierOptions): Frontier;
}

export interface SolverOptions {
  /** Default `wasm`. */
  readonly backend?: BackendName | undefined;
  /** Milliseconds from any origin, for elapsedMs and time limits. Default performance.now. */
  readonly clock?: (() => number) | undefined;
  /** What the WASM may grow to; a search that needs more ends with the best it has. Default 2 GiB. */
  readonly memoryLimitBytes?: number | undefined;
}

function backendOf({ backend = "wasm", memoryLimitBytes }: SolverOptions): Backend {
  const name = checkBackend(backend);
  if (name === "js") return createJsBackend(memoryLimitBytes);
  if (name === "dense") return createDenseBackend(undefined, memoryLimitBytes);
  if (name === "paper") return createPaperBackend(undefined, memoryLimitBytes);
  return createWasmBackend(undefined, memoryLimitBytes);
}

const now = (): number => performance.now();

function prepareWith(backend: Backend, problem: Problem, clock: () => number): Prepared | PreparedSeveral {
  const checked = parseProblem(problem);
  if (checked.budgets !== undefined) return new PreparedSeveral(checked, backend, clock);
  const model = buildModel(checked);
  return new Prepared(model, backend.prepare(model), checked.budget, clock);
}

/**
 * Creates a solver, synchronously. With `wasm` it owns an instance of the core; the compiled module is shared in the thread.
 * @throws HalpError HALP_BACKEND, HALP_NO_WASM
 */
export function createSolver(options: SolverOptions = {}): Solver {
  const backend = backendOf(options);
  const clock = options.clock ?? now;
  const solver: Solver = {
    backend: backend.name,
    prepare: (problem) => prepareWith(backend, problem, clock),
    solve(problem, budget, limits = {}) {
      const start = clock();
      return prepareWith(backend, problem, clock).solveSince(start, budget, limits);
    },
    solveBatch: (requests, limits) =>
      answerEach(requests, ({ problem, budget }) => solver.solve(problem, budget, limits)),
    frontier: (problem, frontierOptions) => prepareWith(backend, problem, clock).frontier(frontierOptions),
  };
  return solver;
}

export interface SolveOptions extends Limits, SolverOptions {}

const shared = new Map<BackendName, Solver>();

/**
 * Finds the choice of largest total value whose total latency is within the budget. Ties go to the lower latency, then to
 * the smaller options, first variable first (see docs/solver.md for where that last rule ends). For many problems or
 * budgets, keep a solver or a prepared problem.
 * @param budget in the problem's unit; without one, the problem's own
 * @throws HalpError as parseProblem; HALP_BUDGET if there is no budget or it is no finite number; HALP_BACKEND, HALP_LIMIT
 */
export function solve(problem: Problem, budget?: number, options: SolveOptions = {}): Solution {
  checkLimits(options);
  const name = options.backend ?? "wasm";
  const own = options.clock !== undefined || options.memoryLimitBytes !== undefined;
  let solver = own ? createSolver(options) : shared.get(name);
  if (solver === undefined) {
    solver = createSolver({ backend: name });
    shared.set(name, solver);
  }
  return solver.solve(problem, budget, options);
}

export interface SolveAsyncOptions extends SolveOptions {
  /** When it aborts, the best answer so far is returned. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that solveAsync keeps the thread for, slices ending where they do. */
const keepMs = 4;

/** Backends whose last solve is over: a core is costly enough to be used again. One of a name is kept. */
const idle = new Map<BackendName, Backend>();

/**
 * As solve(), but gives way to the event loop every few milliseconds, and listens to a signal there. On a core of its own.
 * @throws HalpError as solve (the promise is rejected)
 */
export async function solveAsync(
  problem: Problem,
  budget?: number,
  options: SolveAsyncOptions = {},
): Promise<Solution> {
  checkLimits(options);
  const clock = options.clock ?? now;
  const start = clock();
  const name = options.backend ?? "wasm";
  const common = options.memoryLimitBytes === undefined;
  const backend = (common ? idle.get(name) : undefined) ?? backendOf(options);
  if (common) idle.delete(name);
  const prepared = prepareWith(backend, problem, clock);
  const slices = prepared.solveInSlices(start, budget, options, () => options.signal?.aborted === true);
  let gaveWay = now();
  for (let step = slices.next(); ; step = slices.next()) {
    if (step.done === true) {
      if (common) idle.set(name, backend);
      return step.value;
    }
    // a turn of the event loop takes a millisecond; small problems need none
    if (now() - gaveWay < keepMs) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    gaveWay = now();
  }
}
