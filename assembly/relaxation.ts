// The linear relaxation of the classes not yet decided, around the break: prefix sums of the increments that would be taken
// next (up), and of those that would be given up next (down). Weights and values count from the relaxation's choice.
import {
  incrementClass, incrementCount, incrementValue, incrementWeight, slope,
} from "./classes";
import { allocate, getF, getI, setF } from "./memory";

export let upWeight: usize = 0;
export let upValue: usize = 0;
export let upCount: i32 = 0;
/** Slope of what comes after the last prefix; 0 when nothing does. */
export let upSlope: f64 = 0;
export let downWeight: usize = 0;
export let downValue: usize = 0;
export let downCount: i32 = 0;
/** Slope of what would be given up after the last prefix; infinite when nothing is left. */
export let downSlope: f64 = 0;

export function layoutRelaxation(): bool {
  const bytes = <usize>(incrementCount + 2) << 3;
  upWeight = allocate(bytes);
  upValue = allocate(bytes);
  downWeight = allocate(bytes);
  downValue = allocate(bytes);
  return upWeight != 0 && upValue != 0 && downWeight != 0 && downValue != 0;
}

/**
 * Sums up the increments of undecided classes. Stops where the Lagrangian loss passes `cut` (states that would need more are
 * dropped anyway), and where no state has room for more.
 * @param mostRoom, leastRoom the largest and smallest room of any state
 */
export function relax(decided: usize, broke: i32, lambda: f64, cut: f64, mostRoom: f64, leastRoom: f64): void {
  let w: f64 = 0;
  let v: f64 = 0;
  let n = 0;
  upSlope = 0;
  setF(upWeight, 0, 0);
  setF(upValue, 0, 0);
  for (let i = broke; i < incrementCount; i++) {
    if (load<u8>(decided + getI(incrementClass, i))) continue;
    if (w > mostRoom || lambda * w - v > cut) {
      upSlope = getF(slope, i);
      break;
    }
    w += getF(incrementWeight, i);
    v += getF(incrementValue, i);
    n++;
    setF(upWeight, n, w);
    setF(upValue, n, v);
  }
  upCount = n;
  w = 0;
  v = 0;
  n = 0;
  downSlope = Infinity;
  setF(downWeight, 0, 0);
  setF(downValue, 0, 0);
  for (let i = broke - 1; i >= 0; i--) {
    if (load<u8>(decided + getI(incrementClass, i))) continue;
    if (w > -leastRoom || v - lambda * w > cut) {
      downSlope = getF(slope, i);
      break;
    }
    w += getF(incrementWeight, i);
    v += getF(incrementValue, i);
    n++;
    setF(downWeight, n, w);
    setF(downValue, n, v);
  }
  downCount = n;
}

/** The first index below count + 1 whose prefix is at least x; count + 1 if none. */
function lowerBound(prefix: usize, count: i32, x: f64): i32 {
  let low = 0;
  let high = count + 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (getF(prefix, middle) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Upper bound where index i is the first up prefix of at least `room`. */
@inline
export function relaxedUp(i: i32, room: f64): f64 {
  if (i > upCount) return getF(upValue, upCount) + upSlope * (room - getF(upWeight, upCount));
  const w = getF(upWeight, i);
  const v = getF(upValue, i);
  if (w == room) return v;
  const w0 = getF(upWeight, i - 1);
  const v0 = getF(upValue, i - 1);
  return v0 + ((room - w0) / (w - w0)) * (v - v0);
}

/** Upper bound (a loss) where index i is the first down prefix of at least `excess`. */
@inline
export function relaxedDown(i: i32, excess: f64): f64 {
  if (i > downCount) return -getF(downValue, downCount) - downSlope * (excess - getF(downWeight, downCount));
  const w0 = getF(downWeight, i - 1);
  const v0 = getF(downValue, i - 1);
  return -v0 - ((excess - w0) / (getF(downWeight, i) - w0)) * (getF(downValue, i) - v0);
}

/** The best value that undecided classes can add within `room` (negative: weight they must give up), fractions allowed. */
export function relaxed(room: f64): f64 {
  return room >= 0
    ? relaxedUp(lowerBound(upWeight, upCount, room), room)
    : relaxedDown(lowerBound(downWeight, downCount, -room), -room);
}
