/** Summaries of repeated timings. */

/** Five numbers of a sample; unit is that of what was summarised (nanoseconds throughout halp). */
export interface Samples {
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly count: number;
}

/** Quantile p (0 to 1) of ascending values, linear between neighbours. */
export function quantileOf(ascending: ArrayLike<number>, p: number): number {
  const at = p * (ascending.length - 1);
  const low = Math.floor(at);
  const a = ascending[low] ?? Number.NaN;
  const b = ascending[Math.min(low + 1, ascending.length - 1)] ?? a;
  return a + (b - a) * (at - low);
}

export function summarize(values: Iterable<number>): Samples {
  const sorted = Float64Array.from(values).sort();
  return {
    min: sorted[0] ?? Number.NaN,
    q1: quantileOf(sorted, 0.25),
    median: quantileOf(sorted, 0.5),
    q3: quantileOf(sorted, 0.75),
    count: sorted.length,
  };
}

/**
 * Mean of the lower half of the values. As steady against disturbance as the first quartile (disturbance only ever adds
 * time), and finer than it where the clock counts whole microseconds.
 */
export function lowerMean(values: Iterable<number>): number {
  const sorted = Float64Array.from(values).sort();
  const n = Math.max(1, sorted.length >> 1);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += sorted[i] ?? Number.NaN;
  return sum / n;
}
