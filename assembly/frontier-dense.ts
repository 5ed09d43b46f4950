// Every undominated point by a dynamic program over all weights: for small whole numbers, where so many choices lie on the
// hull that no cut drops any.
import { classCount, itemStart, prefixWeight, preparedEnd, value, weight } from "./classes";
import { allocate, getF, getI, release } from "./memory";
import { setPoint } from "./points";

/** Four cells are done at once. */
const block: usize = 32;

/** The points found, by rising weight: f64 weight, f64 value. */
export let densePoints: usize = 0;
export let densePointCount: i32 = 0;

/**
 * Finds every point. Work: cells times items.
 * @param cells the weights from the lightest choice to the heaviest
 * @returns false if there is not enough memory
 */
export function frontierDense(cells: i32): bool {
  release(preparedEnd);
  let widest: f64 = 0;
  for (let l = 0; l < classCount; l++)
    widest = max(widest, getF(weight, getI(itemStart, l + 1) - 1) - getF(weight, getI(itemStart, l)));
  // cells below the lightest choice, never reached
  const below = ((<usize>widest << 3) + block - 1) & ~(block - 1);
  const bytes = ((<usize>cells << 3) + block - 1) & ~(block - 1);
  let from = allocate(below + bytes);
  let to = allocate(below + bytes);
  if (from == 0 || to == 0) return false;
  for (let i: usize = 0; i < below + bytes; i += 8) {
    store<f64>(from + i, -Infinity);
    store<f64>(to + i, -Infinity);
  }
  store<f64>(from + below, 0);
  for (let l = 0; l < classCount; l++) {
    const begin = getI(itemStart, l);
    const end = getI(itemStart, l + 1);
    const lightest = getF(weight, begin);
    for (let c = below; c < below + bytes; c += block) {
      if (!ASC_FEATURE_SIMD) {
        for (let i: usize = c; i < c + block; i += 8) {
          let most: f64 = -Infinity;
          for (let j = begin; j < end; j++) {
            const v = load<f64>(from + i - (<usize>(getF(weight, j) - lightest) << 3)) + getF(value, j);
            most = v > most ? v : most;
          }
          store<f64>(to + i, most);
        }
        continue;
      }
      let a = f64x2.splat(-Infinity);
      let b = a;
      for (let j = begin; j < end; j++) {
        const p = from + c - (<usize>(getF(weight, j) - lightest) << 3);
        const v = f64x2.splat(getF(value, j));
        a = f64x2.pmax(a, f64x2.add(v128.load(p), v));
        b = f64x2.pmax(b, f64x2.add(v128.load(p, 16), v));
      }
      v128.store(to + c, a);
      v128.store(to + c, b, 16);
    }
    const t = from;
    from = to;
    to = t;
  }
  // the points take twice the room of a row: over what is no longer needed, and on
  const row = from + below;
  release(preparedEnd);
  const all = allocate(2 * (below + bytes) + (bytes << 1));
  if (all == 0) return false;
  let at = all + 2 * (below + bytes);
  densePoints = at;
  let best: f64 = -Infinity;
  const base = getF(prefixWeight, 0);
  for (let c = 0; c < cells; c++) {
    const v = getF(row, c);
    if (!(v > best)) continue;
    best = v;
    setPoint(at, base + <f64>c, v);
    at += 16;
  }
  densePointCount = <i32>((at - densePoints) >> 4);
  return true;
}
