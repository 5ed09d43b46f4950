/** Budgets as fractions of the dense latency. Imports nothing: the page of a run, too, says whether a budget was met. */

/**
 * HALP's schedule of budgets (arXiv 2110.10811, section 3.4): latencies fall exponentially from the dense one to the
 * target, so every step takes the same share of what is left.
 * @returns `steps` fractions of the dense latency; the last is `ratio`.
 */
export function budgetSchedule(ratio: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => (i === steps - 1 ? ratio : ratio ** ((i + 1) / steps)));
}

/** How far above its budget, relatively, a network may take and still count as within it. */
export const defaultTolerance = 0.03;

/** The ratio that still counts as within the budget. */
export function highest(ratio: number, tolerance: number = defaultTolerance): number {
  return ratio * (1 + tolerance);
}
