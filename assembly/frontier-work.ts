// What all searches for frontiers share: the limits they are under, how their gaps are measured, lowest lines.
import { allocate, ensure, getF, setF } from "./memory";
import { pointBytes, valueAt, weightAt } from "./points";

// ---- limits

/** Why a search ended early; also what it answers, shared with src/solver/wasm/exports.ts. */
export const FOUND: i32 = 0;
export const NO_MEMORY: i32 = 1;
export const TOO_MUCH: i32 = 2;
export let failed: i32 = FOUND;
/** Pairs looked at, and how many may be. */
let work: f64 = 0;
let workLimit: f64 = 0;

export function startWork(limit: f64): void {
  failed = FOUND;
  work = 0;
  workLimit = limit;
}

/** Counts work and makes memory usable; false (and `failed` set) where either is over its limit. */
export function mayUse(end: usize, pairs: f64): bool {
  work += pairs;
  if (work > workLimit) failed = TOO_MUCH;
  else if (!ensure(end)) failed = NO_MEMORY;
  return failed == FOUND;
}

export function outOfMemory(): void {
  failed = NO_MEMORY;
}

// ---- gaps

/**
 * Points of an upper bound of the frontier that is straight between them, by falling slope: f64[count + 1] weights and
 * values, f64[count] slopes. Of a hull, i32[count] classes of the increments.
 */
@unmanaged
export class Hull {
  count: i32;
  weight: usize;
  value: usize;
  slope: usize;
  classes: usize;
}

/**
 * The largest gap between a segment's line and the best known choice of every budget in it, less one, since values are
 * integers: a choice that loses more is none of the missing points.
 * @param list begins at the first segment's lower end
 * @param out f64[last - first]
 */
export function measureGaps(its: Hull, first: i32, last: i32, list: usize, count: i32, out: usize): void {
  let k = 0;
  for (let i = first; i < last; i++) {
    const w0 = getF(its.weight, i);
    const v0 = getF(its.value, i);
    const w1 = getF(its.weight, i + 1);
    const s = getF(its.slope, i);
    let widest: f64 = 0;
    while (true) {
      const p = list + <usize>k * pointBytes;
      const next: f64 = k + 1 < count ? weightAt(p + pointBytes) : Infinity;
      if (next > w0) widest = max(widest, v0 + s * (min(w1, next - 1) - w0) - valueAt(p) - 1);
      if (next > w1) break;
      k++;
    }
    setF(out, i - first, widest);
  }
}

/** Wider cuts where they were too small for the gaps; false where none was. */
export function widenCuts(cuts: usize, gaps: usize, slopes: usize, count: i32): bool {
  let widened = false;
  for (let i = 0; i < count; i++) {
    const gap = getF(gaps, i);
    if (gap <= getF(cuts, i)) continue;
    widened = true;
    setF(cuts, i, min(gap, max(2 * getF(cuts, i), getF(slopes, i))));
  }
  return widened;
}

/** The width in weight of a typical gap: their mean but for the widest. */
export function typical(gaps: usize, slopes: usize, count: i32): f64 {
  let sum: f64 = 0;
  let widest: f64 = 0;
  for (let i = 0; i < count; i++) {
    const width = getF(gaps, i) / getF(slopes, i);
    sum += width;
    widest = max(widest, width);
  }
  return count > 1 ? (sum - widest) / <f64>(count - 1) : sum;
}

/** More than what rounding may do to a loss: `margin`, and that of a crossing of lines, at most 2^-8 in weight. */
export function slackOf(steepest: f64, margin: f64): f64 {
  return margin + 0.0078125 * steepest;
}

// ---- lowest lines

/** f64[mostLines] each: slope and a point of each line that is the lowest somewhere, by falling slope. */
export let lineSlope: usize = 0;
export let lineWeight: usize = 0;
export let lineValue: usize = 0;
/** f64[mostLines + 1]: the weight from which a line is the lowest, and at last infinity. */
export let lineFrom: usize = 0;
export let lineCount: i32 = 0;

export function layoutLines(most: i32): bool {
  const bytes = <usize>(most + 1) << 3;
  lineSlope = allocate(bytes);
  lineWeight = allocate(bytes);
  lineValue = allocate(bytes);
  lineFrom = allocate(bytes);
  return lineSlope != 0 && lineWeight != 0 && lineValue != 0 && lineFrom != 0;
}

@inline
export function clearLines(): void {
  lineCount = 0;
  setF(lineFrom, 0, Infinity);
}

/** Adds the line of slope s through (w, v), not steeper than those before. */
export function addLine(s: f64, w: f64, v: f64): void {
  let n = lineCount;
  let from: f64 = -Infinity;
  while (n > 0) {
    const t = n - 1;
    const flatter = getF(lineSlope, t) - s;
    // how far this line lies above the other at its own point
    const above = v - (getF(lineValue, t) + getF(lineSlope, t) * (w - getF(lineWeight, t)));
    if (flatter > 0) {
      from = w + above / flatter;
      if (from > getF(lineFrom, t)) break;
    } else if (above >= 0) return;
    from = -Infinity;
    n--;
  }
  setF(lineSlope, n, s);
  setF(lineWeight, n, w);
  setF(lineValue, n, v);
  setF(lineFrom, n, from);
  setF(lineFrom, n + 1, Infinity);
  lineCount = n + 1;
}
