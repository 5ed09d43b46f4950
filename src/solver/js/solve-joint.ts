import { type GridPoints, hullBetween } from "../frontier.js";
import type { Plan } from "../joint/plan.js";
import { impossible, type Outcome, unlimited, type Watch } from "../limits.js";
import { lightest, solveDual } from "./joint-dual.js";
import { improveLocally } from "./joint-local-search.js";
import { backward, type Completions, completions, type Decoded, decode, marginals } from "./joint-potentials.js";
import { buildProgram, gain, type Program } from "./joint-program.js";
import { tieStates } from "./solve-classes.js";

/**
 * The multipliers, relative to the dual's, whose potentials bound the labels. The far ones matter where a partial choice has
 * taken or left out something large: what is left then has a slope of its own.
 */
const multipliers = [1, 0.88, 1.04, 1.14, 0.95, 0.75, 1.35, 0.6];

/** Partial choices up to some step: by frontier state, then by rising weight and value. */
interface Labels {
  readonly weight: Float64Array;
  readonly value: Float64Array;
  readonly state: Int32Array;
  /** parent label * domain size + option */
  readonly link: Float64Array;
}

/** The best choice known: a whole one (indexes into the plan's options), or a label and the completion it was met with. */
interface Incumbent {
  value: number;
  weight: number;
  choice: Int32Array | null;
  step: number;
  label: number;
  completion: number;
}

export interface JointTotals {
  readonly valueTotal: number;
  readonly weightTotal: number;
}

/** Labels looked at between two looks at the clock: some milliseconds. */
const labelsPerSlice = 1 << 14;

/** Bytes of a label while it is a candidate (with the arrays that sort it), and of what stays of it. */
const candidateBytes = 96;
const keptBytes = 28;

/** searchJoint() in one go. */
export function solveJoint(
  plan: Plan,
  totals: JointTotals,
  budget: number,
  limits: Watch,
  memoryBytes?: number,
): Outcome {
  const search = searchJoint(plan, totals, budget, limits, memoryBytes);
  for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value;
}

/**
 * Exact solution of a problem with two-variable factors whose plan has small frontiers: the Lagrangian dual by variable
 * elimination gives a bound and a first choice, the marginals of the dual rule out options, and label setting along the
 * plan (a list of undominated weight and value per frontier state, bounded by potentials at several multipliers) closes
 * the gap.
 *
 * Yields every few milliseconds (on large programs once for each walk over the tables), and looks at the clock there.
 * @param memoryBytes what labels may take
 */
export function* searchJoint(
  plan: Plan,
  totals: JointTotals,
  givenBudget: number,
  limits: Watch,
  memoryBytes = Number.POSITIVE_INFINITY,
): Generator<undefined, Outcome> {
  const { expired } = limits;
  // more than any choice can use would only loosen the bounds
  const budget = Math.min(givenBudget, totals.weightTotal);
  const full = buildProgram(
    plan,
    plan.steps.map((step) => Int32Array.from(step.options.keys())),
  );
  const toOptions = (choice: Int32Array): Int32Array => {
    const options = new Int32Array(choice.length);
    for (let k = 0; k < choice.length; k++) options[plan.steps[k]!.variable] = plan.steps[k]!.options[choice[k]!]!;
    return options;
  };
  const light = lightest(full);
  if (light === null) return impossible;
  const answer = (status: Outcome["status"], d: Decoded, upperBound: number, states: number): Outcome => ({
    status,
    choice: toOptions(d.choice),
    value: d.value,
    weight: d.weight,
    upperBound,
    states,
  });
  if (light.weight > budget) return answer("infeasible", light, light.value, 0);

  const dual = yield* solveDual(full, budget, light, totals.weightTotal, expired);
  const known = yield* improveLocally(full, dual.known, budget, expired);
  const { lambda } = dual.objective;
  const best: Incumbent = { ...known, step: -1, label: 0, completion: 0 };
  // Rounding: each potential sums some terms per step, none larger than the totals.
  const terms = 16 + plan.steps.reduce((n, step) => n + 2 + step.edges.length, 0);
  const margin = 0.25 + terms * 2 ** -51 * (totals.valueTotal + 1.4 * lambda * totals.weightTotal);
  let exhaustive = true;
  /** Whether bounds at the budget and at the best known weight leave room for what is looked for. */
  const alive = (upper: number, upperAtBest: number): boolean =>
    upper >= best.value + 1 - margin || upperAtBest >= best.value - margin;
  const cap = (): number => (exhaustive ? best.weight : best.weight - 1);

  const upperOf = (bound: number): number => Math.max(best.value, Math.floor(bound + margin));
  yield;
  if (expired()) return answer("feasible", known, upperOf(dual.bound), 0);

  // Rule out options by what the dual says of the best choice with each.
  const allowed = marginals(full, dual.objective, dual.potentials).map((step) =>
    Int32Array.from(step.keys()).filter((x) => alive(step[x]! + lambda * budget, step[x]! + lambda * cap())),
  );
  if (allowed.some((domain) => domain.length === 0)) return answer("optimal", known, known.value, 0);
  const program = buildProgram(plan, allowed);
  const guides: Completions[] = [];
  for (const m of multipliers) {
    yield;
    if (expired()) return answer("feasible", known, upperOf(dual.bound), 0);
    guides.push(completions(program, { useValue: true, lambda: m * lambda }));
  }

  const kept: Labels[] = [];
  let current: Labels = {
    weight: new Float64Array(1),
    value: new Float64Array(1),
    state: new Int32Array(1),
    link: new Float64Array(1),
  };
  let bound = dual.bound;
  let states = 0;
  let stopped = false;
  for (let k = 0; k < program.steps.length && current.weight.length > 0; k++) {
    if (states > tieStates) exhaustive = false;
    const closeEnough = limits.gap > 0 && bound - best.value <= limits.gap * Math.abs(best.value);
    const enough = states > limits.maxStates || (closeEnough && Math.floor(bound + margin) > best.value);
    if (enough || expired()) {
      stopped = true;
      break;
    }
    const potential = guides[0]!.potential[k + 1]!;
    const through = (w: number, v: number, to: number): boolean =>
      alive(v + potential[to]! + lambda * (budget - w), v + potential[to]! + lambda * (cap() - w));
    const most = (memoryBytes - states * keptBytes) / candidateBytes;
    const candidates = yield* extendLabels(program, k, current, through, most, expired);
    if (candidates === null) {
      stopped = true;
      break;
    }
    const sorted = undominated(candidates, (a, b) => !exhaustive || smaller(plan, program, kept, k, a, b));
    yield;
    bound = Number.NEGATIVE_INFINITY;
    let n = 0;
    for (let i = 0; i < sorted.weight.length; i++) {
      const w = sorted.weight[i]!;
      const v = sorted.value[i]!;
      const state = sorted.state[i]!;
      let upper = Number.POSITIVE_INFINITY;
      let upperAtBest = Number.POSITIVE_INFINITY;
      for (let g = 0; g < guides.length; g++) {
        const guide = guides[g]!;
        const whole = v + guide.value[k + 1]![state]!;
        const wholeWeight = w + guide.weight[k + 1]![state]!;
        if (wholeWeight <= budget && (whole > best.value || (whole === best.value && wholeWeight < best.weight)))
          Object.assign(best, { value: whole, weight: wholeWeight, choice: null, step: k, label: n, completion: g });
        const p = v + guide.potential[k + 1]![state]! - guide.objective.lambda * w;
        upper = Math.min(upper, p + guide.objective.lambda * budget);
        upperAtBest = Math.min(upperAtBest, p + guide.objective.lambda * cap());
      }
      if (!alive(upper, upperAtBest) && !(best.step === k && best.label === n)) continue;
      bound = Math.max(bound, upper);
      sorted.weight[n] = w;
      sorted.value[n] = v;
      sorted.state[n] = state;
      sorted.link[n] = sorted.link[i]!;
      n++;
    }
    current = {
      weight: sorted.weight.slice(0, n),
      value: sorted.value.slice(0, n),
      state: sorted.state.slice(0, n),
      link: sorted.link.slice(0, n),
    };
    kept.push(current);
    states += n;
  }

  const found = (choice: Int32Array): Decoded => ({
    choice: choice.map((x, k) => program.steps[k]!.domain[x]!),
    value: best.value,
    weight: best.weight,
  });
  const last = kept.length - 1;
  if (!stopped && exhaustive && last === program.steps.length - 1)
    for (let i = 0; i < current.weight.length; i++)
      if (current.value[i] === best.value && current.weight[i] === best.weight)
        return answer("optimal", found(unwind(program, kept, last, i, null)), best.value, states);
  const decoded =
    best.choice !== null
      ? { choice: best.choice, value: best.value, weight: best.weight }
      : found(unwind(program, kept, best.step, best.label, guides[best.completion]!));
  return stopped ? answer("feasible", decoded, upperOf(bound), states) : answer("optimal", decoded, best.value, states);
}

/** The corners of the frontier's hull. */
export function jointHull(plan: Plan, totals: JointTotals, limits: Watch): GridPoints {
  const last = solveJoint(plan, totals, totals.weightTotal, unlimited);
  const program = buildProgram(
    plan,
    plan.steps.map((step) => Int32Array.from(step.options.keys())),
  );
  const light = lightest(program);
  if (light === null) return { weight: [], value: [], complete: true };
  return hullBetween(
    solveJoint(plan, totals, light.weight, unlimited),
    last,
    (lambda) => {
      const objective = { useValue: true, lambda };
      return decode(program, objective, backward(program, objective));
    },
    limits,
  );
}

/**
 * Every label with every option of the next variable that the test lets through; null if time is up first, or there are
 * more than `most`.
 */
function* extendLabels(
  program: Program,
  k: number,
  from: Labels,
  through: (weight: number, value: number, to: number) => boolean,
  most: number,
  expired: () => boolean,
): Generator<undefined, Labels | null> {
  const step = program.steps[k]!;
  const n = step.domain.length;
  const weight: number[] = [];
  const value: number[] = [];
  const state: number[] = [];
  const link: number[] = [];
  let looked = 0;
  for (let i = 0; i < from.weight.length; i++) {
    for (let x = 0; x < n; x++) {
      const gained = gain(step, from.state[i]!, x);
      if (gained.value === Number.NEGATIVE_INFINITY) continue;
      const w = from.weight[i]! + gained.weight;
      const v = from.value[i]! + gained.value;
      const to = step.next[from.state[i]!]! + x * step.stride;
      if (!through(w, v, to)) continue;
      weight.push(w);
      value.push(v);
      state.push(to);
      link.push(i * n + x);
    }
    looked += n;
    if (looked < labelsPerSlice) continue;
    looked = 0;
    yield;
    if (expired() || weight.length > most) return null;
  }
  return {
    weight: Float64Array.from(weight),
    value: Float64Array.from(value),
    state: Int32Array.from(state),
    link: Float64Array.from(link),
  };
}

/** Sorts labels by state and weight and drops the dominated; of equal labels the one for which `before` holds stays. */
function undominated(labels: Labels, before: (a: number, b: number) => boolean): Labels {
  const { weight, value, state, link } = labels;
  const order = Int32Array.from(weight.keys()).sort(
    (a, b) => state[a]! - state[b]! || weight[a]! - weight[b]! || value[b]! - value[a]! || a - b,
  );
  const kept: number[] = [];
  for (const i of order) {
    const top = kept.length === 0 ? -1 : kept[kept.length - 1]!;
    if (top < 0 || state[top] !== state[i] || value[i]! > value[top]!) kept.push(i);
    else if (weight[i] === weight[top] && value[i] === value[top] && !before(link[top]!, link[i]!))
      kept[kept.length - 1] = i;
  }
  return {
    weight: Float64Array.from(kept, (i) => weight[i]!),
    value: Float64Array.from(kept, (i) => value[i]!),
    state: Int32Array.from(kept, (i) => state[i]!),
    link: Float64Array.from(kept, (i) => link[i]!),
  };
}

/** Whether the partial choice behind link a, of step k, takes smaller options than that behind b, first variable first. */
function smaller(plan: Plan, program: Program, kept: readonly Labels[], k: number, a: number, b: number): boolean {
  let first = Number.POSITIVE_INFINITY;
  let result = true;
  while (true) {
    const n = program.steps[k]!.domain.length;
    if (a % n !== b % n && plan.steps[k]!.variable < first) {
      first = plan.steps[k]!.variable;
      result = a % n < b % n;
    }
    const labelA = Math.floor(a / n);
    const labelB = Math.floor(b / n);
    if (labelA === labelB || --k < 0) return result;
    a = kept[k]!.link[labelA]!;
    b = kept[k]!.link[labelB]!;
  }
}

/** The choice behind a label, completed by a guide where the label is not the last. */
function unwind(
  program: Program,
  kept: readonly Labels[],
  last: number,
  label: number,
  guide: Completions | null,
): Int32Array {
  const choice = new Int32Array(program.steps.length);
  if (guide !== null)
    for (let k = last + 1, state = kept[last]!.state[label]!; k < program.steps.length; k++) {
      const step = program.steps[k]!;
      choice[k] = guide.taken[k]![state]!;
      state = step.next[state]! + choice[k]! * step.stride;
    }
  for (let k = last; k >= 0; k--) {
    const n = program.steps[k]!.domain.length;
    const link = kept[k]!.link[label]!;
    choice[k] = link % n;
    label = Math.floor(link / n);
  }
  return choice;
}
