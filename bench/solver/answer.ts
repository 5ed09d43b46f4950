import { type Problem, type Solution, scoreChoice, verify } from "../../src/solver/index.js";

/** What a contender says, in its own numbers. */
export interface Answer {
  /** `unfinished`: a limit stopped it; `optimal` is its claim, not yet believed. */
  readonly status: "optimal" | "feasible" | "infeasible" | "unfinished";
  /** The value it states; NaN where it states none. */
  readonly value: number;
  /** The option of each variable, in the problem's order; null where it gives none. */
  readonly choice: readonly number[] | null;
  /** halp's own whole answer, to be checked by `verify` as well. */
  readonly solution?: Solution;
}

/** An answer scored from the problem's own tables, by code that no contender shares. */
export interface Checked {
  readonly status: Answer["status"];
  /** What the choice is worth, and takes; NaN without a choice. */
  readonly value: number;
  readonly latency: number;
  /** Between its value and its own upper bound, relative; null where it states no bound. */
  readonly gap: number | null;
  /** What is wrong with it; null where nothing is. */
  readonly wrong: string | null;
}

/** How far sums and stated values may be off, relative: floating-point solvers state theirs to some seven digits. */
const statedTolerance = 1e-6;
/** How far a choice may exceed the budget, relative: rounding of the sum alone. */
const budgetTolerance = 1e-12;

/** Checks a claim: every option legal, within the budget, worth what was stated. It cannot tell whether it is the best. */
export function checkAnswer(problem: Problem, budget: number, answer: Answer): Checked {
  const { status, choice } = answer;
  const gap = answer.solution?.gap ?? null;
  try {
    if (answer.solution !== undefined) verify(problem, answer.solution, budget);
    if (status === "infeasible" || choice === null) {
      const wrong = status === "optimal" || status === "feasible" ? "no choice given" : null;
      return { status, value: Number.NaN, latency: Number.NaN, gap, wrong };
    }
    const named = Object.fromEntries(problem.variables.map((v, i) => [v.name, choice[i]!]));
    const { value, latency } = scoreChoice(problem, named);
    let wrong: string | null = null;
    if (latency > budget + budgetTolerance * Math.abs(budget)) wrong = `over the budget: ${latency} > ${budget}`;
    else if (Math.abs(answer.value - value) > statedTolerance * Math.max(1, Math.abs(value)))
      wrong = `states ${answer.value} for a choice worth ${value}`;
    return { status, value, latency, gap, wrong };
  } catch (error) {
    return { status, value: Number.NaN, latency: Number.NaN, gap, wrong: error instanceof Error ? error.message : "?" };
  }
}
