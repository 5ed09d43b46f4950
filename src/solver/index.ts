export type { BackendName } from "./backend.js";
export type { Limits } from "./limits.js";
export { parseProblem } from "./parse-problem.js";
export type { PoolLimits } from "./pool/call.js";
export type { FlatRequest } from "./pool/packing.js";
export { createSolverPool, type SolverPool, type SolverPoolOptions } from "./pool/pool.js";
export type { Frontier, FrontierOptions, PreparedProblem } from "./prepared-problem.js";
export type { Request } from "./requests.js";
export {
  createSolver,
  type SolveAsyncOptions,
  type SolveOptions,
  type Solver,
  type SolverOptions,
  solve,
  solveAsync,
} from "./solver.js";
export type {
  Factor,
  PairFactor,
  Problem,
  Quantum,
  Solution,
  SolutionStatus,
  UnaryFactor,
  Variable,
} from "./types.js";
export { scoreChoice, type Verification, verify } from "./verify.js";
export {
  createFlatSolver,
  type FlatProblem,
  type FlatSolution,
  type FlatSolver,
  type FlatSolverOptions,
} from "./wasm/flat-solver.js";
