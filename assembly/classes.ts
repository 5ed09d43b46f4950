// The multiple-choice knapsack and what is prepared from it once: undominated items, convex hulls, sorted increments.
// Values and weights are integers held in doubles; sums of them are exact.
import { align, allocate, getF, getI, heapStart, release, setF, setI, top } from "./memory";
import { countBytes, mergeSort, sortFalling } from "./sort";

// ---- the problem, written by the host
export let classCount: i32 = 0;
export let itemCount: i32 = 0;
/** i32[classCount + 1]: items of class l are offset[l] .. offset[l + 1] - 1. */
export let offset: usize = 0;
/** f64[itemCount] each. */
export let inputValue: usize = 0;
export let inputWeight: usize = 0;

// ---- what is prepared
/** i32[classCount + 1]: undominated items of class l, by rising weight and value. */
export let itemStart: usize = 0;
export let weight: usize = 0;
export let value: usize = 0;
/** i32: the item's number within its class, as the host gave it. */
export let option: usize = 0;
/** i32[classCount + 1] into hull, whose entries are items. */
export let hullStart: usize = 0;
export let hull: usize = 0;
/** Hull increments of all classes by falling slope. */
export let incrementCount: i32 = 0;
export let incrementClass: usize = 0;
export let incrementWeight: usize = 0;
export let incrementValue: usize = 0;
export let slope: usize = 0;
/** f64[incrementCount + 1]: totals of the lightest choice with the first i increments. */
export let prefixWeight: usize = 0;
export let prefixValue: usize = 0;
/** More than the rounding error of any bound, in grid numbers of value. */
export let margin: f64 = 0;
/** The largest number of items in a class. */
export let largestClass: i32 = 0;

/** What prepare() found, kept in memory so that a copy of the bytes is complete: see adopt(). */
let header: usize = 0;
/** The end of what is prepared; one solve's memory begins here. */
export let preparedEnd: usize = 0;

// scratch of prepare
let order: usize = 0;
let spare: usize = 0;
let stepSlope: usize = 0;
let stepWeight: usize = 0;
let stepValue: usize = 0;
let stepClass: usize = 0;
let counts: usize = 0;

/**
 * Lays out memory for a problem. The same sizes give the same addresses. False if there is not enough memory. The host then
 * writes offset, inputValue and inputWeight.
 */
export function layout(classes: i32, items: i32): bool {
  classCount = classes;
  itemCount = items;
  release(heapStart());
  const f = <usize>items << 3;
  const i = <usize>items << 2;
  const c = <usize>(classes + 1) << 2;
  header = allocate(64);
  offset = allocate(c);
  inputValue = allocate(f);
  inputWeight = allocate(f);
  itemStart = allocate(c);
  weight = allocate(f);
  value = allocate(f);
  option = allocate(i);
  hullStart = allocate(c);
  hull = allocate(i);
  incrementClass = allocate(i);
  incrementWeight = allocate(f);
  incrementValue = allocate(f);
  slope = allocate(f);
  prefixWeight = allocate(f + 8);
  prefixValue = allocate(f + 8);
  preparedEnd = top;
  order = allocate(i);
  spare = allocate(i);
  stepSlope = allocate(f);
  stepWeight = allocate(f);
  stepValue = allocate(f);
  stepClass = allocate(i);
  counts = allocate(countBytes);
  // every allocation succeeded if the last did: a failed one leaves `top` and the next, smaller, might still fit
  return header != 0 && offset != 0 && inputValue != 0 && inputWeight != 0 && itemStart != 0 && weight != 0 && value != 0
    && option != 0 && hullStart != 0 && hull != 0 && incrementClass != 0 && incrementWeight != 0 && incrementValue != 0
    && slope != 0 && prefixWeight != 0 && prefixValue != 0 && order != 0 && spare != 0 && stepSlope != 0 && stepWeight != 0
    && stepValue != 0 && stepClass != 0 && counts != 0;
}

@inline
function keep(at: i32, w: f64, v: f64, number: i32): void {
  setF(weight, at, w);
  setF(value, at, v);
  setI(option, at, number);
}

/**
 * Undominated items of one class whose values rise strictly with the item number: those lighter than all that follow. Written
 * downwards, to end before `end`; gives where they begin. No branch depends on the data.
 */
function reduceRising(from: i32, to: i32, end: i32): i32 {
  let at = end - 1;
  let least: f64 = Infinity;
  for (let j = to - 1; j >= from; j--) {
    const w = getF(inputWeight, j);
    keep(at, w, getF(inputValue, j), j - from);
    at -= <i32>(w < least);
    least = select<f64>(w, least, w < least);
  }
  return at + 1;
}

/** Undominated items of one class in any order, of equal items the first; placed as by reduceRising. */
function reduceAny(from: i32, to: i32, end: i32): i32 {
  const n = to - from;
  for (let k = 0; k < n; k++) setI(order, k, from + k);
  mergeSort(inputWeight, order, spare, n);
  const begin = end - n;
  let at = begin;
  for (let k = 0; k < n; k++) {
    const j = getI(order, k);
    const w = getF(inputWeight, j);
    const v = getF(inputValue, j);
    if (at > begin) {
      if (v <= getF(value, at - 1)) continue;
      if (w == getF(weight, at - 1)) at--;
    }
    keep(at++, w, v, j - from);
  }
  const count = at - begin;
  const up = end - count;
  memory.copy(weight + (<usize>up << 3), weight + (<usize>begin << 3), <usize>count << 3);
  memory.copy(value + (<usize>up << 3), value + (<usize>begin << 3), <usize>count << 3);
  memory.copy(option + (<usize>up << 2), option + (<usize>begin << 2), <usize>count << 2);
  return up;
}

/**
 * Upper convex hull of items begin .. end - 1, appended to `hull` at `start`. Slopes are compared by products: no division
 * waits for another.
 */
function buildHull(begin: i32, end: i32, start: i32): i32 {
  let n = start;
  setI(hull, n++, begin);
  let topWeight = getF(weight, begin);
  let topValue = getF(value, begin);
  // the step that leads to the top
  let stepW: f64 = 0;
  let stepV: f64 = 0;
  for (let j = begin + 1; j < end; j++) {
    const w = getF(weight, j);
    const v = getF(value, j);
    let dw = w - topWeight;
    let dv = v - topValue;
    while (n - start > 1 && dv * stepW >= stepV * dw) {
      n--;
      const t = getI(hull, n - 1);
      topWeight = getF(weight, t);
      topValue = getF(value, t);
      dw = w - topWeight;
      dv = v - topValue;
      if (n - start > 1) {
        const u = getI(hull, n - 2);
        stepW = topWeight - getF(weight, u);
        stepV = topValue - getF(value, u);
      }
    }
    setI(hull, n++, j);
    topWeight = w;
    topValue = v;
    stepW = dw;
    stepV = dv;
  }
  return n;
}

/**
 * The steps between the hull items first .. last - 1 of class l, appended at `steps`, with their slopes by division. Where
 * rounding makes a slope not fall, the item between is dropped from the hull: then sorting cannot disorder a class's steps.
 * Gives the hull's new end.
 */
function listSteps(l: i32, first: i32, last: i32, steps: i32): i32 {
  let n = first + 1;
  for (let h = first + 1; h < last; h++) {
    const b = getI(hull, h);
    let dw: f64;
    let dv: f64;
    let s: f64;
    while (true) {
      const a = getI(hull, n - 1);
      dw = getF(weight, b) - getF(weight, a);
      dv = getF(value, b) - getF(value, a);
      s = dv / dw;
      if (n - first > 1 && s >= getF(stepSlope, steps + n - first - 2)) n--;
      else break;
    }
    const at = steps + n - first - 1;
    setF(stepSlope, at, s);
    setF(stepWeight, at, dw);
    setF(stepValue, at, dv);
    setI(stepClass, at, l);
    setI(hull, n++, b);
  }
  return n;
}

/**
 * Prepares the problem for solving under any budget. O(N) where values rise with the item number, as the values of kept
 * channels do; else O(N log N).
 * @param valueTotal no sum of one value per class is larger in magnitude
 * @returns false if a class is empty
 */
export function prepare(valueTotal: f64): bool {
  let hulls = 0;
  let steps = 0;
  let baseWeight: f64 = 0;
  let baseValue: f64 = 0;
  let largest = 0;
  // from the last class down: the items of all end where there is room for all
  let items = getI(offset, classCount);
  setI(itemStart, classCount, items);
  for (let l = classCount - 1; l >= 0; l--) {
    const from = getI(offset, l);
    const to = getI(offset, l + 1);
    if (from >= to) return false;
    largest = max(largest, to - from);
    let j = from + 1;
    while (j < to && getF(inputValue, j) > getF(inputValue, j - 1)) j++;
    items = j == to ? reduceRising(from, to, items) : reduceAny(from, to, items);
    setI(itemStart, l, items);
  }
  for (let l = 0; l < classCount; l++) {
    const begin = getI(itemStart, l);
    const first = hulls;
    setI(hullStart, l, first);
    hulls = listSteps(l, first, buildHull(begin, getI(itemStart, l + 1), first), steps);
    steps += hulls - first - 1;
    baseWeight += getF(weight, begin);
    baseValue += getF(value, begin);
  }
  setI(hullStart, classCount, hulls);
  sortFalling(stepSlope, order, spare, counts, steps);
  setF(prefixWeight, 0, baseWeight);
  setF(prefixValue, 0, baseValue);
  for (let i = 0; i < steps; i++) {
    const x = getI(order, i);
    const w = getF(stepWeight, x);
    const v = getF(stepValue, x);
    setI(incrementClass, i, getI(stepClass, x));
    setF(incrementWeight, i, w);
    setF(incrementValue, i, v);
    setF(slope, i, -getF(stepSlope, x));
    baseWeight += w;
    baseValue += v;
    setF(prefixWeight, i + 1, baseWeight);
    setF(prefixValue, i + 1, baseValue);
  }
  incrementCount = steps;
  largestClass = largest;
  margin = 0.25 + valueTotal * 3.552713678800501e-15; // 2^-48
  store<i32>(header, incrementCount);
  store<i32>(header, largestClass, 4);
  store<f64>(header, margin, 8);
  return true;
}

/** Takes up a prepared problem whose bytes the host has put back, after layout() with its sizes. */
export function adopt(): void {
  incrementCount = load<i32>(header);
  largestClass = load<i32>(header, 4);
  margin = load<f64>(header, 8);
}
