import type { BackendProblem } from "./backend.js";
import type { Watch } from "./limits.js";

/** Points by rising weight and value, in grid numbers. */
export interface GridPoints {
  readonly weight: readonly number[];
  readonly value: readonly number[];
  /** False where a limit ended the list early. */
  readonly complete: boolean;
}

/**
 * Every non-dominated point with weight from `from` to `to`, found from the heaviest down: since ties go to the lower weight,
 * the optimum is itself a point of the frontier, and the next is the optimum for one less than its weight.
 */
export function sweepFrontier(
  problem: BackendProblem,
  from: number,
  to: number,
  maxPoints: number,
  watch: Watch,
): GridPoints {
  const weight: number[] = [];
  const value: number[] = [];
  let complete = false;
  for (let budget = to; ; budget = weight[weight.length - 1]! - 1) {
    if (budget < from) {
      complete = true;
      break;
    }
    if (weight.length >= maxPoints || watch.expired()) break;
    const outcome = problem.solve(budget, watch);
    if (outcome.status === "infeasible" || (outcome.status === "optimal" && outcome.weight < from)) {
      complete = true;
      break;
    }
    if (outcome.status !== "optimal") break;
    weight.push(outcome.weight);
    value.push(outcome.value);
  }
  return { weight: weight.reverse(), value: value.reverse(), complete };
}

/** A multiplier's best choice. */
export type Evaluate = (lambda: number) => { readonly value: number; readonly weight: number };

/** The corners of the upper convex hull between two of them: each gap is split at the point its own slope finds. */
export function hullBetween(
  first: { readonly weight: number; readonly value: number },
  last: { readonly weight: number; readonly value: number },
  evaluate: Evaluate,
): GridPoints {
  const weight = [first.weight];
  const value = [first.value];
  const split = (a: typeof first, b: typeof first): void => {
    if (b.weight - a.weight > 1) {
      const lambda = (b.value - a.value) / (b.weight - a.weight);
      const met = evaluate(lambda);
      const rise = met.value - a.value - lambda * (met.weight - a.weight);
      const rounding = 2 ** -44 * (Math.abs(b.value - a.value) + Math.abs(met.value));
      if (met.weight > a.weight && met.weight < b.weight && rise > rounding) {
        split(a, met);
        split(met, b);
        return;
      }
    }
    weight.push(b.weight);
    value.push(b.value);
  };
  if (last.weight > first.weight) split(first, last);
  return { weight, value, complete: true };
}

/** The hull's corners among points that all lie on it, by rising weight. */
export function hullCorners(weight: Float64Array, value: Float64Array): GridPoints {
  const corners: number[] = [];
  for (let i = 0; i < weight.length; i++) {
    while (corners.length > 1) {
      const b = corners[corners.length - 1]!;
      const a = corners[corners.length - 2]!;
      const before = (value[b]! - value[a]!) / (weight[b]! - weight[a]!);
      const after = (value[i]! - value[b]!) / (weight[i]! - weight[b]!);
      if (after < before) break;
      corners.pop();
    }
    corners.push(i);
  }
  return {
    weight: corners.map((i) => weight[i]!),
    value: corners.map((i) => value[i]!),
    complete: true,
  };
}
