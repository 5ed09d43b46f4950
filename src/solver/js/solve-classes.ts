import type { Outcome, Watch } from "../limits.js";
import { Merging, ParetoList } from "./pareto-list.js";
import type { Prepared } from "./prepare.js";

/** Candidates looked at between two looks at the clock: some milliseconds. */
const workPerSlice = 1 << 17;

/** Bytes of a state in a list, and of what stays of it once its class is decided. */
const stateBytes = 24;
const linkBytes = 8;

/**
 * Up to so many states the search keeps every choice that ties with the best, and so finds the lexicographically smallest
 * of them; beyond, it looks only for better value or, at equal value, lower weight. The count makes it the same everywhere.
 */
export const tieStates = 1 << 12;

/** One decided class: which items it could take, and for each state its parent state and item: parent * items + item. */
interface Stage {
  readonly cls: number;
  readonly items: Int32Array;
  readonly link: Float64Array;
  /** How many classes of the order were decided once this stage was done. */
  readonly decided: number;
}

/** The best choice known: a state of a stage, completed by some of the next (or last) increments of undecided classes. */
interface Incumbent {
  value: number;
  weight: number;
  stage: number;
  state: number;
  completion: number;
}

/** Linear relaxation of the undecided classes around the break: prefix sums of the next increments up, and down. */
interface Relaxation {
  readonly upWeight: number[];
  readonly upValue: number[];
  /** Slope of what comes after the last prefix; 0 when nothing does. */
  readonly upSlope: number;
  readonly downWeight: number[];
  readonly downValue: number[];
  /** Slope of what would be given up next; +Infinity when nothing is left. */
  readonly downSlope: number;
}

/** searchClasses() in one go. */
export function solveClasses(p: Prepared, budget: number, limits: Watch, memoryBytes?: number): Outcome {
  const search = searchClasses(p, budget, limits, memoryBytes);
  for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value;
}

/**
 * Exact multiple-choice knapsack: states grow class by class from the linear relaxation's choice; those whose bound (the
 * exact linear relaxation of the undecided classes) cannot beat the best known choice are dropped. Weights and values of
 * states count from the relaxation's choice. After Dyer, Riha & Walker 1995 and Pisinger 1995.
 *
 * Yields every few milliseconds, and looks at the clock there: when time is up, the stage at work is given up.
 * @param memoryBytes what lists of states may take
 */
export function* searchClasses(
  p: Prepared,
  budget: number,
  limits: Watch,
  memoryBytes = Number.POSITIVE_INFINITY,
): Generator<undefined, Outcome> {
  const { count, increments, hull, hullStart, margin } = p;
  const at = Int32Array.from({ length: count }, (_, l) => hullStart[l]!);
  const outcome = (status: Outcome["status"], items: Int32Array, upperBound: number, states: number): Outcome => ({
    status,
    choice: items.map((j) => p.option[j]!),
    value: items.reduce((sum, j) => sum + p.value[j]!, 0),
    weight: items.reduce((sum, j) => sum + p.weight[j]!, 0),
    upperBound,
    states,
  });
  const itemsAt = (): Int32Array => at.map((h) => hull[h]!);
  if (p.prefixWeight[0]! > budget) return outcome("infeasible", itemsAt(), p.prefixValue[0]!, 0);
  let broke = 0;
  while (broke < increments && p.prefixWeight[broke + 1]! <= budget) at[p.incrementClass[broke++]!]!++;
  const start = itemsAt();
  const startValue = p.prefixValue[broke]!;
  if (broke === increments) return outcome("optimal", start, startValue, 0);

  const room = budget - p.prefixWeight[broke]!;
  const lambda = p.slope[broke]!;
  const best: Incumbent = { value: 0, weight: 0, stage: -1, state: 0, completion: 0 };
  const swapped = improveBySwaps(p, start, broke, room, best);
  const order = coarseFirst(p, start, at, lambda, cutoff(true));
  const decided = new Uint8Array(count);
  const stages: Stage[] = [];
  let states = 0;
  let current = new ParetoList(1);
  current.push(0, 0, 0);
  let bound = lambda * room;
  let exhaustive = true;
  let ended: "proven" | "stopped" = "proven";
  const pace = new Pace(limits);

  /** The largest Lagrangian loss lambda * weight - value at which a choice can still be what is looked for. */
  function cutoff(ties: boolean): number {
    const better = lambda * room - best.value - 1;
    const equal = lambda * (ties ? best.weight : best.weight - 1) - best.value;
    return Math.max(better, equal) + margin;
  }

  for (let o = 0; o < order.length; o++) {
    if (exhaustive && states > tieStates) exhaustive = false;
    const cut = cutoff(exhaustive);
    if (cut < 0) break;
    const closeEnough = limits.gap > 0 && bound - best.value <= limits.gap * Math.abs(startValue + best.value);
    const enough = states > limits.maxStates || (closeEnough && Math.floor(bound + margin) > best.value);
    if (enough || limits.expired()) {
      ended = "stopped";
      break;
    }
    const l = order[o]!;
    const from = start[l]!;
    const items = [from];
    for (let j = p.itemStart[l]!; j < p.itemStart[l + 1]!; j++)
      if (j !== from && loss(p, lambda, from, j) <= cut) items.push(j);
    if (items.length === 1) {
      decided[l] = 1;
      continue;
    }
    const stage: Stage = { cls: l, items: Int32Array.from(items), link: new Float64Array(0), decided: o + 1 };
    const before = exhaustive
      ? (a: number, b: number): boolean => smaller(p, stages, stage, a, b)
      : (): boolean => true;
    const memory = memoryBytes - states * linkBytes;
    const candidates = yield* extend(p, current, stage.items, from, lambda, cut, before, pace, memory);
    if (candidates === null) {
      ended = "stopped";
      break;
    }
    decided[l] = 1;
    const relaxation = relax(p, decided, broke, lambda, cut);
    const kept = new ParetoList(candidates.length);
    const boundBefore = bound;
    bound = Number.NEGATIVE_INFINITY;
    for (let done = 0; done < candidates.length; ) {
      const to = Math.min(candidates.length, done + workPerSlice);
      filter(candidates, done, to, relaxation, kept);
      if (pace.due(to - done)) {
        yield;
        if (limits.expired() && to < candidates.length) ended = "stopped";
      }
      done = ended === "stopped" ? candidates.length : to;
    }
    if (ended === "stopped") bound = boundBefore;
    stages.push({ ...stage, link: kept.link.slice(0, kept.length) });
    states += kept.length;
    current = kept;
    if (kept.length === 0 || ended === "stopped") break;
  }

  const upperBound =
    ended === "proven" ? startValue + best.value : startValue + Math.max(best.value, Math.floor(bound + margin));
  const items = itemsOf();
  return outcome(ended === "proven" ? "optimal" : "feasible", items, upperBound, states);

  /** Completes candidates greedily, and keeps those that can lead to what is looked for. */
  function filter(candidates: ParetoList, from: number, to: number, relaxation: Relaxation, kept: ParetoList): void {
    for (let i = from; i < to; i++) {
      const w = candidates.weight[i]!;
      const v = candidates.value[i]!;
      const done = complete(relaxation, room - w);
      if (done !== null) {
        const value = v + done.value;
        const weight = w + done.weight;
        if (value > best.value || (value === best.value && weight < best.weight))
          Object.assign(best, { value, weight, stage: stages.length, state: kept.length, completion: done.steps });
      }
      const upper = v + relaxed(relaxation, room - w);
      let keep = upper >= best.value + 1 - margin;
      if (!keep && upper >= best.value - margin) {
        const cap = exhaustive ? best.weight : best.weight - 1;
        keep = v + relaxed(relaxation, cap - w) >= best.value - margin;
      }
      // The state behind the best known choice must stay to be found again.
      if (!keep && !(best.stage === stages.length && best.state === kept.length)) continue;
      if (upper > bound) bound = upper;
      kept.push(w, v, candidates.link[i]!);
    }
  }

  function itemsOf(): Int32Array {
    if (exhaustive && ended === "proven")
      for (let i = 0; i < current.length; i++)
        if (current.value[i] === best.value && current.weight[i] === best.weight)
          return unwind(stages, stages.length - 1, i, Int32Array.from(start));
    if (best.stage < 0) return swapped;
    const done = new Uint8Array(count);
    for (let o = 0; o < stages[best.stage]!.decided; o++) done[order[o]!] = 1;
    let i = best.completion > 0 ? broke : broke - 1;
    for (let left = Math.abs(best.completion); left > 0; i += Math.sign(best.completion)) {
      const l = p.incrementClass[i]!;
      if (done[l]) continue;
      at[l]! += Math.sign(best.completion);
      left--;
    }
    return unwind(stages, best.stage, best.state, itemsAt());
  }
}

/** What replacing an item of the relaxation's choice by another costs in the Lagrangian; never negative. */
function loss(p: Prepared, lambda: number, from: number, to: number): number {
  return lambda * (p.weight[to]! - p.weight[from]!) - (p.value[to]! - p.value[from]!);
}

/** The best single replacement, alone or beside the increment at the break. Sets `best`; gives the items. */
function improveBySwaps(p: Prepared, start: Int32Array, broke: number, room: number, best: Incumbent): Int32Array {
  const breakClass = p.incrementClass[broke]!;
  const breakWeight = p.incrementWeight[broke]!;
  const breakValue = p.incrementValue[broke]!;
  let change = { cls: -1, item: 0, beside: false };
  const offer = (value: number, weight: number, cls: number, item: number, beside: boolean): void => {
    if (weight > room || value < best.value || (value === best.value && weight >= best.weight)) return;
    best.value = value;
    best.weight = weight;
    change = { cls, item, beside };
  };
  // Along a class weight and value rise together: the heaviest item that fits is the best that does.
  const heaviestWithin = (l: number, w: number): number => {
    let j = p.itemStart[l + 1]! - 1;
    while (j >= p.itemStart[l]! && p.weight[j]! > w) j--;
    return j;
  };
  for (let l = 0; l < p.count; l++) {
    const w = p.weight[start[l]!]!;
    const v = p.value[start[l]!]!;
    const alone = heaviestWithin(l, w + room);
    offer(p.value[alone]! - v, p.weight[alone]! - w, l, alone, false);
    const beside = heaviestWithin(l, w + room - breakWeight);
    if (l !== breakClass && beside >= p.itemStart[l]!)
      offer(p.value[beside]! - v + breakValue, p.weight[beside]! - w + breakWeight, l, beside, true);
  }
  const items = Int32Array.from(start);
  if (change.cls >= 0) items[change.cls] = change.item;
  if (change.beside) {
    const position = p.hull.indexOf(start[breakClass]!, p.hullStart[breakClass]!);
    items[breakClass] = p.hull[position + 1]!;
  }
  return items;
}

/**
 * The classes that have a second item worth a look, those with the coarsest hull step beside the relaxation's choice first:
 * what is left to the relaxation is then fine-grained, and its bound tight.
 */
function coarseFirst(p: Prepared, start: Int32Array, at: Int32Array, lambda: number, cut: number): number[] {
  const order: number[] = [];
  const step = new Float64Array(p.count);
  for (let l = 0; l < p.count; l++) {
    let alone = true;
    for (let j = p.itemStart[l]!; alone && j < p.itemStart[l + 1]!; j++)
      alone = j === start[l]! || loss(p, lambda, start[l]!, j) > cut;
    if (alone) continue;
    const h = at[l]!;
    const weightAt = (x: number): number => p.weight[p.hull[x]!]!;
    step[l] = Number.POSITIVE_INFINITY;
    if (h + 1 < p.hullStart[l + 1]!) step[l] = weightAt(h + 1) - weightAt(h);
    if (h > p.hullStart[l]!) step[l] = Math.min(step[l]!, weightAt(h) - weightAt(h - 1));
    order.push(l);
  }
  return order.sort((a, b) => step[b]! - step[a]! || a - b);
}

/** Counts the work of a slice. */
class Pace {
  readonly limits: Watch;
  #spent = 0;

  constructor(limits: Watch) {
    this.limits = limits;
  }

  /** Whether the slice is used up, after so many candidates more. */
  due(work: number): boolean {
    this.#spent += work;
    if (this.#spent < workPerSlice) return false;
    this.#spent = 0;
    return true;
  }
}

/**
 * Every state with every item, as one list without dominated states; null if time is up first, or it does not fit the
 * memory.
 */
function* extend(
  p: Prepared,
  current: ParetoList,
  items: Int32Array,
  from: number,
  lambda: number,
  cut: number,
  before: (a: number, b: number) => boolean,
  pace: Pace,
  memory: number,
): Generator<undefined, ParetoList | null> {
  let lists: ParetoList[] = [];
  let candidates = 0;
  for (let q = 0; q < items.length; q++) {
    const dw = p.weight[items[q]!]! - p.weight[from]!;
    const dv = p.value[items[q]!]! - p.value[from]!;
    const limit = cut - (lambda * dw - dv);
    let length = 0;
    for (let i = 0; i < current.length; i++) if (lambda * current.weight[i]! - current.value[i]! <= limit) length++;
    candidates += length;
    // the candidates, as much again to merge them, and as much for the states kept
    if (3 * candidates * stateBytes > memory) return null;
    const list = new ParetoList(length);
    for (let i = 0; i < current.length; i++) {
      const w = current.weight[i]!;
      const v = current.value[i]!;
      if (lambda * w - v <= limit) list.push(w + dw, v + dv, i * items.length + q);
    }
    if (length > 0) lists.push(list);
    if (pace.due(2 * current.length)) {
      yield;
      if (pace.limits.expired()) return null;
    }
  }
  while (lists.length > 1) {
    const merged: ParetoList[] = [];
    for (let q = 0; q < lists.length; q += 2) {
      const a = lists[q]!;
      const b = lists[q + 1];
      if (b === undefined) {
        merged.push(a);
        continue;
      }
      const merging = new Merging(a, b, before);
      for (let most = workPerSlice; !merging.advance(most); ) {
        yield;
        if (pace.limits.expired()) return null;
      }
      merged.push(merging.out);
      if (pace.due(a.length + b.length)) {
        yield;
        if (pace.limits.expired()) return null;
      }
    }
    lists = merged;
  }
  return lists[0] ?? new ParetoList(0);
}

/** Whether the state behind link a takes smaller options than the one behind link b, first variable first. */
function smaller(p: Prepared, stages: readonly Stage[], last: Stage, a: number, b: number): boolean {
  let first = Number.POSITIVE_INFINITY;
  let result = true;
  let stage = last;
  for (let s = stages.length; ; stage = stages[s]!) {
    const k = stage.items.length;
    const optionA = p.option[stage.items[a % k]!]!;
    const optionB = p.option[stage.items[b % k]!]!;
    if (optionA !== optionB && stage.cls < first) {
      first = stage.cls;
      result = optionA < optionB;
    }
    const stateA = Math.floor(a / k);
    const stateB = Math.floor(b / k);
    if (stateA === stateB || --s < 0) return result;
    a = stages[s]!.link[stateA]!;
    b = stages[s]!.link[stateB]!;
  }
}

/** Writes the items that led to a state. */
function unwind(stages: readonly Stage[], last: number, state: number, items: Int32Array): Int32Array {
  for (let s = last; s >= 0; s--) {
    const stage = stages[s]!;
    const k = stage.items.length;
    const link = stage.link[state]!;
    items[stage.cls] = stage.items[link % k]!;
    state = Math.floor(link / k);
  }
  return items;
}

function relax(p: Prepared, decided: Uint8Array, broke: number, lambda: number, cut: number): Relaxation {
  const upWeight = [0];
  const upValue = [0];
  let upSlope = 0;
  for (let i = broke, w = 0, v = 0; i < p.increments; i++) {
    if (decided[p.incrementClass[i]!]) continue;
    if (lambda * w - v > cut) {
      upSlope = p.slope[i]!;
      break;
    }
    w += p.incrementWeight[i]!;
    v += p.incrementValue[i]!;
    upWeight.push(w);
    upValue.push(v);
  }
  const downWeight = [0];
  const downValue = [0];
  let downSlope = Number.POSITIVE_INFINITY;
  for (let i = broke - 1, w = 0, v = 0; i >= 0; i--) {
    if (decided[p.incrementClass[i]!]) continue;
    if (v - lambda * w > cut) {
      downSlope = p.slope[i]!;
      break;
    }
    w += p.incrementWeight[i]!;
    v += p.incrementValue[i]!;
    downWeight.push(w);
    downValue.push(v);
  }
  return { upWeight, upValue, upSlope, downWeight, downValue, downSlope };
}

/** The first index whose prefix is at least x; the length if none. */
function lowerBound(prefix: readonly number[], x: number): number {
  let low = 0;
  let high = prefix.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (prefix[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The best value that undecided classes can add within `room` (negative: weight they must give up), fractions allowed. */
function relaxed(r: Relaxation, room: number): number {
  if (room >= 0) {
    const i = lowerBound(r.upWeight, room);
    if (i === r.upWeight.length) return r.upValue[i - 1]! + r.upSlope * (room - r.upWeight[i - 1]!);
    if (r.upWeight[i] === room) return r.upValue[i]!;
    const share = (room - r.upWeight[i - 1]!) / (r.upWeight[i]! - r.upWeight[i - 1]!);
    return r.upValue[i - 1]! + share * (r.upValue[i]! - r.upValue[i - 1]!);
  }
  const i = lowerBound(r.downWeight, -room);
  if (i === r.downWeight.length) return -r.downValue[i - 1]! - r.downSlope * (-room - r.downWeight[i - 1]!);
  const share = (-room - r.downWeight[i - 1]!) / (r.downWeight[i]! - r.downWeight[i - 1]!);
  return -r.downValue[i - 1]! - share * (r.downValue[i]! - r.downValue[i - 1]!);
}

/** Whole increments of undecided classes that fit the room; null where the prefixes at hand do not reach. */
function complete(r: Relaxation, room: number): { value: number; weight: number; steps: number } | null {
  if (room >= 0) {
    const i = lowerBound(r.upWeight, room);
    const steps = r.upWeight[i] === room ? i : i - 1;
    return { value: r.upValue[steps]!, weight: r.upWeight[steps]!, steps };
  }
  const steps = lowerBound(r.downWeight, -room);
  if (steps === r.downWeight.length) return null;
  return { value: -r.downValue[steps]!, weight: -r.downWeight[steps]!, steps: -steps };
}
