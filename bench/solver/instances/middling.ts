import type { Factor, Problem } from "../../../src/solver/index.js";
import { hardClasses, hardProblem } from "./pisinger.js";
import { integersFrom, randomFrom } from "./random.js";

// Problems of middling size, on which an integer-programming solver can be asked hundreds of times: for counting
// disagreements. Integers, so that equal means equal.

/** Staircases with plateaus, steps down, negative values and forbidden options; one table per variable. */
function staircases(random: () => number): Problem {
  const integer = integersFrom(random);
  const count = integer(8, 16);
  const tables = Array.from({ length: count }, () => {
    let latency = integer(0, 300);
    let value = integer(-50, 50);
    return Array.from({ length: integer(1, 16) }, (_, k) => {
      if (k % integer(1, 3) === 0) latency += integer(-20, 200);
      value += integer(-5, 100);
      return { value, latency: k > 0 && random() < 0.04 ? null : latency };
    });
  });
  return {
    format: "halp.problem/1",
    variables: tables.map((t, i) => ({ name: `v${i}`, values: t.map((o) => o.value) })),
    factors: tables.map((t, i) => ({ variables: [`v${i}`], latency: t.map((o) => o.latency) })),
  };
}

/** A chain with shortcuts: tables over two variables, some with values of their own, some entries forbidden. */
function chain(random: () => number): Problem {
  const integer = integersFrom(random);
  const count = integer(6, 10);
  const sizes = Array.from({ length: count }, () => integer(2, 6));
  const variables = sizes.map((n, i) => ({
    name: `v${i}`,
    values: Array.from({ length: n }, (_, k) => k * integer(5, 100)),
  }));
  const table = <T>(a: number, b: number, entry: (i: number, j: number) => T): T[][] =>
    Array.from({ length: sizes[a]! }, (_, i) => Array.from({ length: sizes[b]! }, (_, j) => entry(i, j)));
  const factors: Factor[] = [];
  for (let i = 0; i < count; i++) {
    if (random() < 0.3)
      factors.push({ variables: [`v${i}`], latency: Array.from({ length: sizes[i]! }, () => integer(0, 60)) });
    for (const next of [i + 1, i + 2]) {
      if (next >= count || (next === i + 2 && random() > 0.3)) continue;
      const latency = table(i, next, (a, b) =>
        a + b > 0 && random() < 0.04 ? null : (a + 1) * (b + 1) * integer(3, 12),
      );
      const value = random() < 0.2 ? { value: table(i, next, () => integer(-20, 20)) } : {};
      factors.push({ variables: [`v${i}`, `v${next}`], latency, ...value });
    }
  }
  return { format: "halp.problem/1", variables, factors };
}

/** The sums of the least and of the largest entries of all tables. */
function range(problem: Problem): readonly [number, number] {
  let low = 0;
  let high = 0;
  for (const { latency } of problem.factors) {
    const entries = (latency as readonly (number | null | readonly (number | null)[])[])
      .flat()
      .filter((x) => x !== null) as number[];
    low += Math.min(...entries);
    high += Math.max(...entries);
  }
  return [low, high];
}

/** Problem number `seed`: of ten, five are Pisinger's, three staircases, two have tables over two variables. */
export function middlingProblem(seed: number): { readonly problem: Problem; readonly budget: number } {
  const random = randomFrom(seed * 104_729);
  const kind = seed % 10;
  if (kind < 5) {
    const integer = integersFrom(random);
    const problem = hardProblem(hardClasses[kind]!, integer(10, 20), integer(6, 12), 1000, seed);
    return { problem, budget: problem.budget! };
  }
  const problem = kind < 8 ? staircases(random) : chain(random);
  const [low, high] = range(problem);
  // a few budgets lie below what any choice takes
  const share = random() < 0.08 ? -0.02 : 0.05 + 0.7 * random();
  return { problem, budget: Math.floor(low + share * (high - low)) };
}
