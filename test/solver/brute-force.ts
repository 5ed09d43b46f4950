import type { Problem } from "../../src/solver/index.js";

/** What trying every choice finds: the best by value, then latency, then smaller options; null where nothing fits. */
export interface BruteForce {
  readonly best: { readonly options: readonly number[]; readonly value: number; readonly latency: number } | null;
  /** The smallest latency of any choice that takes no forbidden entry. */
  readonly smallestLatency: number | null;
  /** Every non-dominated (latency, value), by rising latency. */
  readonly frontier: readonly { readonly latency: number; readonly value: number }[];
}

/** Tries every choice. Numbers must be integers, so that sums are exact. Choices come in lexicographic order. */
export function bruteForce(problem: Problem, budget: number): BruteForce {
  const { variables, factors } = problem;
  const position = new Map(variables.map((v, i) => [v.name, i]));
  const over = factors.map((f) => f.variables.map((name) => position.get(name)!));
  const options = variables.map(() => 0);
  const bestAt = new Map<number, number>();
  let best: BruteForce["best"] = null;
  let smallest: number | null = null;
  const visit = (): void => {
    let value = 0;
    let latency = 0;
    for (let i = 0; i < variables.length; i++) value += variables[i]!.values[options[i]!]!;
    for (let f = 0; f < factors.length; f++) {
      const factor = factors[f]!;
      const [a, b] = over[f]!;
      const pick = (table: readonly unknown[]): unknown =>
        b === undefined ? table[options[a!]!] : (table[options[a!]!] as readonly unknown[])[options[b]!];
      const entry = pick(factor.latency) as number | null;
      if (entry === null) return;
      latency += entry;
      if (factor.value !== undefined) value += pick(factor.value) as number;
    }
    if (smallest === null || latency < smallest) smallest = latency;
    bestAt.set(latency, Math.max(bestAt.get(latency) ?? Number.NEGATIVE_INFINITY, value));
    if (latency > budget) return;
    if (best === null || value > best.value || (value === best.value && latency < best.latency))
      best = { options: [...options], value, latency };
  };
  const walk = (i: number): void => {
    if (i === variables.length) visit();
    else
      for (let k = 0; k < variables[i]!.values.length; k++) {
        options[i] = k;
        walk(i + 1);
      }
  };
  walk(0);
  const frontier: { latency: number; value: number }[] = [];
  for (const [latency, value] of [...bestAt].sort((a, b) => a[0] - b[0]))
    if (frontier.length === 0 || value > frontier[frontier.length - 1]!.value) frontier.push({ latency, value });
  return { best, smallestLatency: smallest, frontier };
}
