import type { Plan } from "../joint/plan.js";
import { completions } from "../js/joint-potentials.js";
import { buildProgram, gain, type Program } from "../js/joint-program.js";
import { combinePlans } from "./devices.js";

/** A bound on every partial choice: the potentials of one vector of multipliers, and the completions that they stand for. */
export interface Guide {
  readonly multipliers: readonly number[];
  /** Sum of the budgets by the multipliers. */
  readonly budget: number;
  /** [step][state]: the best of value less weights by the multipliers from there on. */
  readonly potential: readonly Float64Array[];
  /** [step][state]: exact value of the completion; [device][step][state] its weights. */
  readonly value: readonly Float64Array[];
  readonly weights: readonly (readonly Float64Array[])[];
  readonly taken: readonly Int32Array[];
}

/** @param programs those of the plans, over the options in `allowed` */
export function guideBy(
  multipliers: readonly number[],
  plans: readonly Plan[],
  programs: readonly Program[],
  allowed: readonly Int32Array[],
  budgets: readonly number[],
): Guide {
  const program = buildProgram(combinePlans(plans, multipliers), allowed);
  const { potential, value, taken } = completions(program, { useValue: true, lambda: 1 });
  return {
    multipliers,
    budget: budgets.reduce((sum, b, d) => sum + multipliers[d]! * b, 0),
    potential,
    value,
    taken,
    weights: programs.map((p) => weightsOf(p, taken)),
  };
}

/** What completions weigh on one device. */
function weightsOf({ steps }: Program, taken: readonly Int32Array[]): Float64Array[] {
  const weights: Float64Array[] = [...steps.map((step) => new Float64Array(step.states)), new Float64Array(1)];
  for (let k = steps.length - 1; k >= 0; k--) {
    const step = steps[k]!;
    for (let s = 0; s < step.states; s++) {
      const x = taken[k]![s]!;
      weights[k]![s] = gain(step, s, x).weight + weights[k + 1]![step.next[s]! + x * step.stride]!;
    }
  }
  return weights;
}

/** No completion of a partial choice within all budgets is worth more. */
export function upperBy(
  guides: readonly Guide[],
  k: number,
  value: number,
  weights: ArrayLike<number>,
  state: number,
): number {
  let least = Number.POSITIVE_INFINITY;
  for (const guide of guides) {
    let upper = value + guide.potential[k]![state]! + guide.budget;
    for (let d = 0; d < weights.length; d++) upper -= guide.multipliers[d]! * weights[d]!;
    least = Math.min(least, upper);
  }
  return least;
}
