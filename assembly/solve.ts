// Exact multiple-choice knapsack for one budget. States grow class by class from the linear relaxation's choice; those whose
// bound (the exact linear relaxation of the undecided classes) cannot beat the best known choice are dropped. After Dyer,
// Riha & Walker 1995 and Pisinger 1995. src/solver/js/solve-classes.ts is the same algorithm in plain TypeScript.
//
// Memory of a solve, above what is prepared: fixed scratch, then the links of each stage done, then the current states, then
// the candidates of the stage at work.
import {
  classCount, hull, hullStart, incrementClass, incrementCount, incrementValue, incrementWeight, itemStart, largestClass,
  margin, option, prefixValue, prefixWeight, preparedEnd, slope, value, weight,
} from "./classes";
import { align, allocate, ensure, getF, getI, release, setF, setI, top } from "./memory";
import {
  downCount, downValue, downWeight, layoutRelaxation, relax, relaxed, relaxedDown, relaxedUp, upCount, upValue, upWeight,
} from "./relaxation";
import { mergeSort } from "./sort";
import {
  decidedAt, finishStage, layoutStages, merge, stageCount, startStage, unwind,
} from "./stages";
import { copyState, linkOf, setState, stateBytes, valueOf, weightOf } from "./states";

// Status codes, shared with src/solver/wasm/core.ts.
export const RUNNING: i32 = 0;
export const OPTIMAL: i32 = 1;
export const FEASIBLE: i32 = 2;
export const INFEASIBLE: i32 = 3;
/** Not even the fixed scratch fits. */
export const NO_MEMORY: i32 = 4;

/**
 * Up to so many states the search keeps every choice that ties with the best, and so finds the lexicographically smallest of
 * them; beyond, it looks only for better value or, at equal value, lower weight.
 */
const tieStates: f64 = 4096;

// ---- results
/** i32[classCount]: the number of the item taken within its class. */
export let choice: usize = 0;
export let resultValue: f64 = 0;
export let resultWeight: f64 = 0;
export let resultBound: f64 = 0;
/** States kept in total. */
export let states: f64 = 0;

// ---- the relaxation's choice
/** i32[classCount]: position in hull, and the item there. */
let at: usize = 0;
let start: usize = 0;
let startValue: f64 = 0;
let broke: i32 = 0;
let lambda: f64 = 0;
let room: f64 = 0;

// ---- the best known choice
let bestValue: f64 = 0;
let bestWeight: f64 = 0;
/** The state it comes from (stage -1: a swap), and the increments that complete it: up if positive, down if negative. */
let bestStage: i32 = 0;
let bestState: i32 = 0;
let bestSteps: i32 = 0;
let swapClass: i32 = 0;
let swapItem: i32 = 0;
/** Whether the swap goes with the increment at the break. */
let swapBeside: bool = false;

// ---- the search
/** Classes in the order they are decided, and how many are. */
let order: usize = 0;
let orderCount: i32 = 0;
let next: i32 = 0;
/** u8[classCount] */
let decided: usize = 0;
/** Where the next stage's item list goes. */
let itemLists: usize = 0;
let current: usize = 0;
let currentCount: i32 = 0;
/** Start and end of each list of the stage at work, as byte offsets from its buffer. */
let listStart: usize = 0;
let listEnd: usize = 0;
let exhaustive: bool = false;
/** The largest bound of a current state. */
let bound: f64 = 0;

/** What replacing item `from` of the relaxation's choice by another costs in the Lagrangian; never negative. */
@inline
function loss(from: i32, to: i32): f64 {
  return lambda * (getF(weight, to) - getF(weight, from)) - (getF(value, to) - getF(value, from));
}

/** The largest Lagrangian loss at which a choice can still be what is looked for. */
function cutoff(): f64 {
  const better = lambda * room - bestValue - 1;
  const equal = lambda * (exhaustive ? bestWeight : bestWeight - 1) - bestValue;
  return max(better, equal) + margin;
}

/** Sets the choice to the items at `at`, and value and weight to its totals. */
function takeHullItems(): void {
  for (let l = 0; l < classCount; l++) setI(choice, l, getI(hull, getI(at, l)));
}

/** From items to their numbers within the class; totals. */
function finishChoice(upper: f64): void {
  let w: f64 = 0;
  let v: f64 = 0;
  for (let l = 0; l < classCount; l++) {
    const j = getI(choice, l);
    w += getF(weight, j);
    v += getF(value, j);
    setI(choice, l, getI(option, j));
  }
  resultWeight = w;
  resultValue = v;
  resultBound = upper;
}

/** The last item of class l that is no heavier than w, or the one before the first. Items get heavier and worth more. */
@inline
function lastWithin(l: i32, w: f64): i32 {
  let low = getI(itemStart, l) - 1;
  let high = getI(itemStart, l + 1) - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (getF(weight, middle) <= w) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Offers one replacement for the best known choice. */
@inline
function offerSwap(l: i32, j: i32, v: f64, w: f64, beside: bool): void {
  if (v < bestValue || (v == bestValue && w >= bestWeight)) return;
  bestValue = v;
  bestWeight = w;
  swapClass = l;
  swapItem = j;
  swapBeside = beside;
}

/** The best single replacement, alone or beside the increment at the break: the first known choice. */
function improveBySwaps(): void {
  const breakClass = getI(incrementClass, broke);
  const breakWeight = getF(incrementWeight, broke);
  const breakValue = getF(incrementValue, broke);
  for (let l = 0; l < classCount; l++) {
    const from = getI(start, l);
    const w0 = getF(weight, from);
    const v0 = getF(value, from);
    let j = lastWithin(l, w0 + room);
    offerSwap(l, j, getF(value, j) - v0, getF(weight, j) - w0, false);
    if (l == breakClass) continue;
    j = lastWithin(l, w0 + room - breakWeight);
    if (j >= getI(itemStart, l))
      offerSwap(l, j, getF(value, j) - v0 + breakValue, getF(weight, j) - w0 + breakWeight, true);
  }
}

/** The items of class l between which all of a loss up to `cut` lie: see itemRange. */
let rangeFrom: i32 = 0;
let rangeTo: i32 = 0;

/**
 * Sets rangeFrom .. rangeTo - 1. Along the hull the loss only rises away from the relaxation's choice, and no item loses less
 * than the hull at its weight: beyond the first hull item of too great a loss there is nothing.
 */
@inline
function itemRange(l: i32, cut: f64): void {
  const from = getI(start, l);
  const first = getI(hullStart, l);
  const last = getI(hullStart, l + 1) - 1;
  let h = getI(at, l);
  let top = h;
  while (top < last && loss(from, getI(hull, top + 1)) <= cut) top++;
  rangeTo = top < last ? getI(hull, top + 1) : getI(itemStart, l + 1);
  while (h > first && loss(from, getI(hull, h - 1)) <= cut) h--;
  rangeFrom = h > first ? getI(hull, h - 1) + 1 : getI(itemStart, l);
}

/**
 * Lists the classes that have a second item worth a look, those with the coarsest hull step beside the relaxation's choice
 * first: what is left to the relaxation is then fine-grained, and its bound tight.
 */
function coarseFirst(key: usize, spare: usize): void {
  const cut = cutoff();
  let n = 0;
  for (let l = 0; l < classCount; l++) {
    const from = getI(start, l);
    itemRange(l, cut);
    let alone = true;
    for (let j = rangeFrom; j < rangeTo; j++) {
      if (j != from && loss(from, j) <= cut) {
        alone = false;
        break;
      }
    }
    if (alone) continue;
    const h = getI(at, l);
    const w = getF(weight, getI(hull, h));
    let step: f64 = Infinity;
    if (h + 1 < getI(hullStart, l + 1)) step = getF(weight, getI(hull, h + 1)) - w;
    if (h > getI(hullStart, l)) step = min(step, w - getF(weight, getI(hull, h - 1)));
    setF(key, l, -step);
    setI(order, n++, l);
  }
  mergeSort(key, order, spare, n);
  orderCount = n;
}

/**
 * Starts solving for a budget (a grid integer). OPTIMAL and INFEASIBLE come with the choice (of smallest weight where
 * infeasible); after RUNNING call run().
 */
export function begin(budget: f64): i32 {
  release(preparedEnd);
  states = 0;
  const c4 = <usize>classCount << 2;
  choice = allocate(c4);
  at = allocate(c4);
  if (choice == 0 || at == 0) return NO_MEMORY;
  for (let l = 0; l < classCount; l++) setI(at, l, getI(hullStart, l));
  if (getF(prefixWeight, 0) > budget) {
    takeHullItems();
    finishChoice(getF(prefixValue, 0));
    return INFEASIBLE;
  }
  let low = 0;
  let high = incrementCount;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (getF(prefixWeight, middle) <= budget) low = middle;
    else high = middle - 1;
  }
  broke = low;
  for (let i = 0; i < broke; i++) {
    const l = getI(incrementClass, i);
    setI(at, l, getI(at, l) + 1);
  }
  startValue = getF(prefixValue, broke);
  if (broke == incrementCount) {
    takeHullItems();
    finishChoice(startValue);
    return OPTIMAL;
  }
  start = allocate(c4);
  decided = allocate(<usize>classCount);
  order = allocate(c4);
  itemLists = allocate(<usize>(getI(itemStart, classCount) + classCount) << 2);
  listStart = allocate(<usize>largestClass << 2);
  listEnd = allocate(<usize>largestClass << 2);
  const key = allocate(<usize>classCount << 3);
  const spare = allocate(c4);
  if (!layoutRelaxation() || spare == 0 || key == 0 || listEnd == 0 || listStart == 0 || itemLists == 0 || !layoutStages()
    || order == 0 || decided == 0 || start == 0 || !ensure(top + stateBytes)) return NO_MEMORY;
  for (let l = 0; l < classCount; l++) setI(start, l, getI(hull, getI(at, l)));
  memory.fill(decided, 0, classCount);
  room = budget - getF(prefixWeight, broke);
  lambda = getF(slope, broke);
  bestValue = 0;
  bestWeight = 0;
  bestStage = -1;
  bestState = 0;
  bestSteps = 0;
  swapClass = -1;
  swapBeside = false;
  exhaustive = true;
  improveBySwaps();
  coarseFirst(key, spare);
  next = 0;
  current = top;
  currentCount = 1;
  setState(current, 0, 0, 0);
  bound = lambda * room;
  return RUNNING;
}

/** Every current state with every item of the stage, one list after the other from `out`. Gives the end; 0: no memory. */
function generate(items: usize, k: i32, from: i32, cut: f64, out: usize): usize {
  const w0 = getF(weight, from);
  const v0 = getF(value, from);
  const end = current + <usize>currentCount * stateBytes;
  const most = <usize>currentCount * stateBytes;
  const base = out;
  for (let q = 0; q < k; q++) {
    if (!ensure(out + most)) return 0;
    const j = getI(items, q);
    const dw = getF(weight, j) - w0;
    const dv = getF(value, j) - v0;
    const limit = cut - (lambda * dw - dv);
    setI(listStart, q, <i32>(out - base));
    let link = <u32>q;
    for (let p = current; p < end; p += stateBytes) {
      const w = weightOf(p);
      const v = valueOf(p);
      setState(out, w + dw, v + dv, link);
      link += <u32>k;
      out += select<usize>(stateBytes, 0, lambda * w - v <= limit);
    }
    setI(listEnd, q, <i32>(out - base));
  }
  return out;
}

/**
 * Decides one class. False if there is not enough memory for it: then nothing has changed.
 */
function decide(l: i32): bool {
  const cut = cutoff();
  const from = getI(start, l);
  let k = 0;
  setI(itemLists, k++, from);
  let lightest: f64 = 0;
  let heaviest: f64 = 0;
  itemRange(l, cut);
  for (let j = rangeFrom; j < rangeTo; j++) {
    if (j == from || loss(from, j) > cut) continue;
    setI(itemLists, k++, j);
    const d = getF(weight, j) - getF(weight, from);
    lightest = min(lightest, d);
    heaviest = max(heaviest, d);
  }
  if (k == 1) {
    store<u8>(decided + l, 1);
    next++;
    return true;
  }
  // links are 32 bits
  if (<f64>currentCount * <f64>k >= 4294967296.0) return false;
  startStage(l, itemLists, k, next + 1);
  const mostRoom = room - weightOf(current) - lightest;
  const leastRoom = room - weightOf(current + <usize>(currentCount - 1) * stateBytes) - heaviest;

  let source = current + <usize>currentCount * stateBytes;
  const sourceEnd = generate(itemLists, k, from, cut, source);
  if (sourceEnd == 0) return false;
  let other = sourceEnd;
  // the same room again for merging, and one current list more
  if (!ensure(other + 2 * (sourceEnd - source) + 64)) return false;
  store<u8>(decided + l, 1);
  next++;

  let lists = 0;
  for (let q = 0; q < k; q++) {
    if (getI(listStart, q) == getI(listEnd, q)) continue;
    setI(listStart, lists, getI(listStart, q));
    setI(listEnd, lists, getI(listEnd, q));
    lists++;
  }
  const scratch = other;
  while (lists > 1) {
    let out = other;
    let n = 0;
    for (let q = 0; q < lists; q += 2) {
      const begin = out;
      const a = source + <usize>getI(listStart, q);
      const aEnd = source + <usize>getI(listEnd, q);
      if (q + 1 < lists) out = merge(a, aEnd, source + <usize>getI(listStart, q + 1), source + <usize>getI(listEnd, q + 1), out, exhaustive);
      else {
        memory.copy(out, a, aEnd - a);
        out += aEnd - a;
      }
      setI(listStart, n, <i32>(begin - other));
      setI(listEnd, n, <i32>(out - other));
      n++;
    }
    lists = n;
    const t = source;
    source = other;
    other = t;
  }
  relax(decided, broke, lambda, cut, mostRoom, leastRoom);
  const kept = lists == 0 ? 0 : filter(source + <usize>getI(listStart, 0), source + <usize>getI(listEnd, 0), scratch);

  // links to where the old states were, the new states after them
  const links = current;
  for (let i = 0; i < kept; i++) store<u32>(links + (<usize>i << 2), linkOf(scratch + <usize>i * stateBytes));
  current = align(links + (<usize>kept << 2));
  memory.copy(current, scratch, <usize>kept * stateBytes);
  currentCount = kept;
  states += <f64>kept;
  finishStage(links);
  itemLists += <usize>k << 2;
  return true;
}

/** Drops states that cannot lead to what is looked for, completes each greedily. Writes the rest to `out`; gives their number. */
function filter(s: usize, end: usize, out: usize): i32 {
  let up = upCount + 1;
  let down = 0;
  let kept = 0;
  bound = -Infinity;
  for (; s < end; s += stateBytes) {
    const w = weightOf(s);
    const v = valueOf(s);
    const left = room - w;
    let upper: f64;
    let known: f64 = -Infinity;
    let knownWeight: f64 = 0;
    let steps = 0;
    if (left >= 0) {
      // the first prefix of at least `left`; states get heavier, so it only moves down
      while (up > 0 && getF(upWeight, up - 1) >= left) up--;
      upper = v + relaxedUp(up, left);
      steps = up <= upCount && getF(upWeight, up) == left ? up : up - 1;
      known = v + getF(upValue, steps);
      knownWeight = w + getF(upWeight, steps);
    } else {
      while (down <= downCount && getF(downWeight, down) < -left) down++;
      upper = v + relaxedDown(down, -left);
      if (down <= downCount) {
        steps = -down;
        known = v - getF(downValue, down);
        knownWeight = w - getF(downWeight, down);
      }
    }
    if (known > bestValue || (known == bestValue && knownWeight < bestWeight)) {
      bestValue = known;
      bestWeight = knownWeight;
      bestStage = stageCount;
      bestState = kept;
      bestSteps = steps;
    }
    let keep = upper >= bestValue + 1 - margin;
    if (!keep) {
      if (upper >= bestValue - margin) {
        const cap = exhaustive ? bestWeight : bestWeight - 1;
        keep = v + relaxed(cap - w) >= bestValue - margin;
      }
      // the state behind the best known choice must stay to be found again
      if (!keep && !(bestStage == stageCount && bestState == kept)) continue;
    }
    bound = max(bound, upper);
    copyState(out + <usize>kept * stateBytes, s);
    kept++;
  }
  return kept;
}

/**
 * Goes on until the proof is done (OPTIMAL), a limit strikes (FEASIBLE), or about `work` candidates were looked at (RUNNING:
 * call again, or finish()).
 * @param maxStates states kept in total
 * @param gap relative gap of value that is good enough; 0 for none
 */
export function run(maxStates: f64, gap: f64, work: f64): i32 {
  let spent: f64 = 0;
  while (next < orderCount && currentCount > 0) {
    if (states > tieStates) exhaustive = false;
    if (cutoff() < 0) break;
    const close = gap > 0 && bound - bestValue <= gap * abs(startValue + bestValue);
    if (states > maxStates || (close && floor(bound + margin) > bestValue)) return finish(FEASIBLE);
    if (spent > work) return RUNNING;
    const l = getI(order, next);
    spent += <f64>currentCount * <f64>(getI(itemStart, l + 1) - getI(itemStart, l));
    if (!decide(l)) return finish(FEASIBLE);
  }
  return finish(OPTIMAL);
}

/** Writes the best known choice. `status` is OPTIMAL where the proof is done, else FEASIBLE. */
export function finish(status: i32): i32 {
  const upper = startValue + (status == OPTIMAL ? bestValue : max(bestValue, floor(bound + margin)));
  let stage = bestStage;
  let state = bestState;
  let steps = bestSteps;
  if (status == OPTIMAL && exhaustive) {
    // every tie is still in the list, and the one that stands for its equals is the smallest
    for (let i = 0; i < currentCount; i++) {
      const s = current + <usize>i * stateBytes;
      if (valueOf(s) == bestValue && weightOf(s) == bestWeight) {
        stage = stageCount - 1;
        state = i;
        steps = 0;
        takeStart();
        unwind(choice, stage, state);
        finishChoice(upper);
        return status;
      }
    }
  }
  if (stage >= 0) {
    completeHull(decidedAt(stage), steps);
    takeHullItems();
    unwind(choice, stage, state);
  } else {
    takeStart();
    if (swapClass >= 0) setI(choice, swapClass, swapItem);
    if (swapBeside) {
      const l = getI(incrementClass, broke);
      setI(choice, l, getI(hull, getI(at, l) + 1));
    }
  }
  finishChoice(upper);
  return status;
}

function takeStart(): void {
  for (let l = 0; l < classCount; l++) setI(choice, l, getI(start, l));
}

/** Moves `at` by the completion's increments over classes that were undecided when `decidedThen` were decided. */
function completeHull(decidedThen: i32, steps: i32): void {
  memory.fill(decided, 0, classCount);
  for (let o = 0; o < decidedThen; o++) store<u8>(decided + getI(order, o), 1);
  const by = steps > 0 ? 1 : -1;
  let i = steps > 0 ? broke : broke - 1;
  for (let left = steps * by; left > 0; i += by) {
    const l = getI(incrementClass, i);
    if (load<u8>(decided + l)) continue;
    setI(at, l, getI(at, l) + by);
    left--;
  }
}
