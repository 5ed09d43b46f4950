// (max, +) variable elimination along a program: for fixed lambda, the best of value - lambda * weight from each step on.
import { Edge, Step, edgeOf, full, padded, potentialOf, reduced, stepCount, stepOf } from "./joint-program";
import { allocate, getF, getI, setF, setI } from "./memory";

/** price = value - lambda * weight over a whole table. */
function priceTable(price: usize, value: usize, weight: usize, n: i32, lambda: f64): void {
  const bytes = <usize>n << 3;
  let i: usize = 0;
  if (ASC_FEATURE_SIMD) {
    const l = f64x2.splat(lambda);
    for (; i + 16 <= bytes; i += 16)
      v128.store(price + i, f64x2.sub(v128.load(value + i), f64x2.mul(l, v128.load(weight + i))));
  }
  for (; i < bytes; i += 8) store<f64>(price + i, load<f64>(value + i) - lambda * load<f64>(weight + i));
}

/** price = -weight, -Infinity where forbidden. */
function lightTable(price: usize, value: usize, weight: usize, n: i32): void {
  for (let i = 0; i < n; i++) setF(price, i, getF(value, i) == -Infinity ? -Infinity : -getF(weight, i));
}

function priceStep(step: Step, light: bool, lambda: f64): void {
  if (light) lightTable(step.price, step.value, step.weight, step.stride);
  else priceTable(step.price, step.value, step.weight, step.stride, lambda);
  for (let e = 0; e < step.edges; e++) {
    const edge = edgeOf(step, e);
    const size = edge.rows * step.stride;
    if (light) lightTable(edge.price, edge.value, edge.weight, size);
    else priceTable(edge.price, edge.value, edge.weight, size, lambda);
  }
  if (step.edges > 0) {
    // the variable's own part goes into the first edge's rows
    const edge = edgeOf(step, 0);
    for (let r = 0; r < edge.rows; r++) {
      const row = edge.price + (<usize>(r * step.stride) << 3);
      for (let x = 0; x < step.stride; x++) setF(row, x, getF(row, x) + getF(step.price, x));
    }
  }
}

/** The largest sum over x of one, two or three rows. `bytes` is a multiple of 32 in the full program. */
@inline
function largest1(a: usize, bytes: usize): f64 {
  let best: f64 = -Infinity;
  for (let i: usize = 0; i < bytes; i += 8) best = max(best, load<f64>(a + i));
  return best;
}
@inline
function largest2(a: usize, b: usize, bytes: usize): f64 {
  let i: usize = 0;
  let best: f64 = -Infinity;
  if (ASC_FEATURE_SIMD) {
    let m = f64x2.splat(-Infinity);
    let n = m;
    for (; i + 32 <= bytes; i += 32) {
      m = f64x2.pmax(m, f64x2.add(v128.load(a + i), v128.load(b + i)));
      n = f64x2.pmax(n, f64x2.add(v128.load(a + i, 16), v128.load(b + i, 16)));
    }
    m = f64x2.pmax(m, n);
    best = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
  }
  for (; i < bytes; i += 8) best = max(best, load<f64>(a + i) + load<f64>(b + i));
  return best;
}
@inline
function largest3(a: usize, b: usize, c: usize, bytes: usize): f64 {
  let i: usize = 0;
  let best: f64 = -Infinity;
  if (ASC_FEATURE_SIMD) {
    let m = f64x2.splat(-Infinity);
    let n = m;
    for (; i + 32 <= bytes; i += 32) {
      m = f64x2.pmax(m, f64x2.add(f64x2.add(v128.load(a + i), v128.load(b + i)), v128.load(c + i)));
      n = f64x2.pmax(n, f64x2.add(f64x2.add(v128.load(a + i, 16), v128.load(b + i, 16)), v128.load(c + i, 16)));
    }
    m = f64x2.pmax(m, n);
    best = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
  }
  for (; i < bytes; i += 8) best = max(best, load<f64>(a + i) + load<f64>(b + i) + load<f64>(c + i));
  return best;
}

/** A row of memory for sums of more than two edges. */
let sumRow: usize = 0;
/** i32[stepCount]: the choice that decode() found, by step. Its exact value and weight. */
export let decoded: usize = 0;
export let decodedValue: f64 = 0;
export let decodedWeight: f64 = 0;
/** The two forward tables of marginals(), and the marginals: f64[stride] per step, at the addresses in marginalAt. */
let forwardA: usize = 0;
let forwardB: usize = 0;
let marginalAt: usize = 0;

/** Memory that lasts as long as the prepared problem. */
export function layoutPotentials(): bool {
  let widest = 0;
  let slots = 1;
  let options = 0;
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    widest = max(widest, step.stride);
    slots = max(slots, step.slots);
    options += step.stride;
  }
  sumRow = allocate(<usize>widest << 3);
  decoded = allocate(<usize>stepCount << 2);
  forwardA = allocate(<usize>slots << 3);
  forwardB = allocate(<usize>slots << 3);
  marginalAt = allocate(<usize>stepCount << 2);
  const rows = allocate(<usize>options << 3);
  if (sumRow == 0 || decoded == 0 || forwardA == 0 || forwardB == 0 || marginalAt == 0 || rows == 0) return false;
  let at = rows;
  for (let k = 0; k < stepCount; k++) {
    setI(marginalAt, k, <i32>at);
    at += <usize>stepOf(full, k).stride << 3;
  }
  return true;
}

@inline
function edgeRow(edge: Edge, s: i32, stride: i32): usize {
  return edge.price + (<usize>(getI(edge.row, s) * stride) << 3);
}

/** The row of prices over x at combination s, all edges summed. */
@inline
function priceRow(step: Step, s: i32): usize {
  if (step.edges == 0) return step.price;
  const first = edgeRow(edgeOf(step, 0), s, step.stride);
  if (step.edges == 1) return first;
  for (let x = 0; x < step.stride; x++) setF(sumRow, x, getF(first, x));
  for (let e = 1; e < step.edges; e++) {
    const row = edgeRow(edgeOf(step, e), s, step.stride);
    for (let x = 0; x < step.stride; x++) setF(sumRow, x, getF(sumRow, x) + getF(row, x));
  }
  return sumRow;
}

/** Fills the full program's potentials for value - lambda * weight (or -weight: light). */
export function backward(light: bool, lambda: f64): void {
  for (let k = stepCount - 1; k >= 0; k--) {
    const step = stepOf(full, k);
    priceStep(step, light, lambda);
    const after = stepOf(full, k + 1).potential;
    const before = step.potential;
    const bytes = <usize>step.stride << 3;
    const states = step.states;
    const edges = step.edges;
    const joins = step.joins;
    const next = step.next;
    const slotOf = step.slotOf;
    const first = edges > 0 ? edgeOf(step, 0) : changetype<Edge>(step.edge);
    const second = edges > 1 ? edgeOf(step, 1) : first;
    for (let s = 0; s < states; s++) {
      const to = after + (<usize>getI(next, s) << 3);
      let best: f64;
      if (edges == 1) {
        const a = edgeRow(first, s, step.stride);
        best = joins ? largest2(a, to, bytes) : largest1(a, bytes) + load<f64>(to);
      } else if (edges == 2) {
        const a = edgeRow(first, s, step.stride);
        const b = edgeRow(second, s, step.stride);
        best = joins ? largest3(a, b, to, bytes) : largest2(a, b, bytes) + load<f64>(to);
      } else {
        const a = priceRow(step, s);
        best = joins ? largest2(a, to, bytes) : largest1(a, bytes) + load<f64>(to);
      }
      setF(before, getI(slotOf, s), best);
    }
  }
}

/** The best objective of all: what backward() found. */
@inline
export function rootPotential(): f64 {
  return load<f64>(stepOf(full, 0).potential);
}

/** Follows the full program's potentials: the choice, its value and weight. Needs the prices of the same backward(). */
export function decode(): void {
  let s = 0;
  let v: f64 = 0;
  let w: f64 = 0;
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    const row = priceRow(step, s);
    const after = stepOf(full, k + 1).potential;
    const to = getI(step.next, s);
    let best: f64 = -Infinity;
    let taken = 0;
    for (let x = 0; x < step.options; x++) {
      const total = getF(row, x) + getF(after, to + x * step.joins);
      if (total > best) {
        best = total;
        taken = x;
      }
    }
    setI(decoded, k, taken);
    v += getF(step.value, taken);
    w += getF(step.weight, taken);
    for (let e = 0; e < step.edges; e++) {
      const edge = edgeOf(step, e);
      const at = getI(edge.row, s) * step.stride + taken;
      v += getF(edge.value, at);
      w += getF(edge.weight, at);
    }
    if (k + 1 < stepCount) s = getI(stepOf(full, k + 1).stateOf, to + taken * step.joins);
  }
  decodedValue = v;
  decodedWeight = w;
}

@inline
export function marginalsOf(k: i32): usize {
  return <usize>getI(marginalAt, k);
}

/**
 * For each option of the full program the best objective of any choice with it: a forward pass beside the potentials of
 * the last backward(), whose prices it needs.
 */
export function marginals(): void {
  let reached = forwardA;
  let forward = forwardB;
  setF(reached, 0, 0);
  for (let k = 0; k < stepCount; k++) {
    const step = stepOf(full, k);
    const after = stepOf(full, k + 1).potential;
    const slots = stepOf(full, k + 1).slots;
    const best = marginalsOf(k);
    const n = step.stride;
    for (let i = 0; i < slots; i++) setF(forward, i, -Infinity);
    for (let x = 0; x < n; x++) setF(best, x, -Infinity);
    for (let s = 0; s < step.states; s++) {
      const here = getF(reached, getI(step.slotOf, s));
      const row = priceRow(step, s);
      const to = <usize>getI(step.next, s) << 3;
      if (step.joins) {
        let i: usize = 0;
        if (ASC_FEATURE_SIMD) {
          const h = f64x2.splat(here);
          for (; i < <usize>n << 3; i += 16) {
            const p = f64x2.add(h, v128.load(row + i));
            v128.store(forward + to + i, f64x2.pmax(v128.load(forward + to + i), p));
            v128.store(best + i, f64x2.pmax(v128.load(best + i), f64x2.add(p, v128.load(after + to + i))));
          }
        } else {
          for (; i < <usize>n << 3; i += 8) {
            const p = here + load<f64>(row + i);
            store<f64>(forward + to + i, max(load<f64>(forward + to + i), p));
            store<f64>(best + i, max(load<f64>(best + i), p + load<f64>(after + to + i)));
          }
        }
      } else {
        const a = load<f64>(after + to);
        let most = load<f64>(forward + to);
        if (ASC_FEATURE_SIMD) {
          const h = f64x2.splat(here);
          const rest = f64x2.splat(a);
          let m = f64x2.splat(most);
          for (let i: usize = 0; i < <usize>n << 3; i += 16) {
            const p = f64x2.add(h, v128.load(row + i));
            m = f64x2.pmax(m, p);
            v128.store(best + i, f64x2.pmax(v128.load(best + i), f64x2.add(p, rest)));
          }
          most = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
        } else {
          for (let x = 0; x < n; x++) {
            const p = here + getF(row, x);
            most = max(most, p);
            setF(best, x, max(getF(best, x), p + a));
          }
        }
        store<f64>(forward + to, most);
      }
    }
    const t = reached;
    reached = forward;
    forward = t;
  }
}

/** Fills guide g of the reduced program: potentials, and the whole choice that each stands for. */
export function guide(g: i32, lambda: f64): void {
  for (let k = stepCount - 1; k >= 0; k--) {
    const step = stepOf(reduced, k);
    const later = stepOf(reduced, k + 1);
    priceStep(step, false, lambda);
    const after = potentialOf(later, g);
    const laterOffset = <usize>(g * later.slots) << 3;
    const afterValue = later.wholeValue + laterOffset;
    const afterWeight = later.wholeWeight + laterOffset;
    const base = g * step.slots;
    for (let s = 0; s < step.states; s++) {
      const row = priceRow(step, s);
      const to = getI(step.next, s);
      let best: f64 = -Infinity;
      let x = -1;
      for (let y = 0; y < step.options; y++) {
        const total = getF(row, y) + getF(after, to + y * step.joins);
        if (total > best) {
          best = total;
          x = y;
        }
      }
      setF(step.potential, base + s, best);
      if (x < 0) {
        setF(step.wholeValue, base + s, -Infinity);
        setF(step.wholeWeight, base + s, Infinity);
        continue;
      }
      let v = getF(step.value, x) + getF(afterValue, to + x * step.joins);
      let w = getF(step.weight, x) + getF(afterWeight, to + x * step.joins);
      for (let e = 0; e < step.edges; e++) {
        const edge = edgeOf(step, e);
        const at = getI(edge.row, s) * step.stride + x;
        v += getF(edge.value, at);
        w += getF(edge.weight, at);
      }
      setF(step.wholeValue, base + s, v);
      setF(step.wholeWeight, base + s, w);
      setI(step.taken, base + s, x);
    }
  }
}
