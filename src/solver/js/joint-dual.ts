import { backward, type Decoded, decode, type Objective, type Potentials } from "./joint-potentials.js";
import type { Program } from "./joint-program.js";

/** The Lagrangian dual in one multiplier, solved: no choice within the budget is worth more than `bound`. */
export interface Dual {
  readonly objective: Objective;
  readonly potentials: Potentials;
  readonly bound: number;
  /** The best choice within the budget that was met on the way. */
  readonly known: Decoded;
}

const maxEvaluations = 60;

/** The choice of smallest weight, of the greatest value among those the elimination sees first. */
export function lightest(program: Program): Decoded | null {
  const objective = { useValue: false, lambda: 1 };
  const potentials = backward(program, objective);
  return potentials[0]![0] === Number.NEGATIVE_INFINITY ? null : decode(program, objective, potentials);
}

/**
 * Minimises lambda * budget + max (value - lambda * weight) over lambda. The function is convex and piecewise linear: each
 * evaluation gives a line, and the next lambda is where the lines of one choice within the budget and one beyond meet.
 * Yields before each evaluation.
 * @param light a choice within the budget
 * @param expired whether to stop early, with a weaker bound
 */
export function* solveDual(
  program: Program,
  budget: number,
  light: Decoded,
  weightTotal: number,
  expired: () => boolean,
): Generator<undefined, Dual> {
  const evaluate = (lambda: number): { objective: Objective; potentials: Potentials; met: Decoded } => {
    const objective = { useValue: true, lambda };
    const potentials = backward(program, objective);
    return { objective, potentials, met: decode(program, objective, potentials) };
  };
  // So small a multiplier only breaks ties: values are integers.
  let lambda = 0.25 / (weightTotal + 1);
  let now = evaluate(lambda);
  let known = light;
  const learn = (d: Decoded): void => {
    if (d.weight <= budget && (d.value > known.value || (d.value === known.value && d.weight < known.weight)))
      known = d;
  };
  learn(now.met);
  let inside = light;
  let outside = now.met;
  let bound = now.potentials[0]![0]! + lambda * budget;
  let best = now;
  if (outside.weight > budget)
    for (let i = 0; i < maxEvaluations; i++) {
      yield;
      if (expired()) break;
      lambda = (outside.value - inside.value) / (outside.weight - inside.weight);
      if (!(lambda > 0)) break;
      now = evaluate(lambda);
      learn(now.met);
      const upper = now.potentials[0]![0]! + lambda * budget;
      if (upper < bound) {
        bound = upper;
        best = now;
      }
      const line = inside.value - lambda * inside.weight;
      // no choice above the line through both: the minimum is here
      if (now.potentials[0]![0]! <= line + 1e-9 * Math.abs(line)) break;
      if (now.met.weight <= budget) inside = now.met;
      else outside = now.met;
    }
  return { objective: best.objective, potentials: best.potentials, bound, known };
}
