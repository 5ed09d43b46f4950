/** halp's solver against HiGHS, on problems too large for trying every choice. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../../bench/solver/answer.js";
import { type Child, spawnChild } from "../../src/runtime/index.js";
import { type Factor, type Problem, scoreChoice, solve, verify } from "../../src/solver/index.js";
import { randomFrom } from "../solver/random-problem.js";

export interface Differential {
  readonly problems: number;
  /** With two-variable factors. */
  readonly joint: number;
  /** Where both say that nothing fits the budget. */
  readonly infeasible: number;
  /** That HiGHS did not end within the time; halp's answer is not held against anything then. */
  readonly givenUp: number;
  /** What is wrong, with the number of the problem. */
  readonly wrong: readonly string[];
}

/** HiGHS is begun anew after so many: its memory only grows. */
const perProcess = 200;
/** Problems between two lines that tell how far it is. */
const perLine = 200;
/** Most take some milliseconds; a few never end, and HiGHS's own limit does not stop them. */
const giveUpMs = 10_000;

/** HiGHS, in processes that are begun anew as needed. */
class Highs implements Disposable {
  #child: Child | undefined;
  #solved = 0;

  /** Undefined where it does not end. */
  async solve(problem: Problem, budget: number): Promise<Answer | undefined> {
    if (this.#solved++ % perProcess === 0) this[Symbol.dispose]();
    this.#child ??= spawnChild(new URL("./highs-child.js", import.meta.url));
    const controller = new AbortController();
    const answer = this.#child.request<Answer>("solve", { problem, budget });
    const first = await Promise.race([answer, sleep(giveUpMs, undefined, { signal: controller.signal })]);
    controller.abort();
    if (first === undefined) {
      answer.catch(() => {});
      this[Symbol.dispose]();
    }
    return first;
  }

  [Symbol.dispose](): void {
    this.#child?.dispose();
    this.#child = undefined;
  }
}

/**
 * Problem number `seed`: 6 to 20 variables of 2 to 10 options each with one-variable factors, or 4 to 9 of 2 to 5 with pairs
 * along a chain and across it. Whole numbers below a thousand, some negative, some entries forbidden.
 */
export function mediumProblem(seed: number): { readonly problem: Problem; readonly budget: number } {
  const random = randomFrom(seed * 7919 + 5);
  const integer = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const joint = seed % 2 === 0;
  const count = joint ? integer(4, 9) : integer(6, 20);
  const least = random() < 0.2 ? -200 : 0;
  const forbidden = random() < 0.3 ? 0.1 : 0;
  const entry = (): number | null => (random() < forbidden ? null : integer(least, 999));
  const rising = random() < 0.6;
  const table = (length: number): (number | null)[] => {
    const numbers = Array.from({ length }, entry);
    return rising ? numbers.sort((a, b) => (a ?? 0) - (b ?? 0)) : numbers;
  };
  const variables = Array.from({ length: count }, (_, i) => {
    const values = Array.from({ length: joint ? integer(2, 5) : integer(2, 10) }, () => integer(least, 999));
    return { name: `v${i}`, values: rising ? values.sort((a, b) => a - b) : values };
  });
  const factors: Factor[] = variables.map(({ name, values }) => ({ variables: [name], latency: table(values.length) }));
  const pair = (a: number, b: number): void => {
    const [x, y] = [variables[a]!, variables[b]!];
    factors.push({ variables: [x.name, y.name], latency: x.values.map(() => table(y.values.length)) });
  };
  if (joint) {
    for (let i = 1; i < count; i++) pair(i - 1, i);
    for (let extra = integer(0, 3); extra > 0; extra--) {
      const a = integer(0, count - 1);
      pair(a, (a + integer(2, count - 2)) % count);
    }
  }
  const sum = (pick: (numbers: readonly number[]) => number): number =>
    factors.reduce((total, { latency }) => total + pick((latency.flat() as (number | null)[]).map((x) => x ?? 0)), 0);
  const [low, high] = [sum((n) => Math.min(...n)), sum((n) => Math.max(...n))];
  return {
    problem: { format: "halp.problem/1", variables, factors },
    budget: low + Math.floor(random() ** 2 * (high - low)),
  };
}

/** @param first number of the first problem */
export async function differential(count: number, first: number, say: (line: string) => void): Promise<Differential> {
  const wrong: string[] = [];
  let [joint, infeasible, givenUp] = [0, 0, 0];
  using highs = new Highs();
  for (let n = 0; n < count; n++) {
    if (n > 0 && n % perLine === 0) say(`${n} of ${count} problems, ${wrong.length} wrong`);
    const seed = first + n;
    const { problem, budget } = mediumProblem(seed);
    if (problem.factors.some((f) => f.variables.length === 2)) joint++;
    const ours = solve(problem, budget);
    verify(problem, ours, budget);
    const theirs = await highs.solve(problem, budget);
    if (theirs === undefined) {
      givenUp++;
      say(`problem ${seed}: HiGHS does not end it`);
    } else if (theirs.status === "infeasible" && ours.status === "infeasible") infeasible++;
    else if (theirs.status === "optimal" && theirs.choice !== null && ours.status === "optimal") {
      const named = Object.fromEntries(problem.variables.map((v, i) => [v.name, theirs.choice![i]!]));
      const { value, latency } = scoreChoice(problem, named);
      if (value !== ours.value || latency > budget)
        wrong.push(`problem ${seed}: halp ${ours.value}, HiGHS ${value} at ${latency} of ${budget}`);
    } else wrong.push(`problem ${seed}: halp ${ours.status}, HiGHS ${theirs.status}`);
  }
  return { problems: count, joint, infeasible, givenUp, wrong };
}
