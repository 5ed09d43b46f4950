import type { Factor, Problem } from "../../src/solver/index.js";
import { randomFrom } from "./random-problem.js";

/** A factor between every two variables: no order has small frontiers. */
export function completeProblem(count: number, options: number, seed: number): Problem {
  const random = randomFrom(seed);
  const whole = (): number => Math.floor(random() * 100);
  const names = Array.from({ length: count }, (_, i) => `v${i}`);
  const factors: Factor[] = [];
  for (let a = 0; a < count; a++)
    for (let b = a + 1; b < count; b++)
      factors.push({
        variables: [names[a]!, names[b]!],
        latency: Array.from({ length: options }, () => Array.from({ length: options }, whole)),
      });
  return {
    format: "halp.problem/1",
    variables: names.map((name) => ({ name, values: Array.from({ length: options }, whole) })),
    factors,
  };
}
