import type { BackendProblem } from "./backend.js";
import type { Watch } from "./limits.js";

/** Points by rising weight and value, in grid numbers. */
export interface GridPoints {
  readonly weight: ArrayLike<number>;
  readonly value: ArrayLike<number>;
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

/** Finds all points of a part of the frontier at once. */
export interface PartFinder {
  /**
   * Weights of some points by rising weight, hull points but perhaps for the first and the last. No point wanted is lighter
   * than the first or heavier than the last.
   */
  readonly corners: ArrayLike<number>;
  /** From how many corners to the next one is a part to begin with. */
  readonly span: number;
  /** Every point from corner `a` to corner `b`, both among them: weight, value, weight, value ...; null: too much at once. */
  between(a: number, b: number): Float64Array | null;
  /** All points of problems of small whole numbers, likewise; null for others. */
  all(): Float64Array | null;
}

/**
 * Every non-dominated point with weight from `from` to `to`, a part at a time from the heaviest down. Parts get
 * smaller where they are too much at once; what is too much even between neighbouring corners is swept.
 */
export function joinParts(
  finder: PartFinder | null,
  problem: BackendProblem,
  from: number,
  to: number,
  maxPoints: number,
  watch: Watch,
): GridPoints {
  if (finder === null) return { weight: [], value: [], complete: false };
  const { corners } = finder;
  const parts: { readonly weight: ArrayLike<number>; readonly value: ArrayLike<number> }[] = [];
  let count = 0;
  let b = corners.length - 1;
  while (b > 0 && corners[b - 1]! >= to) b--;
  let { span } = finder;
  let complete = false;
  while (true) {
    if (b < 0 || corners[b]! < from) {
      complete = true;
      break;
    }
    if (count >= maxPoints || watch.expired()) break;
    let a = Math.max(0, b - span);
    let found = finder.between(a, b);
    if (found === null && span === finder.span) {
      found = finder.all();
      if (found !== null) a = 0;
    }
    // the lower corner is the upper one of the part below
    const least = Math.max(from, a === 0 ? corners[0]! : corners[a]! + 1);
    const most = Math.min(to, corners[b]!);
    if (found !== null) {
      const part = cut(found, least, most, maxPoints - count);
      parts.push(part);
      count += part.weight.length;
      if (part.cutOff) break;
    } else if (b - a > 1) {
      span = (b - a) >> 1;
      continue;
    } else {
      const swept = sweepFrontier(problem, least, most, maxPoints - count, watch);
      parts.push(swept);
      count += swept.weight.length;
      if (!swept.complete) break;
    }
    b = a === 0 ? -1 : a;
  }
  const weight = new Float64Array(count);
  const value = new Float64Array(count);
  let at = 0;
  for (const part of parts.reverse()) {
    weight.set(part.weight, at);
    value.set(part.value, at);
    at += part.weight.length;
  }
  return { weight, value, complete };
}

/** The points with weights from `least` to `most`, at most so many, the heaviest; and whether there would be more. */
function cut(
  points: Float64Array,
  least: number,
  most: number,
  maxPoints: number,
): { readonly weight: Float64Array; readonly value: Float64Array; readonly cutOff: boolean } {
  let start = 0;
  let end = points.length / 2;
  while (start < end && points[2 * start]! < least) start++;
  while (end > start && points[2 * end - 2]! > most) end--;
  const cutOff = end - start > maxPoints;
  if (cutOff) start = end - maxPoints;
  const weight = new Float64Array(end - start);
  const value = new Float64Array(end - start);
  for (let i = start; i < end; i++) {
    weight[i - start] = points[2 * i]!;
    value[i - start] = points[2 * i + 1]!;
  }
  return { weight, value, cutOff };
}

/** A multiplier's best choice. */
export type Evaluate = (lambda: number) => { readonly value: number; readonly weight: number };

/** The corners of the upper convex hull between two of them: each gap is split at the point its own slope finds. */
export function hullBetween(
  first: { readonly weight: number; readonly value: number },
  last: { readonly weight: number; readonly value: number },
  evaluate: Evaluate,
  watch: Watch,
): GridPoints {
  let complete = true;
  const weight = [first.weight];
  const value = [first.value];
  const split = (a: typeof first, b: typeof first): void => {
    if (watch.expired()) complete = false;
    else if (b.weight - a.weight > 1) {
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
  return { weight, value, complete };
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
