import type { Problem } from "../../../src/solver/index.js";
import { integersFrom, randomFrom } from "./random.js";

export const hardClasses = ["uncorrelated", "weak", "strong", "subset-sum", "zig-zag"] as const;
export type HardClass = (typeof hardClasses)[number];

/**
 * One class of items, as D. Pisinger, "A minimal algorithm for the multiple-choice knapsack problem", EJOR 83 (1995) 394-410,
 * defines his five kinds of data (also in Kellerer, Pferschy, Pisinger, "Knapsack Problems", 2004, chapter 11), R the range:
 *
 * - uncorrelated: weight and value each uniform in [1, R];
 * - weakly correlated: weight uniform in [1, R], value uniform in [weight - 10, weight + 10], at least 1;
 * - strongly correlated: pairs (w', w' + 10) with w' uniform in [1, R], by rising weight; item j is the sum of the first j of
 *   them. No item is dominated, and all lie on the upper convex hull;
 * - subset-sum: weight uniform in [1, R], value = weight;
 * - zig-zag: weights and values each uniform in [1, R], both sorted and then paired: no item is dominated (after P. Sinha and
 *   A. Zoltners, "The multiple-choice knapsack problem", Operations Research 27 (1979) 503-515).
 */
function items(kind: HardClass, count: number, range: number, integer: (from: number, to: number) => number) {
  const draw = (): number[] => Array.from({ length: count }, () => integer(1, range));
  const rising = (numbers: number[]): number[] => numbers.sort((a, b) => a - b);
  const weight = draw();
  switch (kind) {
    case "uncorrelated":
      return { weight, value: draw() };
    case "weak":
      return { weight, value: weight.map((w) => integer(Math.max(1, w - 10), w + 10)) };
    case "subset-sum":
      return { weight, value: [...weight] };
    case "zig-zag":
      return { weight: rising(weight), value: rising(draw()) };
    case "strong": {
      let sum = 0;
      const sums = rising(weight).map((w) => {
        sum += w;
        return sum;
      });
      return { weight: sums, value: sums.map((w, i) => w + 10 * (i + 1)) };
    }
  }
}

/** A problem of Pisinger's; the budget is half way between the lightest and the heaviest choice, as his is. */
export function hardProblem(kind: HardClass, classes: number, count: number, range: number, seed: number): Problem {
  const random = randomFrom((seed * 31 + hardClasses.indexOf(kind)) * 1_000_003 + classes * 1009 + count + range);
  const tables = Array.from({ length: classes }, () => items(kind, count, range, integersFrom(random)));
  let low = 0;
  let high = 0;
  for (const { weight } of tables) {
    low += Math.min(...weight);
    high += Math.max(...weight);
  }
  return {
    format: "halp.problem/1",
    budget: Math.floor((low + high) / 2),
    variables: tables.map(({ value }, i) => ({ name: `v${i}`, values: value })),
    factors: tables.map(({ weight }, i) => ({ variables: [`v${i}`], latency: weight })),
  };
}
