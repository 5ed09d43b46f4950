/** Numbers for people. */

import { time } from "../report/format.js";

export { count as formatCount, percent as formatPercent } from "../report/format.js";

/** 1234567 ns -> "1.235 ms"; in ASCII, for terminals and what reads them. */
export const formatNs = (ns: number): string => time(ns, "us");

/** Seconds of wall time: 75 -> "1:15". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const rest = String(seconds % 60).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
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
