import type { Factor, Problem } from "../../src/solver/index.js";
import { randomFrom } from "./random-problem.js";

/**
 * Pisinger's classes (1995) of correlated weights and values, up to `range`. The budget is half way between the lightest and
 * the heaviest choice.
 */
export function hardProblem(
  kind: "weak" | "strong",
  classes: number,
  items: number,
  range: number,
  seed: number,
): Problem {
  const random = randomFrom(seed * 31 + classes + items);
  const integer = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  let low = 0;
  let high = 0;
  const tables = Array.from({ length: classes }, () => {
    const weight = Array.from({ length: items }, () => integer(1, range));
    if (kind === "weak") return { weight, value: weight.map((w) => Math.max(1, w + integer(-10, 10))) };
    weight.sort((a, b) => a - b);
    for (let i = 1; i < items; i++) weight[i]! += weight[i - 1]!;
    return { weight, value: weight.map((w, i) => w + 10 * (i + 1)) };
  });
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

/** A chain of two-variable factors, latency about the product of the two options and value about their square roots. */
export function jointChain(count: number, options: number, seed: number): Problem {
  const random = randomFrom(seed);
  const names = Array.from({ length: count }, (_, i) => `v${i}`);
  const rising = (scale: number): number[] => {
    let sum = 0;
    return Array.from({ length: options }, (_, i) => {
      const now = sum;
      sum += Math.round((scale * (0.5 + random())) / Math.sqrt(i + 1));
      return now;
    });
  };
  const factors: Factor[] = names.slice(1).map((name, i) => ({
    variables: [names[i]!, name],
    latency: Array.from({ length: options }, (_, a) =>
      Array.from({ length: options }, (_, b) => Math.round(a * b * 1000 * (0.98 + 0.04 * random()))),
    ),
  }));
  const most = (options - 1) ** 2 * 1000 * (count - 1);
  return {
    format: "halp.problem/1",
    budget: Math.round(most / 2),
    variables: names.map((name) => ({ name, values: rising(1e6) })),
    factors,
  };
}
