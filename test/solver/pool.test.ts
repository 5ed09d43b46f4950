import t from "tap";
import { createSolverPool, solve } from "../../src/solver/index.js";
import { randomProblem } from "./random-problem.js";

t.test("a pool answers in order, alike one thread, and passes errors on", async (t) => {
  const pool = await createSolverPool({ workers: 2 });
  t.equal(pool.size, 2);
  const requests = Array.from({ length: 150 }, (_, i) => randomProblem(i + 1, { pairs: i % 4 === 0 }));
  const answers = await pool.solveBatch(requests);
  const plain = ({ status, choice, value, latency }: ReturnType<typeof solve>) => ({ status, choice, value, latency });
  t.same(
    answers.map(plain),
    requests.map(({ problem, budget }) => plain(solve(problem, budget))),
  );
  const { problem, budget } = requests[0]!;
  t.same(plain(await pool.solve(problem, budget)), plain(answers[0]!));
  await t.rejects(pool.solve(problem, Number.NaN), { code: "HALP_BUDGET" });
  await t.rejects(pool.solve({ ...problem, variables: [] }, 1), { code: "HALP_PROBLEM_UNKNOWN" });
  await t.rejects(pool.solve({ ...problem, extra: () => 0 } as never, 1), { code: "HALP_POOL" });
  const flat = { offset: Int32Array.of(0, 2), value: Float64Array.of(0, 1), latency: Float64Array.of(0, 5) };
  const [first, second] = await pool.solveFlatBatch([
    { problem: flat, budget: 4 },
    { problem: flat, budget: 5 },
  ]);
  t.match(first, { status: "optimal", value: 0 });
  t.match(second, { status: "optimal", value: 1 });
  const late = t.rejects(pool.solve(problem, budget), { code: "HALP_POOL" });
  await pool.close();
  await late;
  await t.rejects(pool.solve(problem, budget), { code: "HALP_POOL" });
  await t.rejects(createSolverPool({ workers: 0 }), { code: "HALP_POOL" });
});
