import fc from "fast-check";
import t from "tap";
import { createSolver, type Problem } from "../../src/solver/index.js";

type Point = readonly [latency: number, value: number];

/** All undominated sums, by the definition: one variable after the other, nothing bounded. Whole numbers. */
function undominatedSums(problem: Problem): Point[] {
  let points: Point[] = [[0, 0]];
  problem.variables.forEach((variable, i) => {
    const { latency } = problem.factors[i]!;
    const sums = points.flatMap(([w, v]) =>
      variable.values.map((value, x): Point => [w + (latency[x] as number), v + value]),
    );
    sums.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
    points = [];
    for (const sum of sums) if (points.length === 0 || sum[1] > points[points.length - 1]![1]) points.push(sum);
  });
  return points;
}

/** Shapes that the search treats differently: coarse classes, plateaus, equal slopes, strong correlation. */
const shapes = {
  concave: (k: number, noise: number) => [40 * k + (noise % 23), Math.round(900 * Math.sqrt(k)) + (noise % 101)],
  uncorrelated: (_: number, noise: number) => [noise % 997, (noise * 7919) % 1009],
  staircase: (k: number, noise: number) => [160 * Math.ceil(k / 4), 100 * k + (noise % 37)],
  strong: (_: number, noise: number) => [noise % 200, (noise % 200) + 10],
  subset: (_: number, noise: number) => [noise % 500, noise % 500],
  negative: (k: number, noise: number) => [(noise % 301) - 150, 30 * k - (noise % 400)],
} as const;
type Shape = keyof typeof shapes;

const problems = fc
  .array(
    fc.record({
      shape: fc.constantFrom(...(Object.keys(shapes) as Shape[])),
      size: fc.integer({ min: 1, max: 14 }),
      scale: fc.constantFrom(1, 1, 1, 1, 40),
      noise: fc.array(fc.nat(1_000_000), { minLength: 14, maxLength: 14 }),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((classes): Problem => {
    const tables = classes.map(({ shape, size, scale, noise }) =>
      Array.from({ length: size }, (_, k) => shapes[shape](k, noise[k]!).map((x) => x * scale)),
    );
    return {
      format: "halp.problem/1",
      variables: tables.map((table, i) => ({ name: `v${i}`, values: table.map((item) => item[1]!) })),
      factors: tables.map((table, i) => ({ variables: [`v${i}`], latency: table.map((item) => item[0]!) })),
    };
  });

t.test("frontiers of middling problems are all undominated sums, in whole and in part", async (t) => {
  const solver = createSolver();
  let seen = 0;
  fc.assert(
    fc.property(problems, fc.nat(1000), fc.nat(1000), (problem, a, b) => {
      const expected = undominatedSums(problem);
      seen += expected.length;
      const prepared = solver.prepare(problem);
      const found = prepared.frontier();
      if (!found.complete) return false;
      const points = Array.from(found.latency, (latency, i) => [latency, found.value[i]!]);
      if (JSON.stringify(points) !== JSON.stringify(expected)) return false;
      // between any two latencies
      const first = expected[0]![0];
      const reach = expected[expected.length - 1]![0] - first;
      const from = first + Math.floor((Math.min(a, b) / 1000) * reach);
      const to = first + Math.floor((Math.max(a, b) / 1000) * reach);
      const part = prepared.frontier({ from, to });
      const inside = expected.filter(([w]) => w >= from && w <= to).map(([w]) => w);
      return part.complete && JSON.stringify([...part.latency]) === JSON.stringify(inside);
    }),
    { numRuns: 400, seed: 3 },
  );
  t.ok(seen > 10_000, `${seen} points`);
});

t.test("a point's solution has its latency and value", async (t) => {
  const [problem] = fc.sample(problems, { seed: 11, numRuns: 1 });
  const found = createSolver().frontier(problem!);
  let wrong = 0;
  for (let i = 0; i < found.latency.length; i += 17) {
    const { status, latency, value } = found.solution(i);
    if (status !== "optimal" || latency !== found.latency[i] || value !== found.value[i]) wrong++;
  }
  t.equal(wrong, 0);
});
