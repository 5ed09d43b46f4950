import type { Program, ProgramStep } from "./joint-program.js";

/** What is maximised: value * (0 or 1) - lambda * weight. With useValue false and lambda 1, the lightest choice. */
export interface Objective {
  readonly useValue: boolean;
  readonly lambda: number;
}

/** potentials[k][state]: the best objective of steps k and later, given the frontier before step k. */
export type Potentials = readonly Float64Array[];

/** The objective of a step's tables. Forbidden entries come out as -Infinity. */
function price(value: Float64Array, weight: Float64Array, { useValue, lambda }: Objective): Float64Array {
  const out = new Float64Array(value.length);
  for (let i = 0; i < out.length; i++) {
    const v = value[i]!;
    out[i] = (useValue || v === Number.NEGATIVE_INFINITY ? v : 0) - lambda * weight[i]!;
  }
  return out;
}

/** Calls visit with the objective row over x of every frontier state of a step. */
function forEachRow(step: ProgramStep, objective: Objective, visit: (state: number, row: Float64Array) => void): void {
  const n = step.domain.length;
  const own = price(step.value, step.weight, objective);
  const tables = step.edges.map((edge) => price(edge.value, edge.weight, objective));
  const row = new Float64Array(n);
  for (let s = 0; s < step.states; s++) {
    row.set(own);
    for (let e = 0; e < tables.length; e++) {
      const table = tables[e]!;
      const from = step.edges[e]!.row[s]! * n;
      for (let x = 0; x < n; x++) row[x]! += table[from + x]!;
    }
    visit(s, row);
  }
}

/** Variable elimination from the last step back, in (max, +). */
export function backward(program: Program, objective: Objective): Potentials {
  const potentials: Float64Array[] = new Array(program.steps.length + 1);
  let after: Float64Array = new Float64Array(1);
  potentials[program.steps.length] = after;
  for (let k = program.steps.length - 1; k >= 0; k--) {
    const step = program.steps[k]!;
    const before = new Float64Array(step.states);
    forEachRow(step, objective, (s, row) => {
      let best = Number.NEGATIVE_INFINITY;
      let to = step.next[s]!;
      for (let x = 0; x < row.length; x++, to += step.stride) best = Math.max(best, row[x]! + after[to]!);
      before[s] = best;
    });
    potentials[k] = before;
    after = before;
  }
  return potentials;
}

/**
 * The best objective of any choice that takes option x of step k: result[k][x]. Needs the potentials of the same objective.
 */
export function marginals(program: Program, objective: Objective, potentials: Potentials): readonly Float64Array[] {
  let reached: Float64Array = new Float64Array(1);
  return program.steps.map((step, k) => {
    const after = potentials[k + 1]!;
    const forward = new Float64Array(after.length).fill(Number.NEGATIVE_INFINITY);
    const best = new Float64Array(step.domain.length).fill(Number.NEGATIVE_INFINITY);
    forEachRow(step, objective, (s, row) => {
      let to = step.next[s]!;
      for (let x = 0; x < row.length; x++, to += step.stride) {
        const here = reached[s]! + row[x]!;
        if (here > forward[to]!) forward[to] = here;
        if (here + after[to]! > best[x]!) best[x] = here + after[to]!;
      }
    });
    reached = forward;
    return best;
  });
}

/** The choice (an index into each step's domain) that the potentials lead to, with its exact value and weight. */
export interface Decoded {
  readonly choice: Int32Array;
  readonly value: number;
  readonly weight: number;
}

export function decode(program: Program, objective: Objective, potentials: Potentials): Decoded {
  const choice = new Int32Array(program.steps.length);
  let value = 0;
  let weight = 0;
  let state = 0;
  program.steps.forEach((step, k) => {
    const n = step.domain.length;
    const after = potentials[k + 1]!;
    let best = Number.NEGATIVE_INFINITY;
    let taken = 0;
    let gained = { value: 0, weight: 0 };
    for (let x = 0; x < n; x++) {
      let v = step.value[x]!;
      let w = step.weight[x]!;
      for (const edge of step.edges) {
        v += edge.value[edge.row[state]! * n + x]!;
        w += edge.weight[edge.row[state]! * n + x]!;
      }
      if (v === Number.NEGATIVE_INFINITY) continue;
      const total = (objective.useValue ? v : 0) - objective.lambda * w + after[step.next[state]! + x * step.stride]!;
      if (total > best) {
        best = total;
        taken = x;
        gained = { value: v, weight: w };
      }
    }
    choice[k] = taken;
    value += gained.value;
    weight += gained.weight;
    state = step.next[state]! + taken * step.stride;
  });
  return { choice, value, weight };
}

/** Whole completions: for every frontier state, exact value and weight of the choice the objective prefers from there on. */
export interface Completions {
  readonly objective: Objective;
  readonly potential: Potentials;
  readonly value: readonly Float64Array[];
  readonly weight: readonly Float64Array[];
  readonly taken: readonly Int32Array[];
}

/** As backward(), with the completion that each potential stands for. */
export function completions(program: Program, objective: Objective): Completions {
  const count = program.steps.length;
  const potential: Float64Array[] = new Array(count + 1);
  const value: Float64Array[] = new Array(count + 1);
  const weight: Float64Array[] = new Array(count + 1);
  const taken: Int32Array[] = new Array(count);
  potential[count] = new Float64Array(1);
  value[count] = new Float64Array(1);
  weight[count] = new Float64Array(1);
  for (let k = count - 1; k >= 0; k--) {
    const step = program.steps[k]!;
    const n = step.domain.length;
    potential[k] = new Float64Array(step.states).fill(Number.NEGATIVE_INFINITY);
    value[k] = new Float64Array(step.states).fill(Number.NEGATIVE_INFINITY);
    weight[k] = new Float64Array(step.states).fill(Number.POSITIVE_INFINITY);
    taken[k] = new Int32Array(step.states);
    forEachRow(step, objective, (s, row) => {
      let best = Number.NEGATIVE_INFINITY;
      let at = -1;
      for (let x = 0; x < n; x++) {
        const total = row[x]! + potential[k + 1]![step.next[s]! + x * step.stride]!;
        if (total > best) {
          best = total;
          at = x;
        }
      }
      if (at < 0) return;
      const to = step.next[s]! + at * step.stride;
      let v = step.value[at]!;
      let w = step.weight[at]!;
      for (const edge of step.edges) {
        v += edge.value[edge.row[s]! * n + at]!;
        w += edge.weight[edge.row[s]! * n + at]!;
      }
      potential[k]![s] = best;
      value[k]![s] = v + value[k + 1]![to]!;
      weight[k]![s] = w + weight[k + 1]![to]!;
      taken[k]![s] = at;
    });
  }
  return { objective, potential, value, weight, taken };
}
