// Every undominated point of a knapsack without coarse steps, a few hull segments at a time. Classes are joined pairwise in a
// tree. Within a segment of the hull, whose slope is a multiplier, a choice loses so much in the Lagrangian, and so do its
// parts: those that lose more than the segment's cut are dropped at every node. The cut is a guess; the points found tell what
// it should have been, and where it was too small all is done again. See docs/solver.md.
import {
  hull, hullStart, itemStart, value, weight,
} from "./classes";
import {
  addLine, clearLines, failed, Hull, layoutLines, lineFrom, lineSlope, lineValue, lineWeight, mayUse, measureGaps, slackOf, typical,
  widenCuts,
} from "./frontier-work";
import { allocate, getF, getI, setF, setI } from "./memory";
import { firstFrom, pointBytes, setPoint, undominated, undominatedBytes, valueAt, weightAt } from "./points";

/** Hull segments done at a time. */
const mostSegments: i32 = 6;
/** The cut that is tried first, in typical gaps. */
const likely: f64 = 1.4;

/** The classes joined here, i32[leafCount], and their hull. */
let leaves: usize = 0;
let leafCount: i32 = 0;
let whole: Hull = changetype<Hull>(0);
/** i32[classes]: position in `hull` of each class at the first segment. */
let positions: usize = 0;
/** f64[mostSegments] each: what a part may lose, and the gap found; `cutsNow` is the first of the segments at work. */
let cuts: usize = 0;
let gaps: usize = 0;
let cutsNow: usize = 0;
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
  const bytes = <usize>mostSegments << 3;
  positions = allocate(<usize>all << 2);
  cuts = allocate(bytes);
  gaps = allocate(bytes);
  anchors = allocate(2 * 33 * anchorBytes);
  return positions != 0 && cuts != 0 && gaps != 0 && anchors != 0 && layoutLines(mostSegments);
}

@inline
function anchorsOf(slot: i32): usize {
  return anchors + <usize>slot * anchorBytes;
}

/** The least value that a part needs, by its weight: lines through its hull points at the segments, lowered by the cuts. */
function lowerLines(first: i32, slot: i32): void {
  const at = anchorsOf(slot);
  clearLines();
  for (let i = 0; i < segments; i++)
    addLine(getF(whole.slope, first + i), getF(at, 2 * i), getF(at, 2 * i + 1) - getF(cutsNow, i) - slack);
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

/** Moves the classes' positions over segments from .. to - 1, ahead (1) or back (-1). */
function movePositions(from: i32, to: i32, step: i32): void {
  for (let i = from; i < to; i++) {
    const l = getI(whole.classes, i);
    setI(positions, l, getI(positions, l) + step);
  }
}

/**
 * The undominated points that no cut drops, with weights within `count` segments from first + offset on, at `list`; measures
 * their gaps. The positions are those at the first of them. Gives their number, 0 where `failed`.
 */
function pass(first: i32, offset: i32, count: i32, list: usize): i32 {
  const begin = first + offset;
  segments = count;
  cutsNow = cuts + (<usize>offset << 3);
  const lightest = getF(whole.weight, begin);
  const heaviest = getF(whole.weight, begin + count);
  const found = node(0, leafCount, begin, 0, list, lightest, heaviest);
  if (failed) return 0;
  const start = firstFrom(list, found, lightest);
  const end = firstFrom(list, found, heaviest + 1);
  memory.copy(list, list + <usize>start * pointBytes, <usize>(end - start) * pointBytes);
  measureGaps(whole, begin, begin + count, list, end - start, gaps + (<usize>offset << 3));
  return end - start;
}

/** Puts `more` points, which lie behind the list, in place of those with weights from lightest to heaviest. Gives the new number. */
function replacePoints(list: usize, count: i32, more: i32, lightest: f64, heaviest: f64): i32 {
  const start = firstFrom(list, count, lightest);
  const end = firstFrom(list, count, heaviest + 1);
  const added = list + <usize>count * pointBytes;
  const addedEnd = added + <usize>more * pointBytes;
  const tail = <usize>(count - end) * pointBytes;
  if (!mayUse(addedEnd + tail, 0)) return 0;
  memory.copy(addedEnd, list + <usize>end * pointBytes, tail);
  memory.copy(list + <usize>start * pointBytes, added, addedEnd + tail - added);
  return start + more + count - end;
}

/** Does the segments again whose gaps are deeper than their cuts. Gives the new number of points, 0 where `failed`. */
function mend(first: i32, batch: i32, list: usize, count: i32): i32 {
  let end = batch;
  while (end > 0) {
    let begin = end;
    while (begin > 0 && getF(gaps, begin - 1) > getF(cuts, begin - 1)) begin--;
    if (begin == end) {
      end--;
      continue;
    }
    const at = <usize>begin << 3;
    const slopes = whole.slope + (<usize>(first + begin) << 3);
    let more = 0;
    movePositions(first, first + begin, 1);
    while (widenCuts(cuts + at, gaps + at, slopes, end - begin)) {
      more = pass(first, begin, end - begin, list + <usize>count * pointBytes);
      if (failed) return 0;
    }
    movePositions(first, first + begin, -1);
    count = replacePoints(list, count, more, getF(whole.weight, first + begin), getF(whole.weight, first + end));
    if (failed) return 0;
    end = begin;
  }
  return count;
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
  movePositions(0, from, 1);
  let kept = 0;
  for (let first = from; first < to; ) {
    const batch = min(mostSegments, to - first);
    slack = slackOf(getF(whole.slope, first), margin);
    for (let i = 0; i < batch; i++) {
      const width = getF(whole.weight, first + i + 1) - getF(whole.weight, first + i);
      setF(cuts, i, getF(whole.slope, first + i) * (typicalGap > 0 ? likely * typicalGap : 0.05 * width));
    }
    // the first point is the last one of the segments before
    if (kept > 0) kept--;
    const list = out + <usize>kept * pointBytes;
    let count = pass(first, 0, batch, list);
    if (!failed) count = mend(first, batch, list, count);
    if (failed) return 0;
    kept += count;
    movePositions(first, first + batch, 1);
    typicalGap = typical(gaps, whole.slope + (<usize>first << 3), batch);
    first += batch;
  }
  return kept;
}
