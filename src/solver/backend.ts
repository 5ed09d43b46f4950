import type { GridPoints, PartFinder } from "./frontier.js";
import type { Outcome, Watch } from "./limits.js";
import type { Model } from "./model.js";

/** Which backends exist and what each is good for is told in docs/solver.md. */
export type BackendName = "wasm" | "js" | "dense" | "paper";

/** A way to solve problems; all of them pass one test suite. */
export interface Backend {
  readonly name: BackendName;
  /** Does all work that does not depend on the budget. */
  prepare(model: Model): BackendProblem;
}

/** A prepared problem; `budget` and the outcome are in grid numbers. */
export interface BackendProblem {
  solve(budget: number, limits: Watch): Outcome;
  /** The same, a few milliseconds of work at a time. Only one solve at a time may be under way in a backend. */
  slices?(budget: number, limits: Watch): Generator<undefined, Outcome>;
  /** Bytes that it takes in the backend's memory; absent where the backend does not know. */
  readonly memoryBytes?: number | undefined;
  /** A way to the points from one weight to another that is faster than one solve a point; null: the time is up. */
  parts?(from: number, to: number, limits: Watch): PartFinder | null;
  /** The corners of the frontier's upper convex hull; absent where no choice exists or the backend cannot tell. */
  hull?(limits: Watch): GridPoints;
}
