import type { Model } from "../model.js";
import type { Devices } from "./devices.js";

/** A choice with its value and its weight on each device, in grid numbers. */
export interface Scored {
  readonly choice: Int32Array;
  readonly value: number;
  readonly weights: Float64Array;
}

/** A variable's tables: its own, and its pair tables seen from it (entry of options x here, y there: x * here + y * there). */
interface Neighbourhood {
  readonly value: Float64Array;
  /** By device. */
  readonly weights: readonly Float64Array[];
  readonly links: readonly {
    readonly other: number;
    readonly here: number;
    readonly there: number;
    readonly value: Float64Array | null;
    readonly weights: readonly Float64Array[];
  }[];
}

export type Neighbourhoods = readonly Neighbourhood[];

export function neighbourhoods({ models }: Devices): Neighbourhoods {
  const [first] = models as [Model];
  const links = first.values.map(() => [] as Neighbourhood["links"][number][]);
  first.pairs.forEach(({ a, b, value }, i) => {
    const columns = first.values[b]!.length;
    const weights = models.map((m) => m.pairs[i]!.weight);
    links[a]!.push({ other: b, here: columns, there: 1, value, weights });
    links[b]!.push({ other: a, here: 1, there: columns, value, weights });
  });
  return first.values.map((value, i) => ({ value, weights: models.map((m) => m.weights[i]!), links: links[i]! }));
}

/** Adds `sign` times what option x of a variable is worth and weighs beside the rest of a choice. @returns its value */
function addPart(near: Neighbourhood, choice: Int32Array, x: number, sign: number, weights: Float64Array): number {
  let value = near.value[x]!;
  for (let d = 0; d < weights.length; d++) weights[d]! += sign * near.weights[d]![x]!;
  for (const link of near.links) {
    const at = x * link.here + choice[link.other]! * link.there;
    if (link.value !== null) value += link.value[at]!;
    for (let d = 0; d < weights.length; d++) weights[d]! += sign * link.weights[d]![at]!;
  }
  return sign * value;
}

/** Weights are NaN where the choice takes a forbidden entry. */
export function scoreOn({ models }: Devices, choice: Int32Array): Scored {
  const [first] = models as [Model];
  let value = 0;
  const weights = new Float64Array(models.length);
  for (let i = 0; i < choice.length; i++) {
    value += first.values[i]![choice[i]!]!;
    for (let d = 0; d < models.length; d++) weights[d]! += models[d]!.weights[i]![choice[i]!]!;
  }
  first.pairs.forEach((pair, p) => {
    const at = choice[pair.a]! * first.values[pair.b]!.length + choice[pair.b]!;
    if (pair.value !== null) value += pair.value[at]!;
    for (let d = 0; d < models.length; d++) weights[d]! += models[d]!.pairs[p]!.weight[at]!;
  });
  return { choice, value, weights };
}

/** By how much weights pass the budgets, each relative to its device's total. Zero: within all. */
export function excessOf({ models, budgets }: Devices, weights: ArrayLike<number>): number {
  let excess = 0;
  for (let d = 0; d < budgets.length; d++) {
    const over = weights[d]! - budgets[d]!;
    if (over > 0) excess += over / models[d]!.weightTotal;
  }
  return excess;
}

/**
 * Changes one variable at a time: to less excess until all budgets are met, then to greater value within them. The choice
 * must take no forbidden entry. It may end outside a budget. Yields before each change.
 */
export function* climbWithin(
  devices: Devices,
  near: Neighbourhoods,
  from: Scored,
  expired: () => boolean,
): Generator<undefined, Scored> {
  const choice = Int32Array.from(from.choice);
  let now = scoreOn(devices, choice);
  let excess = excessOf(devices, now.weights);
  while (!expired()) {
    yield;
    let best = { i: -1, x: 0, value: now.value, excess };
    for (let i = 0; i < choice.length; i++) {
      const without = Float64Array.from(now.weights);
      const rest = now.value + addPart(near[i]!, choice, choice[i]!, -1, without);
      for (let x = 0; x < near[i]!.value.length; x++) {
        if (x === choice[i]) continue;
        const weights = Float64Array.from(without);
        const value = rest + addPart(near[i]!, choice, x, 1, weights);
        if (weights.some(Number.isNaN)) continue;
        const over = excessOf(devices, weights);
        if (over < best.excess || (over === 0 && best.excess === 0 && value > best.value))
          best = { i, x, value, excess: over };
      }
    }
    if (best.i < 0) break;
    choice[best.i] = best.x;
    now = scoreOn(devices, choice);
    excess = excessOf(devices, now.weights);
  }
  return now;
}
