// Stable sorts of index lists by a key in doubles.
import { getF, getI, setI } from "./memory";

const runLength: i32 = 12;
const buckets: i32 = 512;

/** Sorts list[from .. to) by rising key, in place. For short or nearly sorted lists. */
export function insertionSort(key: usize, list: usize, from: i32, to: i32): void {
  for (let i = from + 1; i < to; i++) {
    const x = getI(list, i);
    const k = getF(key, x);
    let j = i - 1;
    while (j >= from && getF(key, getI(list, j)) > k) {
      setI(list, j + 1, getI(list, j));
      j--;
    }
    setI(list, j + 1, x);
  }
}

/** Sorts list[0 .. n) by rising key, in place; `spare` has room for n. */
export function mergeSort(key: usize, list: usize, spare: usize, n: i32): void {
  for (let s = 0; s < n; s += runLength) insertionSort(key, list, s, min(s + runLength, n));
  let from = list;
  let to = spare;
  for (let width = runLength; width < n; width *= 2) {
    for (let s = 0; s < n; s += 2 * width) {
      const middle = min(s + width, n);
      const end = min(s + 2 * width, n);
      let i = s;
      let j = middle;
      let o = s;
      while (i < middle && j < end) {
        const x = getI(from, i);
        const y = getI(from, j);
        if (getF(key, x) <= getF(key, y)) {
          setI(to, o++, x);
          i++;
        } else {
          setI(to, o++, y);
          j++;
        }
      }
      while (i < middle) setI(to, o++, getI(from, i++));
      while (j < end) setI(to, o++, getI(from, j++));
    }
    const t = from;
    from = to;
    to = t;
  }
  if (from != list) memory.copy(list, from, <usize>n << 2);
}

/** Bytes of `counts` that sortFalling needs. */
export const countBytes: usize = <usize>(buckets + 1) << 2;

/**
 * Fills list with 0 .. n - 1 by falling key, equal keys by rising number. Keys are positive: their bits order them, and
 * the leading bits of their range make buckets that hold a few each unless the keys are strange; big buckets are merge-sorted.
 * `spare` has room for n. Reverses keys in place to their negatives.
 */
export function sortFalling(key: usize, list: usize, spare: usize, counts: usize, n: i32): void {
  if (n == 0) return;
  let low: u64 = u64.MAX_VALUE;
  let high: u64 = 0;
  for (let i = 0; i < n; i++) {
    const bits = load<u64>(key + (<usize>i << 3));
    low = min(low, bits);
    high = max(high, bits);
  }
  let shift: u64 = 0;
  while ((high - low) >> shift >= <u64>buckets) shift++;
  memory.fill(counts, 0, countBytes);
  for (let i = 0; i < n; i++) {
    const b = <i32>((high - load<u64>(key + (<usize>i << 3))) >> shift) + 1;
    setI(counts, b, getI(counts, b) + 1);
  }
  for (let b = 0; b < buckets; b++) setI(counts, b + 1, getI(counts, b) + getI(counts, b + 1));
  for (let i = 0; i < n; i++) {
    const at = key + (<usize>i << 3);
    const b = <i32>((high - load<u64>(at)) >> shift);
    const place = getI(counts, b);
    setI(counts, b, place + 1);
    setI(list, place, i);
    store<f64>(at, -load<f64>(at));
  }
  // counts[b] is now the end of bucket b
  let from = 0;
  for (let b = 0; b < buckets; b++) {
    const to = getI(counts, b);
    if (to - from > 24) mergeSort(key, list + (<usize>from << 2), spare, to - from);
    else if (to - from > 1) insertionSort(key, list, from, to);
    from = to;
  }
}
