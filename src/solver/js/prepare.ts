import type { Classes } from "../classes.js";

/**
 * Classes ready for solving under any budget. In each class only undominated items are left, by rising weight and value;
 * `hull` holds those on the upper convex hull, and the increments from one hull item to the next, over all classes, are
 * sorted by falling slope: taken in this order they are the linear relaxation (Dyer 1984, Zemel 1984).
 */
export interface Prepared {
  readonly count: number;
  /** Undominated items of class l: itemStart[l] .. itemStart[l + 1] - 1. */
  readonly itemStart: Int32Array;
  readonly weight: Float64Array;
  readonly value: Float64Array;
  readonly option: Int32Array;
  /** Hull items of class l: hull[hullStart[l]] .. hull[hullStart[l + 1] - 1], each an item. */
  readonly hullStart: Int32Array;
  readonly hull: Int32Array;
  /** The sorted increments: class, weight, value, slope. */
  readonly increments: number;
  readonly incrementClass: Int32Array;
  readonly incrementWeight: Float64Array;
  readonly incrementValue: Float64Array;
  readonly slope: Float64Array;
  /** Weight and value of all lightest items with the first i increments. */
  readonly prefixWeight: Float64Array;
  readonly prefixValue: Float64Array;
  /** More than the rounding error of any bound computed in doubles, in grid numbers of value. */
  readonly margin: number;
}

/** Sorts the item numbers of one class by weight, then option. */
function byWeight(classes: Classes, from: number, to: number): Int32Array {
  const items = Int32Array.from({ length: to - from }, (_, k) => from + k);
  const { weight } = classes;
  for (let k = from + 1; k < to; k++)
    if (weight[k]! < weight[k - 1]!) return items.sort((a, b) => weight[a]! - weight[b]! || a - b);
  return items;
}

/** Prepares classes, none of which is empty. O(N log N). */
export function prepareClasses(classes: Classes): Prepared {
  const { count } = classes;
  const size = classes.value.length;
  const itemStart = new Int32Array(count + 1);
  const weight = new Float64Array(size);
  const value = new Float64Array(size);
  const option = new Int32Array(size);
  const hullStart = new Int32Array(count + 1);
  const hull = new Int32Array(size);
  const hullSlope = new Float64Array(size);
  let items = 0;
  let hulls = 0;
  for (let l = 0; l < count; l++) {
    itemStart[l] = items;
    for (const j of byWeight(classes, classes.offset[l]!, classes.offset[l + 1]!)) {
      const v = classes.value[j]!;
      const w = classes.weight[j]!;
      if (items > itemStart[l]!) {
        // Of equal items the one of smaller option came first and stays.
        if (v <= value[items - 1]!) continue;
        if (w === weight[items - 1]!) items--;
      }
      weight[items] = w;
      value[items] = v;
      option[items] = classes.option[j]!;
      items++;
    }
    const first = hulls;
    hullStart[l] = first;
    hull[hulls++] = itemStart[l]!;
    for (let j = itemStart[l]! + 1; j < items; j++) {
      // Slopes are compared as computed, so that along a class they fall strictly and the sort below cannot disorder them.
      let slope = slopeBetween(hull[hulls - 1]!, j);
      while (hulls - first > 1 && slope >= hullSlope[hulls - 1]!) {
        hulls--;
        slope = slopeBetween(hull[hulls - 1]!, j);
      }
      hullSlope[hulls] = slope;
      hull[hulls++] = j;
    }
  }
  itemStart[count] = items;
  hullStart[count] = hulls;

  function slopeBetween(a: number, b: number): number {
    return (value[b]! - value[a]!) / (weight[b]! - weight[a]!);
  }

  const increments = hulls - count;
  const order = new Int32Array(increments);
  const classOfHull = new Int32Array(hulls);
  for (let l = 0, n = 0; l < count; l++)
    for (let h = hullStart[l]!; h < hullStart[l + 1]!; h++) {
      classOfHull[h] = l;
      if (h > hullStart[l]!) order[n++] = h;
    }
  order.sort((a, b) => hullSlope[b]! - hullSlope[a]! || a - b);
  const incrementClass = new Int32Array(increments);
  const incrementWeight = new Float64Array(increments);
  const incrementValue = new Float64Array(increments);
  const slope = new Float64Array(increments);
  const prefixWeight = new Float64Array(increments + 1);
  const prefixValue = new Float64Array(increments + 1);
  for (let l = 0; l < count; l++) {
    prefixWeight[0]! += weight[itemStart[l]!]!;
    prefixValue[0]! += value[itemStart[l]!]!;
  }
  for (let i = 0; i < increments; i++) {
    const h = order[i]!;
    incrementClass[i] = classOfHull[h]!;
    incrementWeight[i] = weight[hull[h]!]! - weight[hull[h - 1]!]!;
    incrementValue[i] = value[hull[h]!]! - value[hull[h - 1]!]!;
    slope[i] = hullSlope[h]!;
    prefixWeight[i + 1] = prefixWeight[i]! + incrementWeight[i]!;
    prefixValue[i + 1] = prefixValue[i]! + incrementValue[i]!;
  }
  return {
    count,
    itemStart,
    weight: weight.subarray(0, items),
    value: value.subarray(0, items),
    option: option.subarray(0, items),
    hullStart,
    hull: hull.subarray(0, hulls),
    increments,
    incrementClass,
    incrementWeight,
    incrementValue,
    slope,
    prefixWeight,
    prefixValue,
    margin: 0.25 + classes.valueTotal * 2 ** -48,
  };
}
