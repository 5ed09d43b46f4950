// Exact solution of a problem with two-variable factors whose frontiers are small: the Lagrangian dual gives a bound and a
// first choice, its marginals rule out options, label setting along the plan closes the gap. src/solver/js/solve-joint.ts is
// the same algorithm in plain TypeScript.
import { improve, improvedValue, improvedWeight, layoutLocalSearch } from "./joint-local-search";
import {
  backward, decode, decoded, decodedValue, decodedWeight, guide, layoutPotentials, marginals, marginalsOf, rootPotential,
} from "./joint-potentials";
import {
  Step, buildReduced, edgeOf, full, guideCount, jointBuild, reduced, stepCount, stepOf,
} from "./joint-program";
import { align, allocate, ensure, getF, getI, release, setF, setI, top } from "./memory";
import { mergeSort } from "./sort";
import { FEASIBLE, INFEASIBLE, NO_MEMORY, OPTIMAL, RUNNING } from "./solve";

/** Every choice takes a forbidden pair. */
export const IMPOSSIBLE: i32 = 5;

const tieStates: f64 = 4096;
const mostEvaluations: i32 = 60;

// Labels: f64 weight, f64 value, i32 state, u32 link (parent label * options + option).
const labelBytes: usize = 24;

// ---- prepared
let valueTotal: f64 = 0;
let weightTotal: f64 = 0;
/** Terms in a potential, for the rounding margin. */
let terms: f64 = 0;
/** The choice of smallest weight, and the one of greatest value (without a budget). i32 by step. */
let lightChoice: usize = 0;
let lightValue: f64 = 0;
let lightWeight: f64 = 0;
let heavyChoice: usize = 0;
let heavyValue: f64 = 0;
let heavyWeight: f64 = 0;
let heavyBound: f64 = 0;
/** The multiplier that only breaks ties: values are integers. */
let smallLambda: f64 = 0;
let possible: bool = false;
/** Where one solve's memory begins. */
export let solveStart: usize = 0;

// ---- results
/** i32 by step: the option taken, a number of the full program. */
export let jointChoice: usize = 0;
export let jointValue: f64 = 0;
export let jointWeight: f64 = 0;
export let jointBound: f64 = 0;
export let jointStates: f64 = 0;

// ---- one solve
const DUAL: i32 = 0;
const LABELS: i32 = 1;
let phase: i32 = 0;
let budget: f64 = 0;
let lambda: f64 = 0;
let margin: f64 = 0;
let exhaustive: bool = false;
let bound: f64 = 0;
// the dual: lines of a choice within the budget and one beyond
let insideValue: f64 = 0;
let insideWeight: f64 = 0;
let outsideValue: f64 = 0;
let outsideWeight: f64 = 0;
let evaluations: i32 = 0;
/** The multiplier whose potentials are in the full program; that of the best bound. */
let currentLambda: f64 = 0;
let dualLambda: f64 = 0;
// the best known choice: bestChoice, or (bestLabelStep >= 0) a label completed by a guide
let bestChoice: usize = 0;
let bestValue: f64 = 0;
let bestWeight: f64 = 0;
let bestLabelStep: i32 = 0;
let bestLabel: i32 = 0;
let bestState: i32 = 0;
let bestGuide: i32 = 0;
// labels
let nextStep: i32 = 0;
let labelLinks: usize = 0;
let current: usize = 0;
let currentCount: i32 = 0;
/** i32 by step: counts and lists of the options left, and room for the lists. */
export let domainCounts: usize = 0;
export let domainLists: usize = 0;
/** f64[guideCount] */
const guideLambdas = memory.data(8 * guideCount);

/**
 * The multipliers that bound the labels. The far ones matter where a partial choice has taken or left out something large:
 * what is left then has a slope of its own.
 */
function setGuideLambdas(): void {
  setF(guideLambdas, 0, lambda);
  setF(guideLambdas, 1, 0.88 * lambda);
  setF(guideLambdas, 2, 1.04 * lambda);
  setF(guideLambdas, 3, 1.14 * lambda);
  setF(guideLambdas, 4, 0.95 * lambda);
  setF(guideLambdas, 5, 0.75 * lambda);
  setF(guideLambdas, 6, 1.35 * lambda);
  setF(guideLambdas, 7, 0.6 * lambda);
}

/** More than the rounding error of any bound with multipliers up to 1.4 l, in grid numbers of value. */
export function roundingAt(l: f64): f64 {
  return 0.25 + terms * 4.440892098500626e-16 * (valueTotal + 1.4 * l * weightTotal); // 2^-51
}

function copyChoice(to: usize, from: usize): void {
  memory.copy(to, from, <usize>stepCount << 2);
}

/**
 * Prepares the plan that the host wrote: the program, and what does not depend on a budget.
 * @returns 0 if memory runs out
 */
export function jointPrepare(valueTotal_: f64, weightTotal_: f64): bool {
  valueTotal = valueTotal_;
  weightTotal = weightTotal_;
  if (!jointBuild() || !layoutPotentials() || !layoutLocalSearch()) return false;
  const bytes = <usize>stepCount << 2;
  lightChoice = allocate(bytes);
  heavyChoice = allocate(bytes);
  jointChoice = allocate(bytes);
  bestChoice = allocate(bytes);
  domainCounts = allocate(bytes);
  domainLists = allocate(bytes);
  labelLinks = allocate(bytes);
  let options = 0;
  terms = 16;
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    options += step.options;
    terms += 2 + <f64>step.edges;
  }
  solveStart = allocate(<usize>options << 2);
  if (lightChoice == 0 || heavyChoice == 0 || jointChoice == 0 || bestChoice == 0 || domainCounts == 0 || domainLists == 0
    || labelLinks == 0 || solveStart == 0) return false;
  let at = solveStart;
  for (let k = 0; k < stepCount; k++) {
    setI(domainLists, k, <i32>at);
    at += <usize>stepOf(full, k).options << 2;
  }
  solveStart = top;
  backward(true, 0);
  possible = rootPotential() > -Infinity;
  if (!possible) return true;
  decode();
  copyChoice(lightChoice, decoded);
  lightValue = decodedValue;
  lightWeight = decodedWeight;
  smallLambda = 0.25 / (weightTotal + 1);
  backward(false, smallLambda);
  decode();
  copyChoice(heavyChoice, decoded);
  heavyValue = decodedValue;
  heavyWeight = decodedWeight;
  heavyBound = rootPotential();
  return true;
}

function know(choice: usize, v: f64, w: f64): void {
  if (w > budget || v < bestValue || (v == bestValue && w >= bestWeight)) return;
  bestValue = v;
  bestWeight = w;
  copyChoice(bestChoice, choice);
}

/** Writes the answer from bestChoice. */
function answer(status: i32, upper: f64): i32 {
  copyChoice(jointChoice, bestChoice);
  jointValue = bestValue;
  jointWeight = bestWeight;
  jointBound = upper;
  return status;
}

/** Starts solving for a budget (a grid integer). After RUNNING call jointRun(). */
export function jointBegin(givenBudget: f64): i32 {
  release(solveStart);
  jointStates = 0;
  if (!possible) return IMPOSSIBLE;
  // more than any choice can use would only loosen the bounds
  budget = min(givenBudget, weightTotal);
  bestLabelStep = -1;
  exhaustive = true;
  bestValue = lightValue;
  bestWeight = lightWeight;
  copyChoice(bestChoice, lightChoice);
  if (lightWeight > budget) return answer(INFEASIBLE, lightValue);
  know(heavyChoice, heavyValue, heavyWeight);
  insideValue = lightValue;
  insideWeight = lightWeight;
  outsideValue = heavyValue;
  outsideWeight = heavyWeight;
  bound = heavyBound + smallLambda * budget;
  dualLambda = smallLambda;
  margin = roundingAt(smallLambda);
  currentLambda = -1;
  evaluations = 0;
  phase = DUAL;
  return RUNNING;
}

/** One evaluation of the dual; true once it is solved. */
function improveDual(): bool {
  if (heavyWeight <= budget || evaluations >= mostEvaluations) return true;
  const l = (outsideValue - insideValue) / (outsideWeight - insideWeight);
  if (!(l > 0)) return true;
  evaluations++;
  backward(false, l);
  decode();
  currentLambda = l;
  know(decoded, decodedValue, decodedWeight);
  const upper = rootPotential() + l * budget;
  if (upper < bound) {
    bound = upper;
    dualLambda = l;
    margin = roundingAt(l);
  }
  const line = insideValue - l * insideWeight;
  // no choice above the line through both: the minimum is here
  if (rootPotential() <= line + 1e-9 * abs(line)) return true;
  if (decodedWeight <= budget) {
    insideValue = decodedValue;
    insideWeight = decodedWeight;
  } else {
    outsideValue = decodedValue;
    outsideWeight = decodedWeight;
  }
  return false;
}

@inline
function cap(): f64 {
  return exhaustive ? bestWeight : bestWeight - 1;
}

/** A choice of bound u + l * budget at the budget is worth a look if u is at least this. */
@inline
function threshold(l: f64): f64 {
  return min(bestValue + 1 - margin - l * budget, bestValue - margin - l * cap());
}

/** From the dual to labels: rules out options. False if memory runs out; sets currentCount to 0 if nothing is left to prove. */
function startLabels(): bool {
  improve(bestChoice, bestValue, bestWeight, budget);
  bestValue = improvedValue;
  bestWeight = improvedWeight;
  lambda = dualLambda;
  margin = roundingAt(lambda);
  if (currentLambda != lambda) backward(false, lambda);
  marginals();
  const least = threshold(lambda);
  let left = true;
  for (let k = 0; k < stepCount; k++) {
    const best = marginalsOf(k);
    const n = stepOf(full, k).options;
    const list = <usize>getI(domainLists, k);
    let count = 0;
    for (let x = 0; x < n; x++) if (getF(best, x) >= least) setI(list, count++, x);
    setI(domainCounts, k, count);
    if (count == 0) left = false;
  }
  nextStep = 0;
  currentCount = 0;
  phase = LABELS;
  if (!left) return true;
  if (!buildReduced(domainCounts, domainLists)) return false;
  setGuideLambdas();
  for (let g = 0; g < guideCount; g++) guide(g, getF(guideLambdas, g));
  current = top;
  if (!ensure(current + labelBytes)) return false;
  store<f64>(current, 0);
  store<f64>(current, 0, 8);
  store<i32>(current, 0, 16);
  store<u32>(current, 0, 20);
  currentCount = 1;
  return true;
}

/** Whether the partial choice behind link a, of step k, takes smaller options than that behind b, first variable first. */
function smaller(k: i32, a: u32, b: u32): bool {
  let first = i32.MAX_VALUE;
  let result = true;
  while (true) {
    const step = stepOf(reduced, k);
    const n = <u32>step.options;
    const x = a % n;
    const y = b % n;
    if (x != y && step.variable < first) {
      first = step.variable;
      result = x < y;
    }
    a /= n;
    b /= n;
    if (a == b || --k < 0) return result;
    const links = <usize>getI(labelLinks, k);
    a = load<u32>(links + (<usize>a << 2));
    b = load<u32>(links + (<usize>b << 2));
  }
}

/** Every label with every option of step k that guide 0 lets through, from `out`. Gives the end; 0: no memory. */
function extend(k: i32, out: usize): usize {
  const step = stepOf(reduced, k);
  const n = step.options;
  const after = stepOf(reduced, k + 1).potential;
  const least = threshold(lambda);
  const most = <usize>n * labelBytes;
  for (let i = 0; i < currentCount; i++) {
    if (!ensure(out + most)) return 0;
    const label = current + <usize>i * labelBytes;
    const w0 = load<f64>(label);
    const v0 = load<f64>(label, 8);
    const s = load<i32>(label, 16);
    const to = getI(step.next, s);
    for (let x = 0; x < n; x++) {
      let v = v0 + getF(step.value, x);
      let w = w0 + getF(step.weight, x);
      for (let e = 0; e < step.edges; e++) {
        const edge = edgeOf(step, e);
        const at = getI(edge.row, s) * n + x;
        v += getF(edge.value, at);
        w += getF(edge.weight, at);
      }
      const t = to + x * step.joins;
      store<f64>(out, w);
      store<f64>(out, v, 8);
      store<i32>(out, t, 16);
      store<u32>(out, <u32>(i * n + x), 20);
      out += v - lambda * w + getF(after, t) >= least ? labelBytes : 0;
    }
  }
  return out;
}

/** One step of label setting. False if memory runs out: then nothing has changed. */
function advance(): bool {
  const k = nextStep;
  const step = stepOf(reduced, k);
  const later = stepOf(reduced, k + 1);
  if (<f64>currentCount * <f64>step.options >= 4294967296.0) return false;
  const candidates = current + <usize>currentCount * labelBytes;
  const end = extend(k, candidates);
  if (end == 0) return false;
  const m = <i32>((end - candidates) / labelBytes);
  // indexes by state, keys, and the labels kept
  const slots = later.slots;
  const starts = align(end);
  const order = align(starts + (<usize>(slots + 1) << 2));
  const spare = align(order + (<usize>m << 2));
  const keys = align(spare + (<usize>m << 2));
  const out = align(keys + (<usize>m << 3));
  if (out < end || !ensure(out + <usize>(m + 1) * labelBytes)) return false;
  memory.fill(starts, 0, <usize>(slots + 1) << 2);
  for (let i = 0; i < m; i++) {
    const label = candidates + <usize>i * labelBytes;
    const s = load<i32>(label, 16) + 1;
    setI(starts, s, getI(starts, s) + 1);
    setF(keys, i, load<f64>(label));
  }
  for (let s = 0; s < slots; s++) setI(starts, s + 1, getI(starts, s) + getI(starts, s + 1));
  for (let i = 0; i < m; i++) {
    const s = load<i32>(candidates + <usize>i * labelBytes, 16);
    const place = getI(starts, s);
    setI(starts, s, place + 1);
    setI(order, place, i);
  }
  let kept = 0;
  bound = -Infinity;
  let from = 0;
  for (let s = 0; s < slots; s++) {
    const to = getI(starts, s);
    if (to > from) {
      if (to - from > 1) mergeSort(keys, order + (<usize>from << 2), spare, to - from);
      const count = keepUndominated(k, candidates, order + (<usize>from << 2), to - from);
      kept = filter(later, s, candidates, order + (<usize>from << 2), count, out, kept);
    }
    from = to;
  }
  // links to where the old labels were, the new labels after them
  const links = current;
  for (let i = 0; i < kept; i++) store<u32>(links + (<usize>i << 2), load<u32>(out + <usize>i * labelBytes, 20));
  setI(labelLinks, k, <i32>links);
  current = align(links + (<usize>kept << 2));
  memory.copy(current, out, <usize>kept * labelBytes);
  currentCount = kept;
  jointStates += <f64>kept;
  nextStep++;
  return true;
}

/** Drops dominated labels of one state from its sorted list; of equal ones the smaller choice stays. Gives the count. */
function keepUndominated(k: i32, labels: usize, list: usize, n: i32): i32 {
  let count = 0;
  let topWeight: f64 = 0;
  let topValue: f64 = -Infinity;
  for (let i = 0; i < n; i++) {
    const x = getI(list, i);
    const label = labels + <usize>x * labelBytes;
    const w = load<f64>(label);
    const v = load<f64>(label, 8);
    if (v > topValue) {
      if (count > 0 && w == topWeight) count--;
      setI(list, count++, x);
      topWeight = w;
      topValue = v;
    } else if (exhaustive && v == topValue && w == topWeight) {
      const other = labels + <usize>getI(list, count - 1) * labelBytes;
      if (!smaller(k, load<u32>(other, 20), load<u32>(label, 20))) setI(list, count - 1, x);
    }
  }
  return count;
}

/** Bounds the labels of one state by all guides, completes each, and writes those still of interest. Gives the new count. */
function filter(later: Step, s: i32, labels: usize, list: usize, n: i32, out: usize, kept: i32): i32 {
  for (let i = 0; i < n; i++) {
    const label = labels + <usize>getI(list, i) * labelBytes;
    const w = load<f64>(label);
    const v = load<f64>(label, 8);
    let upper: f64 = Infinity;
    let upperAtBest: f64 = Infinity;
    for (let g = 0; g < guideCount; g++) {
      const at = g * later.slots + s;
      const whole = v + getF(later.wholeValue, at);
      const wholeWeight = w + getF(later.wholeWeight, at);
      if (wholeWeight <= budget && (whole > bestValue || (whole == bestValue && wholeWeight < bestWeight))) {
        bestValue = whole;
        bestWeight = wholeWeight;
        bestLabelStep = nextStep;
        bestLabel = kept;
        bestState = s;
        bestGuide = g;
      }
      const l = getF(guideLambdas, g);
      const p = v + getF(later.potential, at) - l * w;
      upper = min(upper, p + l * budget);
      upperAtBest = min(upperAtBest, p + l * cap());
    }
    // the label behind the best known choice must stay to be found again
    if (!(upper >= bestValue + 1 - margin || upperAtBest >= bestValue - margin)
      && !(bestLabelStep == nextStep && bestLabel == kept)) continue;
    bound = max(bound, upper);
    const to = out + <usize>kept * labelBytes;
    store<f64>(to, w);
    store<f64>(to, v, 8);
    store<i32>(to, s, 16);
    store<u32>(to, load<u32>(label, 20), 20);
    kept++;
  }
  return kept;
}

/**
 * Goes on until the proof is done (OPTIMAL), a limit strikes (FEASIBLE), or about `work` candidates were looked at (RUNNING:
 * call again, or jointFinish()).
 */
export function jointRun(maxStates: f64, gap: f64, work: f64): i32 {
  let spent: f64 = 0;
  while (phase == DUAL) {
    if (improveDual()) {
      if (!startLabels()) return jointFinish(FEASIBLE);
    } else if (gap > 0 && bound - bestValue <= gap * abs(bestValue)) return jointFinish(FEASIBLE);
    spent += 100000;
    if (spent > work) return RUNNING;
  }
  while (nextStep < stepCount && currentCount > 0) {
    if (jointStates > tieStates) exhaustive = false;
    const close = gap > 0 && bound - bestValue <= gap * abs(bestValue);
    if (jointStates > maxStates || (close && floor(bound + margin) > bestValue)) return jointFinish(FEASIBLE);
    if (spent > work) return RUNNING;
    spent += <f64>currentCount * <f64>stepOf(reduced, nextStep).options;
    if (!advance()) return jointFinish(FEASIBLE);
  }
  return jointFinish(OPTIMAL);
}

/** Writes the best known choice. `status` is OPTIMAL where the proof is done, else FEASIBLE. */
export function jointFinish(status: i32): i32 {
  const upper = status == OPTIMAL ? bestValue : max(bestValue, floor(bound + margin));
  if (phase == LABELS && status == OPTIMAL && exhaustive && nextStep == stepCount)
    for (let i = 0; i < currentCount; i++) {
      const label = current + <usize>i * labelBytes;
      if (load<f64>(label, 8) == bestValue && load<f64>(label) == bestWeight) {
        unwind(stepCount - 1, i, -1, 0);
        return answer(status, upper);
      }
    }
  if (phase == LABELS && bestLabelStep >= 0) unwind(bestLabelStep, bestLabel, bestGuide, bestState);
  return answer(status, upper);
}

/** Writes the choice behind a label to bestChoice, completed by a guide (-1: none needed) from the label's state. */
function unwind(last: i32, label: i32, g: i32, state: i32): void {
  if (g >= 0)
    for (let k = last + 1; k < stepCount; k++) {
      const step = stepOf(reduced, k);
      const x = getI(step.taken, g * step.slots + state);
      setI(bestChoice, k, getI(step.domain, x));
      state = getI(step.next, state) + x * step.joins;
    }
  for (let k = last; k >= 0; k--) {
    const step = stepOf(reduced, k);
    const link = load<u32>(<usize>getI(labelLinks, k) + (<usize>label << 2));
    setI(bestChoice, k, getI(step.domain, <i32>(link % <u32>step.options)));
    label = <i32>(link / <u32>step.options);
  }
}
