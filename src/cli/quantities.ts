/** Numbers for people. */

/** 1234567 ns -> "1.235 ms". Four significant digits, never below a nanosecond. */
export function formatNs(ns: number): string {
  const size = Math.abs(ns);
  if (size >= 1e9) return `${round(ns / 1e9)} s`;
  if (size >= 1e6) return `${round(ns / 1e6)} ms`;
  if (size >= 1e3) return `${round(ns / 1e3)} us`;
  return `${Math.round(ns)} ns`;
}

/** 1234567 -> "1.235 M". */
export function formatCount(count: number): string {
  const size = Math.abs(count);
  if (size >= 1e9) return `${round(count / 1e9)} G`;
  if (size >= 1e6) return `${round(count / 1e6)} M`;
  if (size >= 1e4) return `${round(count / 1e3)} k`;
  return String(count);
}

/** 0.4567 -> "45.7 %". */
export function formatPercent(fraction: number, digits = 1): string {
  return `${(fraction * 100).toFixed(digits)} %`;
}

/** Seconds of wall time: 75 -> "1:15". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const rest = String(seconds % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** Four significant digits, without exponents for what halp prints. */
function round(value: number): string {
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))));
  return value.toFixed(Math.min(3, digits));
}

/** Dims as they are written: [1, 3, "h", null] -> "1x3xhx?". Long names of dimensions say no more than "?". */
export function formatDims(dims: readonly (number | string | null)[] | undefined): string {
  if (dims === undefined) return "?";
  const show = (d: number | string | null) => (d === null || (typeof d === "string" && d.length > 8) ? "?" : d);
  return dims.length === 0 ? "scalar" : dims.map(show).join("x");
}

/** "1 group", "2 groups". */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
