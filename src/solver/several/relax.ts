import type { Backend } from "../backend.js";
import type { Watch } from "../limits.js";
import { climbWithin, excessOf, type Neighbourhoods, type Scored, scoreOn } from "./climb.js";
import { combineModels, type Devices } from "./devices.js";

/** What solving for one budget after the other, and for sums of them, came to. */
export interface Relaxed {
  /** Proven that no choice meets all budgets. */
  readonly infeasible: boolean;
  /** The best choice within all budgets that was met. */
  readonly known: Scored | null;
  /** The choice that passes the budgets least, of those met; null if every choice is forbidden. */
  readonly nearest: Scored | null;
  /** No choice within all budgets is worth more, in grid numbers. */
  readonly bound: number;
  /** The multipliers of the least bound: how much each device's weight counts. */
  readonly multipliers: readonly number[];
  readonly states: number;
}

const rounds = 24;
/** Of the states that the caller allows, those that one sum of budgets may take. */
const shareOfStates = 1 / 64;

/**
 * Minimises the surrogate bound: with the budgets summed by multipliers the problem is one of a single budget, which the
 * backend solves exactly, and its optimum is a bound (Glover 1968; Karwan and Rardin 1979). Each device alone comes first,
 * which is all that it takes where one budget alone is binding. After that multipliers move towards the budget that
 * the last choice passes most, by ever smaller factors; a choice within all budgets is the optimum.
 * Each choice on the way is led within all budgets by changing one variable at a time.
 */
export function* relax(
  devices: Devices,
  near: Neighbourhoods,
  backend: Backend,
  watch: Watch,
): Generator<undefined, Relaxed> {
  const { models, budgets } = devices;
  const { expired } = watch;
  const count = models.length;
  // multipliers of weights of comparable size
  const size = models.map((m) => Math.max(1, m.weightTotal));
  let known: Scored | null = null;
  let nearest: Scored | null = null;
  let bound = Number.POSITIVE_INFINITY;
  let multipliers = size.map((s) => 1 / s);
  let states = 0;
  const limits: Watch = { ...watch, gap: 0, maxStates: Math.ceil(watch.maxStates * shareOfStates) };
  const answer = (infeasible = false): Relaxed => ({ infeasible, known, nearest, bound, multipliers, states });

  function learn(found: Scored): void {
    const excess = excessOf(devices, found.weights);
    if (excess === 0 && (known === null || found.value > known.value)) known = found;
    if (nearest === null || excess < excessOf(devices, nearest.weights)) nearest = found;
  }

  /** The excess of each budget by the best choice for a sum of them; null where that is the end. */
  function* attempt(m: readonly number[]): Generator<undefined, number[] | null> {
    const { model, budget } = combineModels(devices, m);
    const problem = backend.prepare(model);
    const outcome =
      problem.slices === undefined ? problem.solve(budget, limits) : yield* problem.slices(budget, limits);
    states += outcome.states;
    if (outcome.status === "infeasible") {
      bound = Number.NEGATIVE_INFINITY;
      if (outcome.choice !== null) learn(yield* climbWithin(devices, near, scoreOn(devices, outcome.choice), expired));
      return null;
    }
    const upper = outcome.status === "optimal" ? outcome.value : outcome.upperBound;
    if (upper < bound) {
      bound = upper;
      multipliers = [...m];
    }
    if (outcome.choice === null) return null;
    const met = scoreOn(devices, outcome.choice);
    const done = outcome.status === "optimal" && excessOf(devices, met.weights) === 0;
    learn(done ? met : yield* climbWithin(devices, near, met, expired));
    return Array.from(met.weights, (w, d) => (w - budgets[d]!) / size[d]!);
  }

  for (let d = 0; d < count; d++) {
    const excess = yield* attempt(size.map((s, i) => (i === d ? 1 / s : 0)));
    if (bound === Number.NEGATIVE_INFINITY) return answer(true);
    if (excess === null || isProven() || expired()) return answer();
  }
  const share = size.map(() => 1);
  let step = Math.log(4);
  let last = -1;
  for (let round = 0; count > 1 && round < rounds; round++) {
    yield;
    const excess = yield* attempt(share.map((x, d) => x / size[d]!));
    if (bound === Number.NEGATIVE_INFINITY) return answer(true);
    if (excess === null || isProven() || expired()) break;
    const worst = excess.indexOf(Math.max(...excess));
    if (last >= 0 && worst !== last) step /= 2;
    share[worst]! *= Math.exp(step);
    last = worst;
  }
  return answer();

  function isProven(): boolean {
    if (known === null) return false;
    return known.value >= bound || bound - known.value <= watch.gap * Math.abs(known.value);
  }
}
