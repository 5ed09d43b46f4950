import type { Plan } from "../joint/plan.js";
import { backward, decode, marginals } from "../js/joint-potentials.js";
import { buildProgram, gain } from "../js/joint-program.js";
import type { Watch } from "../limits.js";
import { climbWithin, excessOf, type Neighbourhoods, type Scored, scoreOn } from "./climb.js";
import { combinePlans, type Devices } from "./devices.js";
import { type Guide, guideBy, upperBy } from "./guide.js";
import { emptyLabels, type Labels, pushLabel, undominated, unwind } from "./label-lists.js";
import type { Relaxed } from "./relax.js";

/** Multipliers, relative to those of the dual, whose potentials bound the labels; with several devices also each of them tilted. */
const lengths = [1, 0.9, 1.1, 0.75, 1.35];
const tilts = [0.8, 1.25];

const evaluations = 40;

/** Labels kept in all, unless the caller allows fewer: these searches run in JavaScript. */
const mostLabels = 2_000_000;
/** Labels that one step may look at. */
const mostCandidates = 4_000_000;
const labelsPerSlice = 1 << 13;
export interface Labelled {
  readonly known: Scored | null;
  readonly bound: number;
  readonly states: number;
  /** Whether every choice was looked at or ruled out. */
  readonly complete: boolean;
}

/**
 * Closes the gap of a relaxation by label setting along a plan: lists of undominated partial choices (value and a weight for
 * each device) per frontier state, bounded by Lagrangian potentials, each completed by the choices that the potentials stand
 * for. With a plan of severed tables it must not be called.
 */
export function* searchLabels(
  devices: Devices,
  plans: readonly Plan[],
  near: Neighbourhoods,
  relaxed: Relaxed,
  watch: Watch,
): Generator<undefined, Labelled> {
  const { models, budgets } = devices;
  const count = models.length;
  const [plan] = plans as [Plan];
  let { known, states } = relaxed;
  let bound = relaxed.bound;
  const end = (complete: boolean): Labelled => ({ known, bound, states, complete });
  const learn = (found: Scored): void => {
    if (excessOf(devices, found.weights) > 0) return;
    if (known === null || found.value > known.value) known = found;
  };
  const whole = plan.steps.map((step) => Int32Array.from(step.options.keys()));

  // The dual along the relaxation's multipliers: their common length is what is left to find.
  const direction = combinePlans(plans, relaxed.multipliers);
  const program = buildProgram(direction, whole);
  const directionBudget = budgets.reduce((b, x, d) => b + relaxed.multipliers[d]! * x, 0);
  const toOptions = (choice: Int32Array): Int32Array => {
    const options = new Int32Array(choice.length);
    for (let k = 0; k < choice.length; k++) options[plan.steps[k]!.variable] = plan.steps[k]!.options[choice[k]!]!;
    return options;
  };
  let lambda = 0;
  let dual = Number.POSITIVE_INFINITY;
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let guess = models[0]!.valueTotal / Math.max(1, Math.abs(directionBudget));
  for (let i = 0; i < evaluations; i++) {
    yield;
    if (watch.expired()) return end(false);
    const objective = { useValue: true, lambda: guess };
    const potentials = backward(program, objective);
    const met = decode(program, objective, potentials);
    const upper = potentials[0]![0]! + guess * directionBudget;
    if (upper < dual) {
      dual = upper;
      lambda = guess;
    }
    if (met.weight > directionBudget) low = guess;
    else {
      high = guess;
      if (i % 4 === 0) learn(yield* climbWithin(devices, near, scoreOn(devices, toOptions(met.choice)), watch.expired));
    }
    if (met.weight === directionBudget || high - low <= 1e-9 * high) break;
    guess = high === Number.POSITIVE_INFINITY ? guess * 4 : low === 0 ? guess / 4 : (low + high) / 2;
  }
  const multipliers = relaxed.multipliers.map((m) => m * lambda);
  // Rounding: each potential sums some terms per step, none larger than the totals.
  const terms = 16 + plan.steps.reduce((n, step) => n + 2 + step.edges.length, 0);
  const sizes = models.reduce((sum, m, d) => sum + multipliers[d]! * m.weightTotal, models[0]!.valueTotal);
  const margin = 0.25 + 2 * terms * count * 2 ** -51 * 1.4 * sizes;
  bound = Math.min(bound, Math.floor(dual + margin));
  const alive = (upper: number): boolean => known === null || upper >= known.value + 1 - margin;
  if (!alive(bound)) return end(true);

  // Rule out options by what the dual says of the best choice with each.
  const objective = { useValue: true, lambda };
  const allowed = marginals(program, objective, backward(program, objective)).map((step) =>
    Int32Array.from(step.keys()).filter((x) => alive(step[x]! + lambda * directionBudget)),
  );
  if (allowed.some((domain) => domain.length === 0)) return end(true);
  const programs = plans.map((p) => buildProgram(p, allowed));
  const guides: Guide[] = [];
  const vectors = [
    ...lengths.map((l) => multipliers.map((m) => m * l)),
    ...(count === 1
      ? []
      : multipliers.flatMap((_, d) => tilts.map((t) => multipliers.map((m, i) => (i === d ? m * t : m))))),
  ];
  for (const vector of vectors) {
    yield;
    if (watch.expired()) return end(false);
    guides.push(guideBy(vector, plans, programs, allowed, budgets));
  }

  const kept: Labels[] = [];
  let current = emptyLabels(count);
  pushLabel(current, 0, new Float64Array(count), 0, 0);
  const most = Math.min(watch.maxStates, mostLabels);
  const steps = programs[0]!.steps;
  const sums = new Float64Array(count);
  for (let k = 0; k < steps.length && current.value.length > 0; k++) {
    const step = steps[k]!;
    const n = step.domain.length;
    const next = emptyLabels(count);
    let looked = 0;
    for (let i = 0; i < current.value.length; i++) {
      const from = current.state[i]!;
      for (let x = 0; x < n; x++) {
        const gained = gain(step, from, x).value;
        if (gained === Number.NEGATIVE_INFINITY) continue;
        const value = current.value[i]! + gained;
        const to = step.next[from]! + x * step.stride;
        for (let d = 0; d < count; d++)
          sums[d] = current.weights[d]![i]! + gain(programs[d]!.steps[k]!, from, x).weight;
        if (!alive(upperBy(guides, k + 1, value, sums, to))) continue;
        for (const guide of guides) {
          if (known !== null && value + guide.value[k + 1]![to]! <= known.value) continue;
          if (!guide.weights.every((w, d) => sums[d]! + w[k + 1]![to]! <= budgets[d]!)) continue;
          const choice = unwind(steps, kept, k, i * n + x, to, guide);
          learn(scoreOn(devices, toOptions(choice.map((c, s) => steps[s]!.domain[c]!))));
        }
        pushLabel(next, value, sums, to, i * n + x);
      }
      looked += n;
      if (looked < labelsPerSlice) continue;
      looked = 0;
      yield;
      if (watch.expired() || next.value.length > mostCandidates) return end(false);
    }
    let highest = Number.NEGATIVE_INFINITY;
    current = emptyLabels(count);
    for (const i of undominated(next)) {
      for (let d = 0; d < count; d++) sums[d] = next.weights[d]![i]!;
      const upper = upperBy(guides, k + 1, next.value[i]!, sums, next.state[i]!);
      if (!alive(upper)) continue;
      highest = Math.max(highest, upper);
      pushLabel(current, next.value[i]!, sums, next.state[i]!, next.link[i]!);
    }
    kept.push(current);
    states += current.value.length;
    const least: number = known === null ? Number.NEGATIVE_INFINITY : (known as Scored).value;
    bound = Math.max(least, Math.min(bound, Math.floor(highest + margin)));
    yield;
    const gap = bound - least;
    if (gap > 0 && (states > most || watch.expired() || gap <= watch.gap * Math.abs(least))) return end(false);
  }
  return end(true);
}
