import type { Factor, Problem } from "../../src/solver/index.js";

/** A small generator of pseudo-random numbers in [0, 1) (mulberry32). */
export function randomFrom(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = s;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Shape {
  /** Two-variable factors as well. */
  readonly pairs?: boolean;
}

/**
 * A small problem of integers, made to hurt: ties, negative values and latencies, plateaus, duplicates, forbidden entries,
 * single options, factors with values of their own, variables with no factor or several.
 */
export function randomProblem(seed: number, shape: Shape = {}): { readonly problem: Problem; readonly budget: number } {
  const random = randomFrom(seed);
  const integer = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const range = [1, 3, 10, 1000, 1_000_000][integer(0, 4)]!;
  const negative = random() < 0.4;
  const number = (): number => integer(negative ? -range : 0, range);
  const kind = integer(0, 4);
  const count = integer(1, shape.pairs ? 5 : 6);
  const forbid = random() < 0.3 ? 0.2 : 0;
  const variables = Array.from({ length: count }, (_, i) => {
    const values = Array.from({ length: integer(1, shape.pairs ? 4 : 5) }, number);
    if (kind === 1) values.sort((a, b) => a - b);
    return { name: `v${i}`, values };
  });
  const factors: Factor[] = [];
  const entry = (): number | null => (random() < forbid ? null : number());
  const staircase = (length: number): (number | null)[] => {
    const table = Array.from({ length }, entry);
    if (kind === 1 || kind === 2) table.sort((a, b) => (a ?? 0) - (b ?? 0));
    if (kind === 3) return table.map((x, i) => (i > 0 && random() < 0.5 ? (table[i - 1] ?? null) : x));
    return table;
  };
  for (const v of variables) {
    const n = v.values.length;
    for (let f = random() < 0.1 ? 0 : random() < 0.2 ? 2 : 1; f > 0; f--)
      factors.push({
        variables: [v.name],
        // kind 4: latency follows value (subset-sum and strongly correlated)
        latency: kind === 4 ? v.values.map((x) => (random() < forbid ? null : x + (seed % 3))) : staircase(n),
        ...(random() < 0.1 ? { value: Array.from({ length: n }, number) } : {}),
      });
  }
  if (shape.pairs)
    for (let f = integer(0, 2 * count); f > 0 && count > 1; f--) {
      const a = integer(0, count - 1);
      const b = (a + integer(1, count - 1)) % count;
      const rows = variables[a]!.values.length;
      const columns = variables[b]!.values.length;
      factors.push({
        variables: [variables[a]!.name, variables[b]!.name],
        latency: Array.from({ length: rows }, () => Array.from({ length: columns }, entry)),
        ...(random() < 0.2
          ? { value: Array.from({ length: rows }, () => Array.from({ length: columns }, number)) }
          : {}),
      });
    }
  const spread = (pick: (...x: number[]) => number): number =>
    factors.reduce((sum, f) => sum + pick(...(f.latency.flat() as (number | null)[]).map((x) => x ?? 0)), 0);
  const low = spread(Math.min);
  const high = spread(Math.max);
  const budget = low - 1 + Math.floor(random() * (high - low + 3));
  return { problem: { format: "halp.problem/1", unit: "ns", variables, factors }, budget };
}
