// Every undominated point of a multiple-choice knapsack. Classes with coarse hull steps are set aside, the coarsest last to
// come back: what is left has narrow gaps everywhere and is done by frontier-tree.ts; then one class after the other is joined.
import {
  classCount, hull, hullStart, incrementClass, incrementCount, incrementValue, incrementWeight, itemStart, margin, preparedEnd,
  slope, value, weight,
} from "./classes";
import { layoutTree, treePoints, typicalGap } from "./frontier-tree";
import { failed, Hull, mayUse, measureGaps, slackOf, startWork } from "./frontier-work";
import { allocate, getF, getI, release, setF, setI, top } from "./memory";
import { firstFrom, pointBytes, setPoint, undominated, undominatedBytes, valueAt, weightAt } from "./points";

const mostCoarse: i32 = 12;
/** A class is coarse if a step of its hull is so many times the average step. */
const coarseFactor: f64 = 4;

let coarseCount: i32 = 0;
/** i32[classCount]: coarse classes, coarsest first, then the others. */
let classOrder: usize = 0;
/** Hull records: of all classes, then without the coarsest, and so on. */
let hulls: usize = 0;
const hullBytes: usize = offsetof<Hull>();
/** f64[incrementCount]: what a choice may lose in each segment, for each coarse class; the gaps found, for one at a time. */
let allCuts: usize = 0;
let gaps: usize = 0;

/** The points found, by rising weight: f64 weight, f64 value. */
export let points: usize = 0;
export let pointCount: i32 = 0;

@inline
function hullOf(k: i32): Hull {
  return changetype<Hull>(hulls + <usize>k * hullBytes);
}

@inline
function cutsOf(k: i32): usize {
  return allCuts + <usize>k * (<usize>incrementCount << 3);
}

/** The hull of all but the k coarsest classes. */
function buildHullWithout(k: i32): bool {
  const its = hullOf(k);
  const bytes = <usize>(incrementCount + 1) << 3;
  its.weight = allocate(bytes);
  its.value = allocate(bytes);
  its.slope = allocate(bytes);
  its.classes = allocate(bytes >> 1);
  if (its.weight == 0 || its.value == 0 || its.slope == 0 || its.classes == 0) return false;
  let w: f64 = 0;
  let v: f64 = 0;
  for (let x = k; x < classCount; x++) {
    const j = getI(itemStart, getI(classOrder, x));
    w += getF(weight, j);
    v += getF(value, j);
  }
  let n = 0;
  setF(its.weight, 0, w);
  setF(its.value, 0, v);
  for (let i = 0; i < incrementCount; i++) {
    const l = getI(incrementClass, i);
    let aside = false;
    for (let x = 0; x < k; x++) aside = aside || getI(classOrder, x) == l;
    if (aside) continue;
    w += getF(incrementWeight, i);
    v += getF(incrementValue, i);
    setF(its.slope, n, getF(slope, i));
    setI(its.classes, n, l);
    n++;
    setF(its.weight, n, w);
    setF(its.value, n, v);
  }
  its.count = n;
  return true;
}

/** Chooses the coarse classes and lays out memory. False if there is not enough. */
export function frontierLayout(): bool {
  release(preparedEnd);
  classOrder = allocate(<usize>classCount << 2);
  hulls = allocate(<usize>(mostCoarse + 1) * hullBytes);
  allCuts = allocate(<usize>mostCoarse * (<usize>incrementCount << 3));
  gaps = allocate(<usize>incrementCount << 3);
  const coarsest = allocate(<usize>classCount << 3);
  if (classOrder == 0 || hulls == 0 || allCuts == 0 || gaps == 0 || coarsest == 0) return false;
  memory.fill(coarsest, 0, <usize>classCount << 3);
  let sum: f64 = 0;
  for (let i = 0; i < incrementCount; i++) {
    const l = getI(incrementClass, i);
    const w = getF(incrementWeight, i);
    setF(coarsest, l, max(getF(coarsest, l), w));
    sum += w;
  }
  const bar = coarseFactor * sum / <f64>incrementCount;
  for (let l = 0; l < classCount; l++) setI(classOrder, l, l);
  coarseCount = 0;
  // at least one class stays
  while (coarseCount < min(mostCoarse, classCount - 1)) {
    let best = coarseCount;
    for (let x = coarseCount; x < classCount; x++)
      if (getF(coarsest, getI(classOrder, x)) > getF(coarsest, getI(classOrder, best))) best = x;
    const l = getI(classOrder, best);
    if (getF(coarsest, l) <= bar) break;
    // the others keep their order
    for (let x = best; x > coarseCount; x--) setI(classOrder, x, getI(classOrder, x - 1));
    setI(classOrder, coarseCount++, l);
  }
  for (let k = 0; k <= coarseCount; k++) if (!buildHullWithout(k)) return false;
  return layoutTree(classOrder + (<usize>coarseCount << 2), classCount - coarseCount, classCount, hullOf(coarseCount));
}

/** The part of the rest that can go with some item of the class: segments from restFrom to restTo - 1 of its hull. */
let restFrom: i32 = 0;
let restTo: i32 = 0;

function restRange(k: i32, from: i32, to: i32, slack: f64): void {
  const cuts = cutsOf(k);
  const its = hullOf(k);
  const rest = hullOf(k + 1);
  const l = getI(classOrder, k);
  let lightest: f64 = Infinity;
  let heaviest: f64 = -Infinity;
  let h = getI(hullStart, l);
  for (let i = 0; i < to; i++) {
    if (i >= from) {
      const at = getI(hull, h);
      for (let j = getI(itemStart, l); j < getI(itemStart, l + 1); j++) {
        const w = getF(weight, j);
        const loss = getF(its.slope, i) * (w - getF(weight, at)) - (getF(value, j) - getF(value, at));
        if (loss > getF(cuts, i - from) + slack) continue;
        lightest = min(lightest, getF(its.weight, i) - w);
        heaviest = max(heaviest, getF(its.weight, i + 1) - w);
      }
    }
    if (getI(its.classes, i) == l) h++;
  }
  restFrom = 0;
  while (restFrom + 1 < rest.count && getF(rest.weight, restFrom + 1) <= lightest) restFrom++;
  restTo = rest.count;
  while (restTo - 1 > restFrom && getF(rest.weight, restTo - 1) >= heaviest) restTo--;
}

/** Every item of coarse class k with every point of the rest that no cut drops; gives the number of undominated ones, at `out`. */
function joinClass(k: i32, from: i32, to: i32, slack: f64, list: usize, count: i32, out: usize): i32 {
  const cuts = cutsOf(k);
  const its = hullOf(k);
  const l = getI(classOrder, k);
  const begin = getI(itemStart, l);
  const items = getI(itemStart, l + 1) - begin;
  let cursor = out;
  let least: f64 = Infinity;
  let most: f64 = -Infinity;
  for (let x = 0; x < items; x++) {
    const w0 = getF(weight, begin + x);
    const v0 = getF(value, begin + x);
    if (!mayUse(cursor + <usize>count * pointBytes, <f64>(to - from))) return 0;
    const begun = cursor;
    let h = getI(hullStart, l);
    for (let i = 0; i < from; i++) h += getI(its.classes, i) == l ? 1 : 0;
    let y = -1;
    for (let i = from; i < to; i++) {
      const at = getI(hull, h);
      h += getI(its.classes, i) == l ? 1 : 0;
      const s = getF(its.slope, i);
      const cut = getF(cuts, i - from) + slack;
      if (s * (w0 - getF(weight, at)) - (v0 - getF(value, at)) > cut) {
        y = -1;
        continue;
      }
      // points within the segment; its upper end belongs to it
      const lw = getF(its.weight, i);
      const lv = getF(its.value, i) - cut;
      const end = getF(its.weight, i + 1);
      if (y < 0) y = firstFrom(list, count, (i == from ? lw : lw + 1) - w0);
      const seen = y;
      for (; y < count; y++) {
        const p = list + <usize>y * pointBytes;
        const w = w0 + weightAt(p);
        if (w > end) break;
        const v = v0 + valueAt(p);
        setPoint(cursor, w, v);
        cursor += select<usize>(pointBytes, 0, v >= lv + s * (w - lw));
      }
      if (!mayUse(cursor, <f64>(y - seen))) return 0;
    }
    if (cursor == begun) continue;
    least = min(least, weightAt(begun));
    most = max(most, weightAt(cursor - pointBytes));
  }
  const found = <i32>((cursor - out) / pointBytes);
  if (!mayUse(cursor + undominatedBytes(found), <f64>found)) return 0;
  return undominated(out, found, least, most, cursor, out);
}

/**
 * Every undominated point of all but the k coarsest classes with a weight within segments from .. to - 1 of their hull, at
 * `out`. Gives their number, 0 where `failed`.
 */
function pointsWithout(k: i32, from: i32, to: i32, out: usize): i32 {
  const its = hullOf(k);
  if (its.count == 0) {
    if (!mayUse(out + pointBytes, 0)) return 0;
    setPoint(out, getF(its.weight, 0), getF(its.value, 0));
    return 1;
  }
  if (k == coarseCount) return treePoints(from, to, margin, out);
  const slack = slackOf(getF(its.slope, from), margin);
  const cuts = cutsOf(k);
  for (let i = from; i < to; i++)
    setF(cuts, i - from, 0.03 * getF(its.slope, i) * (getF(its.weight, i + 1) - getF(its.weight, i)));
  let haveFrom = 0;
  let haveTo = -1;
  let rest = 0;
  while (true) {
    restRange(k, from, to, slack);
    if (restFrom < haveFrom || restTo > haveTo) {
      const first = haveTo < 0;
      haveFrom = restFrom;
      haveTo = restTo;
      rest = pointsWithout(k + 1, haveFrom, haveTo, out);
      if (failed) return 0;
      if (first) for (let i = from; i < to; i++) setF(cuts, i - from, min(getF(cuts, i - from), 2 * typicalGap * getF(its.slope, i)));
    }
    const result = out + <usize>rest * pointBytes;
    const count = joinClass(k, from, to, slack, out, rest, result);
    if (failed) return 0;
    measureGaps(its, from, to, result, count, gaps);
    let done = true;
    for (let i = 0; i < to - from; i++) {
      if (getF(gaps, i) <= getF(cuts, i)) continue;
      setF(cuts, i, getF(gaps, i));
      done = false;
    }
    if (!done) continue;
    memory.copy(out, result, <usize>count * pointBytes);
    return count;
  }
}

/**
 * Finds every undominated point with a weight from that of hull point `from` to that of hull point `to`, both among them.
 * After frontierLayout().
 * @param from, to 0 <= from < to <= number of increments, or both 0 where there are none
 * @param workLimit pairs of partial choices that may be looked at
 * @returns FOUND, NO_MEMORY or TOO_MUCH
 */
export function frontierPoints(from: i32, to: i32, workLimit: f64): i32 {
  startWork(workLimit);
  points = top;
  pointCount = pointsWithout(0, from, to, points);
  return failed;
}
