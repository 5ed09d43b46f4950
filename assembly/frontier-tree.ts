// Every undominated point of a knapsack without coarse steps, a few hull segments at a time. Classes are joined pairwise in a
// tree. Within a segment of the hull, whose slope is a multiplier, a choice loses so much in the Lagrangian, and so do its
// parts: those that lose more than the segment's cut are dropped at every node. The cut is a guess; the points found tell what
// it should have been, and where it was too small all is done again. See docs/solver.md.
import {
  hull, hullStart, itemStart, value, weight,
} from "./classes";
import { allocate, ensure, getF, getI, setF, setI } from "./memory";
import { firstFrom, pointBytes, setPoint, undominated, undominatedBytes, valueAt, weightAt } from "./points";

/** Hull segments done at a time. */
const mostSegments: i32 = 6;

// ---- why a search ended early
export const NOT_FAILED: i32 = 0;
export const FAILED_MEMORY: i32 = 1;
export const FAILED_WORK: i32 = 2;
export let failed: i32 = 0;
/** Pairs looked at, and how many may be. */
let work: f64 = 0;
let workLimit: f64 = 0;

export function startWork(limit: f64): void {
  failed = NOT_FAILED;
  work = 0;
  workLimit = limit;
}

/** Counts work and makes memory usable; false (and `failed` set) where either is over its limit. */
export function mayUse(end: usize, pairs: f64): bool {
  work += pairs;
  if (work > workLimit) failed = FAILED_WORK;
  else if (!ensure(end)) failed = FAILED_MEMORY;
  return failed == NOT_FAILED;
}

/** The hull of a set of classes: f64[count + 1] prefix sums, f64[count] slopes and i32[count] classes of the increments. */
@unmanaged
export class Hull {
  count: i32;
  weight: usize;
  value: usize;
  slope: usize;
  classes: usize;
}

/** The classes joined here, i32[leafCount], and their hull. */
let leaves: usize = 0;
let leafCount: i32 = 0;
let whole: Hull = changetype<Hull>(0);
/** i32[classes]: position in `hull` of each class at the first segment. */
let positions: usize = 0;
/** f64[mostSegments] each: what a part may lose, the gap found, and the lowest lines that are left of the segments at a node. */
let cuts: usize = 0;
let gaps: usize = 0;
let lineSlope: usize = 0;
let lineWeight: usize = 0;
let lineValue: usize = 0;
/** f64[mostSegments + 1]: the weight from which a line is the lowest. */
let lineFrom: usize = 0;
/** For each depth of the tree two places for a node's hull points at the segments: f64 weight, f64 value. */
let anchors: usize = 0;
const anchorBytes: usize = <usize>mostSegments << 4;
/** More than what rounding may do to a loss. */
let slack: f64 = 0;
let segments: i32 = 0;
/** The widths of typical gaps in weight, found so far. */
export let typicalGap: f64 = 0;

/** Memory that lasts as long as the frontier search. The tree joins `count` of `all` classes; `its` is their hull. */
export function layoutTree(classes: usize, count: i32, all: i32, its: Hull): bool {
  leaves = classes;
  leafCount = count;
  whole = its;
  typicalGap = 0;
  const bytes = <usize>(mostSegments + 1) << 3;
  positions = allocate(<usize>all << 2);
  cuts = allocate(bytes);
  gaps = allocate(bytes);
  lineSlope = allocate(bytes);
  lineWeight = allocate(bytes);
  lineValue = allocate(bytes);
  lineFrom = allocate(bytes);
  anchors = allocate(2 * 33 * anchorBytes);
  return positions != 0 && cuts != 0 && gaps != 0 && lineSlope != 0 && lineWeight != 0 && lineValue != 0 && lineFrom != 0
    && anchors != 0;
}

@inline
function anchorsOf(slot: i32): usize {
  return anchors + <usize>slot * anchorBytes;
}

/**
 * The least value that a part needs, by its weight: the lowest of the segments' lines through its hull points, each lowered by
 * its cut. Slopes fall, so each line that is lowest anywhere is so in one interval.
 */
function lowerLines(first: i32, slot: i32): void {
  const at = anchorsOf(slot);
  let n = 0;
  for (let i = 0; i < segments; i++) {
    const s = getF(whole.slope, first + i);
    const w = getF(at, 2 * i);
    const v = getF(at, 2 * i + 1) - getF(cuts, i) - slack;
    let from: f64 = -Infinity;
    let lowest = true;
    while (n > 0) {
      const t = n - 1;
      const steeper = getF(lineSlope, t) - s;
      // how far this line lies above the other at its own anchor
      const above = v - (getF(lineValue, t) + getF(lineSlope, t) * (w - getF(lineWeight, t)));
      if (!(steeper > 0)) {
        if (above >= 0) lowest = false;
        else {
          n--;
          continue;
        }
        break;
      }
      from = w + above / steeper;
      if (from > getF(lineFrom, t)) break;
      n--;
      from = -Infinity;
    }
    if (!lowest) continue;
    setF(lineSlope, n, s);
    setF(lineWeight, n, w);
    setF(lineValue, n, v);
    setF(lineFrom, n, from);
    n++;
  }
  setF(lineFrom, n, Infinity);
}

/** The items of a class that no segment's cut drops, from `out`. Gives their number. */
function leaf(l: i32, first: i32, slot: i32, out: usize): i32 {
  const at = anchorsOf(slot);
  let h = getI(positions, l);
  for (let i = 0; i < segments; i++) {
    const j = getI(hull, h);
    setF(at, 2 * i, getF(weight, j));
    setF(at, 2 * i + 1, getF(value, j));
    h += getI(whole.classes, first + i) == l ? 1 : 0;
  }
  const from = getI(itemStart, l);
  const to = getI(itemStart, l + 1);
  if (!mayUse(out + <usize>(to - from) * pointBytes, 0)) return 0;
  lowerLines(first, slot);
  const begin = out;
  let line = 0;
  for (let j = from; j < to; j++) {
    const w = getF(weight, j);
    const v = getF(value, j);
    while (w >= getF(lineFrom, line + 1)) line++;
    setPoint(out, w, v);
    out += v >= getF(lineValue, line) + getF(lineSlope, line) * (w - getF(lineWeight, line)) ? pointBytes : 0;
  }
  return <i32>((out - begin) / pointBytes);
}

/**
 * The undominated points of leaves from .. to - 1 that no cut drops, from `out`, with weights between lightest and heaviest.
 * Gives their number, 0 where `failed`.
 */
function node(from: i32, to: i32, first: i32, slot: i32, out: usize, lightest: f64, heaviest: f64): i32 {
  if (to - from == 1) return leaf(getI(leaves, from), first, slot, out);
  const middle = (from + to) >> 1;
  const child = 2 * (slot >> 1) + 2;
  let rows = node(from, middle, first, child, out, -Infinity, Infinity);
  if (failed) return 0;
  let rowList = out;
  let columnList = out + <usize>rows * pointBytes;
  let columns = node(middle, to, first, child + 1, columnList, -Infinity, Infinity);
  if (failed) return 0;
  const end = columnList + <usize>columns * pointBytes;
  const at = anchorsOf(slot);
  const a = anchorsOf(child);
  const b = anchorsOf(child + 1);
  for (let i = 0; i < 2 * segments; i++) setF(at, i, getF(a, i) + getF(b, i));
  if (rows > columns) {
    const list = rowList;
    rowList = columnList;
    columnList = list;
    const count = rows;
    rows = columns;
    columns = count;
  }
  if (rows == 1) {
    const w0 = weightAt(rowList);
    const v0 = valueAt(rowList);
    // the only row may lie where the result goes
    const down = out < columnList;
    if (down) {
      for (let y = 0; y < columns; y++) {
        const p = columnList + <usize>y * pointBytes;
        setPoint(out + <usize>y * pointBytes, w0 + weightAt(p), v0 + valueAt(p));
      }
    } else {
      for (let y = columns - 1; y >= 0; y--) {
        const p = columnList + <usize>y * pointBytes;
        setPoint(out + <usize>y * pointBytes, w0 + weightAt(p), v0 + valueAt(p));
      }
    }
    return columns;
  }
  lowerLines(first, slot);
  const candidates = end;
  const rowBytes = <usize>columns * pointBytes;
  const columnEnd = columnList + rowBytes;
  let cursor = candidates;
  let least: f64 = Infinity;
  let most: f64 = -Infinity;
  for (let x = 0; x < rows; x++) {
    if (!mayUse(cursor + rowBytes, <f64>columns)) return 0;
    const w0 = weightAt(rowList + <usize>x * pointBytes);
    const v0 = valueAt(rowList + <usize>x * pointBytes);
    let p = columnList;
    const begun = cursor;
    if (lightest > -Infinity) p += <usize>firstFrom(columnList, columns, lightest - w0) * pointBytes;
    let line = 0;
    let s = getF(lineSlope, 0);
    let lw = getF(lineWeight, 0);
    let lv = getF(lineValue, 0);
    let next = getF(lineFrom, 1);
    for (; p < columnEnd; p += pointBytes) {
      const w = w0 + weightAt(p);
      const v = v0 + valueAt(p);
      if (w > heaviest) break;
      if (w >= next) {
        do line++; while (w >= getF(lineFrom, line + 1));
        s = getF(lineSlope, line);
        lw = getF(lineWeight, line);
        lv = getF(lineValue, line);
        next = getF(lineFrom, line + 1);
      }
      setPoint(cursor, w, v);
      cursor += select<usize>(pointBytes, 0, v >= lv + s * (w - lw));
    }
    if (cursor == begun) continue;
    least = min(least, weightAt(begun));
    most = max(most, weightAt(cursor - pointBytes));
  }
  const count = <i32>((cursor - candidates) / pointBytes);
  if (!mayUse(cursor + undominatedBytes(count), <f64>count)) return 0;
  return undominated(candidates, count, least, most, cursor, out);
}

/**
 * The largest gap between a segment's line and the best known choice of every budget in it, less one, since values are
 * integers: a choice that loses more is none of the missing points. The list begins at the first segment's lower end.
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

/** Rounding of a crossing of lines, at most 2^-8 in weight, and of a loss. */
export function slackOf(steepest: f64, margin: f64): f64 {
  return margin + 0.0078125 * steepest;
}

/**
 * Every undominated point with a weight within segments from .. to - 1, from `out`. Gives their number, 0 where `failed`.
 * @param margin see classes.ts
 */
export function treePoints(from: i32, to: i32, margin: f64, out: usize): i32 {
  for (let x = 0; x < leafCount; x++) {
    const l = getI(leaves, x);
    setI(positions, l, getI(hullStart, l));
  }
  for (let i = 0; i < from; i++) {
    const l = getI(whole.classes, i);
    setI(positions, l, getI(positions, l) + 1);
  }
  let kept = 0;
  for (let first = from; first < to; first += segments) {
    segments = min(mostSegments, to - first);
    slack = slackOf(getF(whole.slope, first), margin);
    for (let i = 0; i < segments; i++) {
      const width = getF(whole.weight, first + i + 1) - getF(whole.weight, first + i);
      setF(cuts, i, getF(whole.slope, first + i) * (typicalGap > 0 ? 1.4 * typicalGap : 0.05 * width));
    }
    const lightest = getF(whole.weight, first);
    const heaviest = getF(whole.weight, first + segments);
    const list = out + <usize>kept * pointBytes;
    let count = 0;
    let start = 0;
    while (true) {
      count = node(0, leafCount, first, 0, list, lightest, heaviest);
      if (failed) return 0;
      start = firstFrom(list, count, lightest);
      count = firstFrom(list, count, heaviest + 1);
      measureGaps(whole, first, first + segments, list + <usize>start * pointBytes, count - start, gaps);
      let done = true;
      for (let i = 0; i < segments; i++) {
        const gap = getF(gaps, i);
        if (gap <= getF(cuts, i)) continue;
        done = false;
        setF(cuts, i, min(gap, max(2 * getF(cuts, i), getF(whole.slope, first + i))));
      }
      if (done) break;
    }
    // the first point is the last one of the segments before
    if (kept > 0) start++;
    memory.copy(list, list + <usize>start * pointBytes, <usize>(count - start) * pointBytes);
    kept += count - start;
    let sum: f64 = 0;
    let largest: f64 = 0;
    for (let i = 0; i < segments; i++) {
      const l = getI(whole.classes, first + i);
      setI(positions, l, getI(positions, l) + 1);
      const gap = getF(gaps, i) / getF(whole.slope, first + i);
      sum += gap;
      largest = max(largest, gap);
    }
    typicalGap = segments > 1 ? (sum - largest) / <f64>(segments - 1) : sum;
  }
  return kept;
}
