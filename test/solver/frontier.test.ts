import t from "tap";
import { createSolver } from "../../src/solver/index.js";
import { bruteForce } from "./brute-force.js";
import { randomProblem } from "./random-problem.js";

type Point = { readonly latency: number; readonly value: number };

/** The corners of the upper convex hull, by the definition: no point lies on or above a line between two others. */
function hullOf(points: readonly Point[]): Point[] {
  return points.filter((p) =>
    points.every((a) =>
      points.every(
        (b) =>
          !(a.latency < p.latency && p.latency < b.latency) ||
          (p.value - a.value) * (b.latency - a.latency) > (b.value - a.value) * (p.latency - a.latency),
      ),
    ),
  );
}

for (const backend of ["wasm", "js"] as const)
  t.test(`${backend}: frontiers and hulls of 600 random problems equal brute force`, async (t) => {
    const solver = createSolver({ backend });
    let wrong = 0;
    for (let seed = 1; seed <= 600; seed++) {
      const { problem } = randomProblem(seed, { pairs: seed % 2 === 0 });
      const { frontier } = bruteForce(problem, 0);
      const prepared = solver.prepare(problem);
      const points = (hull: boolean): Point[] => {
        const found = prepared.frontier({ hull });
        if (!found.complete) wrong++;
        return Array.from(found.latency, (latency, i) => ({ latency, value: found.value[i]! }));
      };
      if (JSON.stringify(points(false)) !== JSON.stringify(frontier)) wrong++;
      if (JSON.stringify(points(true)) !== JSON.stringify(hullOf(frontier))) wrong++;
      if (wrong > 0) {
        t.same(points(false), frontier, `frontier of seed ${seed}`);
        t.same(points(true), hullOf(frontier), `hull of seed ${seed}`);
        break;
      }
    }
    t.equal(wrong, 0);
  });

t.test("a joint frontier that is stopped, hull or points, says so", async (t) => {
  let seed = 1;
  while (!randomProblem(seed, { pairs: true }).problem.factors.some((f) => f.variables.length === 2)) seed++;
  const { problem } = randomProblem(seed, { pairs: true });
  for (const backend of ["wasm", "js"] as const) {
    const prepared = createSolver({ backend }).prepare(problem);
    t.equal(prepared.frontier({ stopped: () => true }).complete, false);
    let asked = 0;
    const some = prepared.frontier({ stopped: () => ++asked > 3 });
    const all = prepared.frontier();
    for (const latency of some.latency) t.ok(all.latency.includes(latency));
  }
});

t.test("a part of the frontier, its limits, and the solution at a point", async (t) => {
  let seed = 1;
  while (bruteForce(randomProblem(seed).problem, 0).frontier.length < 6) seed++;
  const { problem } = randomProblem(seed);
  for (const backend of ["wasm", "js"] as const) {
    const prepared = createSolver({ backend }).prepare(problem);
    const all = prepared.frontier();
    t.ok(all.latency.length > 3);
    const part = prepared.frontier({ from: all.latency[1]!, to: all.latency[2]! });
    t.same(part.latency, all.latency.slice(1, 3));
    t.equal(part.complete, true);
    const few = prepared.frontier({ maxPoints: 2 });
    t.same(few.latency, all.latency.slice(-2));
    t.equal(few.complete, false);
    const solution = all.solution(1);
    t.match(solution, { status: "optimal", latency: all.latency[1], value: all.value[1] });
    t.throws(() => prepared.frontier({ to: Number.NaN }), { code: "HALP_BUDGET" });
    t.throws(() => prepared.frontier({ timeLimitMs: -1 }), { code: "HALP_LIMIT" });
    for (const maxPoints of [0, Number.NaN, -3])
      t.throws(() => prepared.frontier({ maxPoints }), { code: "HALP_LIMIT" }, `maxPoints ${maxPoints}`);
    const stopped = prepared.frontier({ stopped: () => true });
    t.equal(stopped.complete, false);
    t.equal(stopped.latency.length, 0);
  }
});
