import type { BackendProblem } from "../backend.js";
import type { Outcome, Watch } from "../limits.js";
import type { Model } from "../model.js";

interface Scored {
  readonly choice: Int32Array;
  readonly value: number;
  readonly weight: number;
}

/** A variable's tables: its own, and its pair tables seen from it (entry of options x here, y there: x * here + y * there). */
interface Neighbourhood {
  readonly value: Float64Array;
  readonly weight: Float64Array;
  readonly links: readonly {
    readonly other: number;
    readonly here: number;
    readonly there: number;
    readonly value: Float64Array | null;
    readonly weight: Float64Array;
  }[];
}

function neighbourhoods(model: Model): readonly Neighbourhood[] {
  const links = model.values.map(() => [] as Neighbourhood["links"][number][]);
  for (const { a, b, value, weight } of model.pairs) {
    const columns = model.values[b]!.length;
    links[a]!.push({ other: b, here: columns, there: 1, value, weight });
    links[b]!.push({ other: a, here: 1, there: columns, value, weight });
  }
  return model.values.map((value, i) => ({ value, weight: model.weights[i]!, links: links[i]! }));
}

/** What option x of variable i is worth and weighs beside the rest of a choice; weight NaN where that is forbidden. */
function part({ value, weight, links }: Neighbourhood, choice: Int32Array, x: number): { v: number; w: number } {
  let v = value[x]!;
  let w = weight[x]!;
  for (const link of links) {
    const at = x * link.here + choice[link.other]! * link.there;
    w += link.weight[at]!;
    if (link.value !== null) v += link.value[at]!;
  }
  return { v, w };
}

function score(model: Model, choice: Int32Array): Scored {
  let value = 0;
  let weight = 0;
  for (let i = 0; i < choice.length; i++) {
    value += model.values[i]![choice[i]!]!;
    weight += model.weights[i]![choice[i]!]!;
  }
  for (const pair of model.pairs) {
    const at = choice[pair.a]! * model.values[pair.b]!.length + choice[pair.b]!;
    weight += pair.weight[at]!;
    if (pair.value !== null) value += pair.value[at]!;
  }
  return { choice, value, weight };
}

/**
 * Changes one variable at a time: first away from forbidden entries, then to lower weight until the budget is met, then to
 * greater value within it. Null if it ends outside the budget. Yields before each change; once time is up it only sees to
 * the budget, in the quickest way.
 */
function* climb(
  model: Model,
  near: readonly Neighbourhood[],
  from: Int32Array,
  budget: number,
  watch: Watch,
): Generator<undefined, Scored | null> {
  const choice = Int32Array.from(from);
  const forbidden = (i: number, x: number): number =>
    near[i]!.links.reduce(
      (n, link) => n + (Number.isNaN(link.weight[x * link.here + choice[link.other]! * link.there]!) ? 1 : 0),
      Number.isNaN(near[i]!.weight[x]!) ? 1 : 0,
    );
  for (let round = 0, changed = true; changed && round < choice.length; round++) {
    changed = false;
    for (let i = 0; i < choice.length; i++) {
      let least = forbidden(i, choice[i]!);
      for (let x = 0; least > 0 && x < near[i]!.value.length; x++) {
        const n = forbidden(i, x);
        if (n >= least) continue;
        least = n;
        choice[i] = x;
        changed = true;
      }
    }
  }
  let { value, weight } = score(model, choice);
  if (Number.isNaN(weight)) return null;
  while (true) {
    yield;
    if (watch.expired()) break;
    let best = { i: -1, x: 0, value, weight };
    for (let i = 0; i < choice.length; i++) {
      const now = part(near[i]!, choice, choice[i]!);
      for (let x = 0; x < near[i]!.value.length; x++) {
        const then = part(near[i]!, choice, x);
        const v = value - now.v + then.v;
        const w = weight - now.w + then.w;
        if (Number.isNaN(w)) continue;
        const better =
          best.weight > budget
            ? w < best.weight
            : w <= budget && (v > best.value || (v === best.value && w < best.weight));
        if (better) best = { i, x, value: v, weight: w };
      }
    }
    if (best.i < 0) break;
    choice[best.i] = best.x;
    value = best.value;
    weight = best.weight;
  }
  for (let round = 0; weight > budget && round < hastyRounds; round++) {
    for (let i = 0; i < choice.length; i++) choice[i] = lightestBeside(near[i]!, choice, choice[i]!);
    const lighter = score(model, choice);
    if (!(lighter.weight < weight)) break;
    ({ value, weight } = lighter);
  }
  return weight <= budget ? { choice, value, weight } : null;
}

/** Walks over all variables that an expired search still takes to get within the budget. */
const hastyRounds = 8;

/** The option that weighs least beside the rest of a choice; the one it has, where none is lighter. */
function lightestBeside(near: Neighbourhood, choice: Int32Array, now: number): number {
  let best = now;
  let least = part(near, choice, now).w;
  for (let x = 0; x < near.value.length; x++) {
    const { w } = part(near, choice, x);
    if (!(w < least)) continue;
    best = x;
    least = w;
  }
  return best;
}

/**
 * Answers for a problem whose plan is only a relaxation of it: the relaxation's bound, and the best choice that local search
 * finds from the relaxation's. Optimal where the two meet. Yields as it goes.
 */
function* searchWide(model: Model, relaxation: Outcome, budget: number, watch: Watch): Generator<undefined, Outcome> {
  const { states } = relaxation;
  if (relaxation.status === "infeasible")
    return { status: "infeasible", choice: null, value: 0, weight: Number.NaN, upperBound: 0, states };
  const near = neighbourhoods(model);
  const lightest = Int32Array.from(model.weights, (w) =>
    w.reduce((best, x, i) => (Number.isNaN(w[best]!) || x < w[best]! ? i : best), 0),
  );
  let best: Scored | null = null;
  for (const start of [relaxation.choice!, lightest]) {
    const found = yield* climb(model, near, start, budget, watch);
    if (found !== null && (best === null || found.value > best.value)) best = found;
  }
  if (best === null)
    return { status: "unknown", choice: null, value: 0, weight: 0, upperBound: relaxation.upperBound, states };
  const proven = best.value >= relaxation.upperBound;
  return {
    ...best,
    status: proven ? "optimal" : "feasible",
    upperBound: proven ? best.value : relaxation.upperBound,
    states,
  };
}

/** The relaxation's own proof is not worth more states than this. */
const relaxationStates = 100_000;

/** A problem solved through its relaxation. */
export function widened(model: Model, relaxation: BackendProblem): BackendProblem {
  const relaxed = (limits: Watch): Watch => ({ ...limits, maxStates: Math.min(limits.maxStates, relaxationStates) });
  return {
    memoryBytes: relaxation.memoryBytes,
    solve(budget, limits) {
      const search = searchWide(model, relaxation.solve(budget, relaxed(limits)), budget, limits);
      for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value;
    },
    *slices(budget, limits) {
      const outcome = yield* relaxation.slices!(budget, relaxed(limits));
      return yield* searchWide(model, outcome, budget, limits);
    },
  };
}
