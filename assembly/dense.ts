// Dynamic programs over budget cells: the exact dense one, and the published one of HALP with its precedence rule. Baselines
// and oracles, not the product: their time and memory grow with the number of cells.
import { allocate, ensure, getF, getI, heapStart, release, setF, setI, top } from "./memory";

/** A 32-byte block: so many cells of either kind are written at once. */
const block: usize = 32;

// The host writes: i32[classes + 1] offsets, i32[items] costs in cells (dense: never negative, and so is the least of each
// class 0), f64[items] values.
let classes: i32 = 0;
let offsets: usize = 0;
let costs: usize = 0;
let values: usize = 0;
let rows: usize = 0;
/** Bytes from one row to the next; the cells of a row begin after `margin` bytes that stand for budgets below zero. */
let stride: usize = 0;
let margin: usize = 0;
let cells: i32 = 0;
/** i32[classes]: the item taken, a number within its class. */
let picked: usize = 0;

function layoutCells(classes_: i32, items: i32): bool {
  release(heapStart());
  classes = classes_;
  offsets = allocate(<usize>(classes + 1) << 2);
  costs = allocate(<usize>items << 2);
  values = allocate(<usize>items << 3);
  picked = allocate(<usize>classes << 2);
  return offsets != 0 && costs != 0 && values != 0 && picked != 0;
}

/** Lays out memory for the exact program: one row of f64 per class and one more. `largest` is the largest cost. */
export function denseLayout(classes_: i32, items: i32, cells_: i32, largest: i32): bool {
  if (!layoutCells(classes_, items)) return false;
  cells = cells_;
  margin = ((<usize>largest << 3) + block - 1) & ~(block - 1);
  stride = (margin + (<usize>cells << 3) + 2 * block - 1) & ~(block - 1);
  if (<f64>stride * <f64>(classes + 1) > 4000000000.0) return false;
  rows = allocate(stride * <usize>(classes + 1));
  return rows != 0;
}

/**
 * best[l][c] = the most that classes l and later are worth within c cells; from the last class to the first. Then the choice
 * of most value, of these of least cost, of these with the smallest items.
 * @returns cells used; -1 if nothing fits
 */
export function denseSolve(): i32 {
  const bytes = <usize>cells << 3;
  for (let l = 0; l <= classes; l++) {
    const row = rows + stride * <usize>l;
    for (let i: usize = 0; i < margin; i += 8) store<f64>(row + i, -Infinity);
  }
  const last = rows + stride * <usize>classes + margin;
  for (let i: usize = 0; i < bytes + block; i += 8) store<f64>(last + i, 0);
  for (let l = classes - 1; l >= 0; l--) {
    const to = rows + stride * <usize>l + margin;
    const from = to + stride;
    const begin = getI(offsets, l);
    const end = getI(offsets, l + 1);
    for (let c: usize = 0; c < bytes; c += block) {
      if (ASC_FEATURE_SIMD) {
        let a = f64x2.splat(-Infinity);
        let b = a;
        for (let j = begin; j < end; j++) {
          const p = from + c - (<usize>getI(costs, j) << 3);
          const v = f64x2.splat(getF(values, j));
          a = f64x2.pmax(a, f64x2.add(v128.load(p), v));
          b = f64x2.pmax(b, f64x2.add(v128.load(p, 16), v));
        }
        v128.store(to + c, a);
        v128.store(to + c, b, 16);
      } else {
        for (let i: usize = c; i < c + block; i += 8) {
          let best: f64 = -Infinity;
          for (let j = begin; j < end; j++)
            best = max(best, load<f64>(from + i - (<usize>getI(costs, j) << 3)) + getF(values, j));
          store<f64>(to + i, best);
        }
      }
    }
  }
  const first = rows + margin;
  const most = getF(first, cells - 1);
  if (most == -Infinity) return -1;
  let c = 0;
  while (getF(first, c) < most) c++;
  const used = c;
  for (let l = 0; l < classes; l++) {
    const here = getF(rows + stride * <usize>l + margin, c);
    const after = rows + stride * <usize>(l + 1) + margin;
    const begin = getI(offsets, l);
    let j = begin;
    while (getF(values, j) + load<f64>(after + (<usize>c << 3) - (<usize>getI(costs, j) << 3)) != here) j++;
    setI(picked, l, j - begin);
    c -= getI(costs, j);
  }
  return used;
}

// ---- the published program

/** i32[cells] twice each: the best value, and how many items of the layer at work that state keeps. */
let best: usize = 0;
let nextBest: usize = 0;
let kept: usize = 0;
let nextKept: usize = 0;
/** i32[items]: values on a grid of their own. */
let gains: usize = 0;
/** u16[classes][cells] */
let inclusion: usize = 0;

/**
 * Lays out memory for the published program. Its items are steps: item j of a class adds costs[j] cells (of any sign) and
 * values[j] on top of item j - 1.
 */
export function paperLayout(classes_: i32, items: i32, cells_: i32): bool {
  if (!layoutCells(classes_, items)) return false;
  cells = cells_;
  const bytes = (<usize>cells << 2) + block;
  best = allocate(bytes);
  nextBest = allocate(bytes);
  kept = allocate(bytes);
  nextKept = allocate(bytes);
  gains = allocate(<usize>items << 2);
  if (<f64>cells * <f64>classes > 1900000000.0) return false;
  inclusion = allocate(((<usize>cells * <usize>classes) << 1) + block);
  return best != 0 && nextBest != 0 && kept != 0 && nextKept != 0 && gains != 0 && inclusion != 0;
}

/**
 * Algorithm 1 of HALP (arXiv 2110.10811) as described there: layer by layer, item by item in order of importance, over all
 * budgets c: item j joins where that is worth more and the state it joins keeps exactly the layer's first j - 1 items. One
 * value per budget is kept, so the rule can lose the optimum. Values are summed as 32-bit integers.
 * @param scale from values to integers
 */
export function paperSolve(scale: f64): void {
  const n = getI(offsets, classes);
  for (let j = 0; j < n; j++) setI(gains, j, <i32>floor(getF(values, j) * scale + 0.5));
  memory.fill(best, 0, <usize>cells << 2);
  for (let l = 0; l < classes; l++) {
    memory.fill(kept, 0, <usize>cells << 2);
    const begin = getI(offsets, l);
    const end = getI(offsets, l + 1);
    for (let j = begin; j < end; j++) {
      const cost = getI(costs, j);
      const before = j - begin;
      // budgets c with 0 <= c - cost < cells
      const from = max(0, cost);
      const to = min(cells, cells + cost);
      // the others stay as they are
      memory.copy(nextBest, best, <usize>min(from, cells) << 2);
      memory.copy(nextKept, kept, <usize>min(from, cells) << 2);
      const rest = <usize>max(to, 0) << 2;
      const restBytes = (<usize>cells << 2) - rest;
      memory.copy(nextBest + rest, best + rest, restBytes);
      memory.copy(nextKept + rest, kept + rest, restBytes);
      const gain = getI(gains, j);
      let c = from;
      if (ASC_FEATURE_SIMD) {
        const gain4 = i32x4.splat(gain);
        const before4 = i32x4.splat(before);
        const after4 = i32x4.splat(before + 1);
        for (; c + 4 <= to; c += 4) {
          const here = <usize>c << 2;
          const there = <usize>(c - cost) << 2;
          const keep = i32x4.add(v128.load(best + there), gain4);
          const prune = v128.load(best + here);
          const take = v128.and(i32x4.gt_s(keep, prune), i32x4.eq(v128.load(kept + there), before4));
          v128.store(nextBest + here, v128.bitselect(keep, prune, take));
          v128.store(nextKept + here, v128.bitselect(after4, v128.load(kept + here), take));
        }
      }
      for (; c < to; c++) {
        const keep = getI(best, c - cost) + gain;
        const take = keep > getI(best, c) && getI(kept, c - cost) == before;
        setI(nextBest, c, take ? keep : getI(best, c));
        setI(nextKept, c, take ? before + 1 : getI(kept, c));
      }
      let t = best;
      best = nextBest;
      nextBest = t;
      t = kept;
      kept = nextKept;
      nextKept = t;
    }
    const row = inclusion + ((<usize>cells * <usize>l) << 1);
    for (let c = 0; c < cells; c++) store<u16>(row + (<usize>c << 1), <u16>getI(kept, c));
  }
  let c = cells - 1;
  for (let l = classes - 1; l >= 0; l--) {
    const count = <i32>load<u16>(inclusion + ((<usize>cells * <usize>l + <usize>c) << 1));
    setI(picked, l, count);
    const begin = getI(offsets, l);
    for (let j = begin; j < begin + count; j++) c -= getI(costs, j);
    // a negative step may have come from beyond the budget
    c = max(0, min(cells - 1, c));
  }
}

export function cellOffsetsAt(): usize {
  return offsets;
}
export function cellCostsAt(): usize {
  return costs;
}
export function cellValuesAt(): usize {
  return values;
}
export function pickedAt(): usize {
  return picked;
}
