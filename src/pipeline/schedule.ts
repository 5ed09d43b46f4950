/**
 * HALP's schedule of budgets (arXiv 2110.10811, section 3.4): latencies fall exponentially from the dense one to the
 * target, so every step takes the same share of what is left.
 * @returns `steps` fractions of the dense latency; the last is `ratio`.
 */
export function budgetSchedule(ratio: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => (i === steps - 1 ? ratio : ratio ** ((i + 1) / steps)));
}
