import fc from "fast-check";
import t from "tap";
import { createSolver, type Problem } from "../../src/solver/index.js";

type Point = readonly [latency: number, value: number];
type Table = readonly (readonly (number | null)[])[];

function undominated(points: Point[]): Point[] {
  const sorted = points.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const kept: Point[] = [];
  for (const point of sorted) if (kept.length === 0 || point[1] > kept[kept.length - 1]![1]) kept.push(point);
  return kept;
}

/** All undominated points of a chain by the definition: a list for each option of the last variable, nothing bounded. */
function pointsOfChain(problem: Problem): Point[] {
  let lists: Point[][] = problem.variables[0]!.values.map((value) => [[0, value]]);
  problem.factors.forEach((factor, i) => {
    const table = factor.latency as Table;
    const { values } = problem.variables[i + 1]!;
    lists = values.map((value, y) =>
      undominated(
        lists.flatMap((list, x) => {
          const ns = table[x]![y]!;
          return ns === null ? [] : list.map(([w, v]): Point => [w + ns, v + value]);
        }),
      ),
    );
  });
  return undominated(lists.flat());
}

/** Layers whose latency grows with the product of both widths, in steps, with launches, noise and forbidden pairs. */
const chains = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 2, maxLength: 8 }),
    noise: fc.array(fc.nat(1_000_000), { minLength: 64, maxLength: 64 }),
    step: fc.constantFrom(1, 2, 3),
    coarse: fc.constantFrom(1, 1, 30),
    forbidden: fc.boolean(),
  })
  .map(({ sizes, noise, step, coarse, forbidden }): Problem => {
    const random = (i: number): number => noise[i % 64]!;
    const width = (k: number): number => step * Math.ceil(k / step);
    return {
      format: "halp.problem/1",
      variables: sizes.map((n, i) => ({
        name: `g${i}`,
        values: Array.from({ length: n }, (_, k) => Math.round(400 * Math.sqrt(k)) + (random(7 * i + k) % 90)),
      })),
      factors: sizes.slice(1).map((n, i) => ({
        variables: [`g${i}`, `g${i + 1}`],
        latency: Array.from({ length: sizes[i]! }, (_, x) =>
          Array.from({ length: n }, (_, y) =>
            forbidden && random(i + 3 * x + 5 * y) % 11 === 0
              ? null
              : (i === 1 ? coarse : 1) * (20 + 6 * width(x) * width(y) + (random(i + 11 * x + 13 * y) % 15)),
          ),
        ),
      })),
    };
  });

t.test("frontiers of chains are all undominated points, in whole and in part", async (t) => {
  const solver = createSolver();
  let seen = 0;
  fc.assert(
    fc.property(chains, fc.nat(1000), fc.nat(1000), (problem, a, b) => {
      const expected = pointsOfChain(problem);
      seen += expected.length;
      const prepared = solver.prepare(problem);
      const found = prepared.frontier();
      const points = Array.from(found.latency, (latency, i) => [latency, found.value[i]!]);
      if (!found.complete || JSON.stringify(points) !== JSON.stringify(expected)) return false;
      if (expected.length === 0) return true;
      const first = expected[0]![0];
      const reach = expected[expected.length - 1]![0] - first;
      const from = first + Math.floor((Math.min(a, b) / 1000) * reach);
      const to = first + Math.floor((Math.max(a, b) / 1000) * reach);
      const part = prepared.frontier({ from, to });
      const inside = expected.filter(([w]) => w >= from && w <= to).map(([w]) => w);
      return part.complete && JSON.stringify([...part.latency]) === JSON.stringify(inside);
    }),
    { numRuns: 500, seed: 5 },
  );
  t.ok(seen > 5_000, `${seen} points`);
});
