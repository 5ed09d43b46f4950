import { HalpError } from "../errors.js";
import type { BackendProblem } from "./backend.js";
import { type GridPoints, joinParts, sweepFrontier } from "./frontier.js";
import { type Limits, type Outcome, watch } from "./limits.js";
import type { Model } from "./model.js";
import { checkBudget } from "./parse-problem.js";
import { budgetToGrid } from "./quantise.js";
import { show } from "./show.js";
import { toSolution } from "./solution.js";
import type { Quantum, Solution } from "./types.js";

export interface FrontierOptions {
  /** Only the corners of the upper convex hull: those reachable with one multiplier. */
  readonly hull?: boolean;
  /** Latencies to cover, both included. */
  readonly from?: number;
  readonly to?: number;
  /** The list ends (from the top) once it has so many points. Default 100,000. */
  readonly maxPoints?: number;
  /** Asked between parts of the work; true ends it. */
  readonly stopped?: () => boolean;
  readonly timeLimitMs?: number;
}

/** Non-dominated points by rising latency and value: each is the optimum for its own latency as the budget. */
export interface Frontier {
  readonly latency: Float64Array;
  readonly value: Float64Array;
  /** False where maxPoints, the time limit or `stopped` cut the list off at its low end; of a hull, corners are missing then. */
  readonly complete: boolean;
  readonly quantum: Quantum;
  /** The whole solution at point i; it is solved for when asked. */
  solution(i: number): Solution;
}

/** A problem made ready once, to be solved under any number of budgets. */
export interface PreparedProblem {
  /**
   * Bytes that the problem takes in the solver's memory; what a search keeps comes on top, and memoryLimitBytes holds for both.
   * Undefined where it is not known (backend js, and problems without any choice).
   */
  readonly memoryBytes: number | undefined;
  /**
   * The best choice within the budget; without one, the problem's own.
   * @throws HalpError HALP_BUDGET if there is no budget or it is no finite number; HALP_LIMIT
   */
  solve(budget?: number, limits?: Limits): Solution;
  /**
   * All non-dominated choices, or the corners of their hull. Complete and exact unless a limit is given.
   * @throws HalpError HALP_LIMIT, HALP_BUDGET for bounds that are no finite numbers
   */
  frontier(options?: FrontierOptions): Frontier;
}

/** A prepared problem with what the solver needs besides. */
export class Prepared implements PreparedProblem {
  readonly #model: Model;
  readonly #problem: BackendProblem;
  readonly #ownBudget: number | undefined;
  readonly #clock: () => number;

  constructor(model: Model, problem: BackendProblem, ownBudget: number | undefined, clock: () => number) {
    this.#model = model;
    this.#problem = problem;
    this.#ownBudget = ownBudget;
    this.#clock = clock;
  }

  get memoryBytes(): number | undefined {
    return this.#problem.memoryBytes;
  }

  solve(budget?: number, limits: Limits = {}): Solution {
    return this.solveSince(this.#clock(), budget, limits);
  }

  /** solve(), timed from an earlier moment. */
  solveSince(start: number, budget: number | undefined, limits: Limits): Solution {
    const outcome = this.#problem.solve(this.#grid(budget ?? this.#ownBudget), watch(limits, this.#clock));
    return this.#solution(outcome, start);
  }

  /** solve() in slices: yields between them. */
  *solveInSlices(
    start: number,
    budget: number | undefined,
    limits: Limits,
    stopped: () => boolean,
  ): Generator<undefined, Solution> {
    const limit = watch(limits, this.#clock);
    const either = { ...limit, expired: () => stopped() || limit.expired() };
    const grid = this.#grid(budget ?? this.#ownBudget);
    const outcome =
      this.#problem.slices === undefined
        ? this.#problem.solve(grid, either)
        : yield* this.#problem.slices(grid, either);
    return this.#solution(outcome, start);
  }

  frontier(options: FrontierOptions = {}): Frontier {
    const limit = watch({ timeLimitMs: options.timeLimitMs, stopped: options.stopped }, this.#clock);
    const most = options.maxPoints ?? 100_000;
    if (!(typeof most === "number" && most >= 1))
      throw new HalpError("HALP_LIMIT", `maxPoints must be a number from 1, not ${show(most)}`, { name: "maxPoints" });
    const largest = 2 ** 53;
    const from =
      options.from === undefined ? -largest : -budgetToGrid(-checkBudget(options.from), this.#model.weightScale, 0);
    const to = options.to === undefined ? largest : this.#grid(options.to);
    let points: GridPoints;
    if (options.hull === true) points = within(this.#problem.hull?.(limit) ?? none, from, to);
    else {
      const parts = this.#problem.parts?.(from, to, limit);
      points =
        parts === undefined
          ? sweepFrontier(this.#problem, from, to, most, limit)
          : joinParts(parts, this.#problem, from, to, most, limit);
    }
    const { valueScale, weightScale } = this.#model;
    const latency = scaled(points.weight, weightScale);
    return {
      latency,
      value: scaled(points.value, valueScale),
      complete: points.complete,
      quantum: { value: 1 / valueScale, latency: 1 / weightScale },
      solution: (i) => {
        const start = this.#clock();
        return this.#solution(this.#problem.solve(points.weight[i]!, watch({}, this.#clock)), start);
      },
    };
  }

  #grid(budget: number | undefined): number {
    return budgetToGrid(checkBudget(budget), this.#model.weightScale, this.#model.terms);
  }

  #solution(outcome: Outcome, start: number): Solution {
    return toSolution(this.#model, outcome, this.#clock() - start);
  }
}

function scaled(numbers: ArrayLike<number>, scale: number): Float64Array {
  const out = new Float64Array(numbers.length);
  for (let i = 0; i < out.length; i++) out[i] = numbers[i]! / scale;
  return out;
}

const none: GridPoints = { weight: [], value: [], complete: true };

function within(points: GridPoints, from: number, to: number): GridPoints {
  const weight = Array.from(points.weight);
  const inside = (_: number, i: number): boolean => weight[i]! >= from && weight[i]! <= to;
  return {
    weight: weight.filter(inside),
    value: Array.from(points.value).filter(inside),
    complete: points.complete,
  };
}
