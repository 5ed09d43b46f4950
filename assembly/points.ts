// Lists of (weight, value) points: records of f64 weight, f64 value. A frontier is one by rising weight and value.

export const pointBytes: usize = 16;
/** Buckets of more points than this are sorted by a heap, not by insertion. */
const longBucket: i32 = 24;

@inline
export function setPoint(at: usize, w: f64, v: f64): void {
  store<f64>(at, w);
  store<f64>(at, v, 8);
}
@inline
export function weightAt(p: usize): f64 {
  return load<f64>(p);
}
@inline
export function valueAt(p: usize): f64 {
  return load<f64>(p, 8);
}
@inline
export function copyPoint(to: usize, from: usize): void {
  if (ASC_FEATURE_SIMD) v128.store(to, v128.load(from));
  else setPoint(to, weightAt(from), valueAt(from));
}

/** The first point of a frontier that is no lighter than w. */
export function firstFrom(list: usize, count: i32, w: f64): i32 {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (weightAt(list + <usize>middle * pointBytes) < w) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a point comes before another: lighter, or of equal weight and worth more. */
@inline
function before(wa: f64, va: f64, wb: f64, vb: f64): bool {
  return wa < wb || (wa == wb && va > vb);
}

function insertionSort(from: usize, end: usize): void {
  for (let p = from + pointBytes; p < end; p += pointBytes) {
    const w = weightAt(p);
    const v = valueAt(p);
    let q = p;
    while (q > from && before(w, v, weightAt(q - pointBytes), valueAt(q - pointBytes))) {
      copyPoint(q, q - pointBytes);
      q -= pointBytes;
    }
    setPoint(q, w, v);
  }
}

/** Lets the point at index i sink to its place in a heap whose top comes last. */
function sink(from: usize, count: i32, i: i32): void {
  const w = weightAt(from + <usize>i * pointBytes);
  const v = valueAt(from + <usize>i * pointBytes);
  while (2 * i + 1 < count) {
    let child = from + <usize>(2 * i + 1) * pointBytes;
    let c = 2 * i + 1;
    if (c + 1 < count) {
      const other = child + pointBytes;
      if (before(weightAt(child), valueAt(child), weightAt(other), valueAt(other))) {
        child = other;
        c++;
      }
    }
    if (!before(w, v, weightAt(child), valueAt(child))) break;
    copyPoint(from + <usize>i * pointBytes, child);
    i = c;
  }
  setPoint(from + <usize>i * pointBytes, w, v);
}

function heapSort(from: usize, count: i32): void {
  for (let i = (count >> 1) - 1; i >= 0; i--) sink(from, count, i);
  for (let n = count - 1; n > 0; n--) {
    const last = from + <usize>n * pointBytes;
    const w = weightAt(last);
    const v = valueAt(last);
    copyPoint(last, from);
    setPoint(from, w, v);
    sink(from, n, 0);
  }
}

/** Buckets for so many points: a power of two. */
@inline
function bucketsFor(count: i32): i32 {
  return 1 << max(3, min(18, 31 - clz(count | 1)));
}

/** Memory that undominated() needs beyond the points. */
export function undominatedBytes(count: i32): usize {
  return (<usize>(bucketsFor(count) + 1) << 3) + (<usize>(count + 4) << 2) + <usize>(count + 1) * pointBytes;
}

/**
 * Sorts points and drops the dominated ones. Many are: they go first, by the best value of the buckets of lighter points.
 * @param from the points, in any order; overwritten
 * @param lightest, heaviest bounds of their weights
 * @param scratch undominatedBytes(count) of memory behind them
 * @param to where the frontier goes: not behind `from`
 * @returns the number of points left
 */
export function undominated(from: usize, count: i32, lightest: f64, heaviest: f64, scratch: usize, to: usize): i32 {
  const end = from + <usize>count * pointBytes;
  const buckets = bucketsFor(count);
  // just below 1, so never past the last bucket
  const scale = 0.999999 * <f64>buckets / (heaviest - lightest + 1);
  // f64 by bucket: the best value so far; later i32: where the bucket's points go
  const table = scratch;
  const numbers = table + (<usize>(buckets + 1) << 3);
  const sorted = numbers + ((<usize>(count + 3) << 2) & ~15) + 16;
  for (let b = 0; b <= buckets; b++) store<f64>(table + (<usize>b << 3), -Infinity);
  // min and max of doubles are slow, for the sake of NaN: so comparisons
  let number = numbers;
  for (let p = from; p < end; p += pointBytes) {
    const b = <i32>((weightAt(p) - lightest) * scale);
    store<i32>(number, b);
    number += 4;
    const best = table + (<usize>b << 3);
    const known = load<f64>(best, 8);
    const v = valueAt(p);
    store<f64>(best, v > known ? v : known, 8);
  }
  let best: f64 = -Infinity;
  for (let b = 0; b <= buckets; b++) {
    const own = load<f64>(table + (<usize>b << 3));
    best = own > best ? own : best;
    store<f64>(table + (<usize>b << 3), best);
  }
  let kept = from;
  let keptNumber = numbers;
  number = numbers;
  for (let p = from; p < end; p += pointBytes) {
    const b = load<i32>(number);
    number += 4;
    const above = valueAt(p) > load<f64>(table + (<usize>b << 3));
    copyPoint(kept, p);
    store<i32>(keptNumber, b);
    kept += above ? pointBytes : 0;
    keptNumber += above ? 4 : 0;
  }
  memory.fill(table, 0, <usize>(buckets + 1) << 2);
  for (number = numbers; number < keptNumber; number += 4) {
    const place = table + (<usize>load<i32>(number) << 2);
    store<i32>(place, load<i32>(place) + 1);
  }
  let sum = 0;
  for (let b = 0; b < buckets; b++) {
    const place = table + (<usize>b << 2);
    const n = load<i32>(place);
    store<i32>(place, sum);
    sum += n;
  }
  number = numbers;
  for (let p = from; p < kept; p += pointBytes) {
    const place = table + (<usize>load<i32>(number) << 2);
    number += 4;
    const at = load<i32>(place);
    store<i32>(place, at + 1);
    copyPoint(sorted + <usize>at * pointBytes, p);
  }
  // a bucket now ends where its place points
  let start = 0;
  for (let b = 0; b < buckets; b++) {
    const stop = load<i32>(table + (<usize>b << 2));
    if (stop - start > longBucket) heapSort(sorted + <usize>start * pointBytes, stop - start);
    else if (stop - start > 1) insertionSort(sorted + <usize>start * pointBytes, sorted + <usize>stop * pointBytes);
    start = stop;
  }
  let out = to;
  let top: f64 = -Infinity;
  const sortedEnd = sorted + <usize>sum * pointBytes;
  for (let p = sorted; p < sortedEnd; p += pointBytes) {
    const v = valueAt(p);
    copyPoint(out, p);
    out += v > top ? pointBytes : 0;
    top = v > top ? v : top;
  }
  return <i32>((out - to) / pointBytes);
}
