// Puts the numbers the host wrote on integer grids, in place: the same rules as src/solver/quantise.ts, for the flat form.
import { classCount, inputValue, inputWeight, offset } from "./classes";
import { getF, getI, setF } from "./memory";

const integerTotal: f64 = 4503599627370496.0; // 2^52
const decimalTotal: f64 = 70368744177664.0; // 2^46
const maxDecimals: i32 = 9;

export let valueScale: f64 = 1;
export let weightScale: f64 = 1;
/** No sum of one value per class is larger in magnitude, in grid numbers. */
export let valueTotal: f64 = 0;

/** Whether every number (NaN aside) is the double nearest to some integer / scale. */
function onGrid(table: usize, n: i32, scale: f64): bool {
  let i = 0;
  if (ASC_FEATURE_SIMD && scale == 1)
    for (; i + 2 <= n; i += 2) {
      const x = v128.load(table + (<usize>i << 3));
      // neither equal to its whole part nor NaN
      if (v128.any_true(v128.and(f64x2.ne(f64x2.floor(x), x), f64x2.eq(x, x)))) return false;
    }
  for (; i < n; i++) {
    const x = getF(table, i);
    if (floor(x * scale + 0.5) / scale != x && x == x) return false;
  }
  return true;
}

/** What largest() found besides: whether there is an infinite number, and whether there is a NaN. */
let sawInfinity: bool = false;
let sawNaN: bool = false;

/** The largest magnitude of table[from .. to). NaN is passed over. */
function largest(table: usize, from: i32, to: i32): f64 {
  let most: f64 = 0;
  let i = from;
  let odd: f64 = 0;
  if (ASC_FEATURE_SIMD) {
    let m = f64x2.splat(0);
    let o = m;
    for (; i + 2 <= to; i += 2) {
      const x = v128.load(table + (<usize>i << 3));
      m = f64x2.pmax(m, f64x2.abs(x));
      o = f64x2.add(o, f64x2.sub(x, x));
    }
    most = max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
    odd = f64x2.extract_lane(o, 0) + f64x2.extract_lane(o, 1);
  }
  for (; i < to; i++) {
    const x = getF(table, i);
    const a = abs(x);
    if (a > most) most = a;
    odd += x - x;
  }
  // x - x is 0 for every finite number, else NaN
  if (odd != 0) {
    if (most == Infinity) sawInfinity = true;
    else sawNaN = true;
    for (let j = from; j < to; j++) if (getF(table, j) != getF(table, j)) sawNaN = true;
  }
  return most;
}

function chooseScale(table: usize, n: i32, total: f64): f64 {
  let scale: f64 = 1;
  for (let k = 0; k <= maxDecimals; k++) {
    if (total * scale > (k == 0 ? integerTotal : decimalTotal)) break;
    if (onGrid(table, n, scale)) return scale;
    scale *= 10;
  }
  // 2^e with total * 2^e in [2^43, 2^44): the exponent from the bits; subnormal and infinite totals clamp below
  const exponent = 43 - (<i32>((reinterpret<u64>(total) >> 52) & 0x7ff) - 1023);
  return reinterpret<f64>((<u64>(max(-1000, min(1000, exponent)) + 1023)) << 52);
}

function toGrid(table: usize, n: i32, scale: f64): void {
  if (scale == 1) return;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const by = f64x2.splat(scale);
    const half = f64x2.splat(0.5);
    for (; i + 2 <= n; i += 2) {
      const at = table + (<usize>i << 3);
      v128.store(at, f64x2.floor(f64x2.add(f64x2.mul(v128.load(at), by), half)));
    }
  }
  for (; i < n; i++) setF(table, i, floor(getF(table, i) * scale + 0.5));
}

/**
 * Puts values and weights on their grids. An item of weight NaN is forbidden: it ends up too heavy and worth nothing.
 * @returns -1; or the first class that has an infinite or NaN value or an infinite weight
 */
export function quantise(): i32 {
  let valueSum: f64 = 0;
  let weightSum: f64 = 0;
  let forbidden = false;
  for (let l = 0; l < classCount; l++) {
    const end = getI(offset, l + 1);
    const begin = getI(offset, l);
    sawNaN = false;
    sawInfinity = false;
    valueSum += largest(inputValue, begin, end);
    if (sawNaN || sawInfinity) return l;
    weightSum += largest(inputWeight, begin, end);
    if (sawInfinity) return l;
    if (sawNaN) forbidden = true;
  }
  const n = getI(offset, classCount);
  valueScale = chooseScale(inputValue, n, valueSum);
  weightScale = chooseScale(inputWeight, n, weightSum);
  toGrid(inputValue, n, valueScale);
  toGrid(inputWeight, n, weightScale);
  valueTotal = valueSum * valueScale + <f64>classCount;
  if (forbidden)
    for (let j = 0; j < n; j++)
      if (getF(inputWeight, j) != getF(inputWeight, j)) {
        setF(inputWeight, j, Infinity);
        setF(inputValue, j, -Infinity);
      }
  return -1;
}

/** The first class of which every item is forbidden; -1 if there is none. After quantise(). */
export function forbiddenClass(): i32 {
  for (let l = 0; l < classCount; l++) {
    const end = getI(offset, l + 1);
    let j = getI(offset, l);
    while (j < end && getF(inputWeight, j) == Infinity) j++;
    if (j == end) return l;
  }
  return -1;
}

export function getValueScale(): f64 {
  return valueScale;
}
export function getWeightScale(): f64 {
  return weightScale;
}
export function getValueTotal(): f64 {
  return valueTotal;
}
