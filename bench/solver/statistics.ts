/** The q-quantile, 0 to 1, as one of the numbers (nearest rank); NaN of none. */
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const rank = Math.ceil(q * sorted.length) - 1;
  return sorted[Math.max(0, Math.min(sorted.length - 1, rank))] ?? Number.NaN;
}

/** The middle number; between two of them their mean. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Seconds as a short text in the unit that suits them. */
export function formatSeconds(seconds: number): string {
  if (Number.isNaN(seconds)) return "-";
  if (seconds < 1e-3) return `${(seconds * 1e6).toPrecision(3)} us`;
  if (seconds < 1) return `${(seconds * 1e3).toPrecision(3)} ms`;
  return `${seconds < 100 ? seconds.toPrecision(3) : seconds.toFixed(0)} s`;
}

/** A ratio as a short text: three digits, thousands set apart. */
export function formatRatio(x: number): string {
  return x >= 1000
    ? Math.round(x)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, ",")
    : x.toPrecision(3);
}
