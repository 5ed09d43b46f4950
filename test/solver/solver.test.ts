import fc from "fast-check";
import t from "tap";
import {
  createSolver,
  type Problem,
  type Solution,
  scoreChoice,
  solve,
  solveAsync,
  verify,
} from "../../src/solver/index.js";
import { coreStatus } from "../../src/solver/wasm/exports.js";
import { compileCore, instantiateCore } from "../../src/solver/wasm/load.js";
import { createWasmBackend } from "../../src/solver/wasm/wasm-backend.js";
import { bruteForce } from "./brute-force.js";
import { hardProblem } from "./hard-problem.js";
import { randomProblem } from "./random-problem.js";

function problemOf(tables: readonly { values: number[]; latency: (number | null)[] }[]): Problem {
  return {
    format: "halp.problem/1",
    variables: tables.map(({ values }, i) => ({ name: `v${i}`, values })),
    factors: tables.map(({ latency }, i) => ({ variables: [`v${i}`], latency })),
  };
}

t.test("the example of the format", async (t) => {
  const problem: Problem = {
    format: "halp.problem/1",
    unit: "ns",
    budget: 1100,
    variables: [
      { name: "layer1.conv1", values: [0, 1.5, 2.2] },
      { name: "layer1.conv2", values: [0, 1] },
    ],
    factors: [
      { variables: ["layer1.conv1"], latency: [0, 400, 700] },
      {
        variables: ["layer1.conv1", "layer1.conv2"],
        latency: [
          [0, 0],
          [0, 350],
          [0, 500],
        ],
      },
    ],
  };
  for (const backend of ["wasm", "js"] as const) {
    const { elapsedMs, ...rest } = solve(problem, undefined, { backend });
    t.ok(elapsedMs >= 0);
    t.same(rest, {
      format: "halp.solution/1",
      status: "optimal",
      choice: { "layer1.conv1": 1, "layer1.conv2": 1 },
      value: 2.5,
      latency: 750,
      upperBound: 2.5,
      gap: 0,
      quantum: { value: 0.1, latency: 1 },
    });
  }
});

t.test("an infeasible budget names the smallest latency; where all is forbidden there is none", async (t) => {
  const problem = problemOf([
    { values: [1, 2], latency: [5, 9] },
    { values: [0, 0], latency: [null, -2] },
  ]);
  for (const backend of ["wasm", "js"] as const) {
    const solution = solve(problem, 2.5, { backend });
    t.equal(solution.status, "infeasible");
    t.equal(solution.smallestLatency, 3);
    t.same(solution.choice, { v0: 0, v1: 1 });
    verify(problem, solution, 2.5);
    const none = solve(problemOf([{ values: [1], latency: [null] }]), 9, { backend });
    t.equal(none.status, "infeasible");
    t.equal(none.smallestLatency, null);
    t.same(none.choice, {});
    const forbiddenPairs: Problem = {
      format: "halp.problem/1",
      variables: [
        { name: "a", values: [1, 1] },
        { name: "b", values: [1] },
      ],
      factors: [{ variables: ["a", "b"], latency: [[null], [null]] }],
    };
    t.equal(solve(forbiddenPairs, 9, { backend }).smallestLatency, null);
  }
});

t.test("no variables, no factors", async (t) => {
  const empty: Problem = { format: "halp.problem/1", variables: [], factors: [] };
  for (const backend of ["wasm", "js"] as const) {
    t.match(solve(empty, 0, { backend }), { status: "optimal", value: 0, latency: 0, choice: {} });
    t.match(solve(empty, -1, { backend }), { status: "infeasible", smallestLatency: 0 });
    const free: Problem = { ...empty, variables: [{ name: "__proto__", values: [3, 7, 7] }] };
    const solution = solve(free, 0, { backend });
    t.match(solution, { status: "optimal", value: 7 });
    t.equal(Object.getOwnPropertyDescriptor(solution.choice, "__proto__")?.value, 1);
    verify(free, solution, 0);
  }
});

t.test("decimals are exact: 0.1 + 0.2 fits a budget of 0.3", async (t) => {
  const problem = problemOf([
    { values: [0, 1], latency: [0, 0.1] },
    { values: [0, 1], latency: [0, 0.2] },
  ]);
  t.match(solve(problem, 0.3), { status: "optimal", value: 2, latency: 0.3, quantum: { latency: 0.1 } });
  t.match(solve(problem, 0.29999), { status: "optimal", value: 1, latency: 0.1 });
});

t.test("arbitrary doubles: as good as brute force, up to rounding", async (t) => {
  const double = fc.double({ min: -1e3, max: 1e3, noNaN: true });
  const table = fc
    .array(fc.tuple(double, double), { minLength: 1, maxLength: 4 })
    .map((items) => ({ values: items.map(([v]) => v), latency: items.map(([, w]) => w) }));
  fc.assert(
    fc.property(
      fc.array(table, { minLength: 1, maxLength: 5 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (tables, at) => {
        const problem = problemOf(tables);
        const low = tables.reduce((sum, x) => sum + Math.min(...x.latency), 0);
        const high = tables.reduce((sum, x) => sum + Math.max(...x.latency), 0);
        const budget = low + at * (high - low);
        const expected = bruteForce(problem, budget);
        for (const backend of ["wasm", "js"] as const) {
          const solution = solve(problem, budget, { backend });
          verify(problem, solution, budget);
          // within a few quanta of the budget a rounded sum may fall on either side
          if (expected.best === null) continue;
          if (solution.status !== "optimal" || solution.value < expected.best.value - 1e-9)
            throw new Error(`${backend}: ${JSON.stringify(solution)}, expected ${JSON.stringify(expected.best)}`);
        }
      },
    ),
    { numRuns: 1000, seed: 7 },
  );
  t.pass("the property holds");
});

t.test("the dense budget admits the dense choice, however its latencies round", async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1e-3, max: 10, noNaN: true }), { minLength: 2, maxLength: 40 }),
      (latencies) => {
        const problem = problemOf(latencies.map((x) => ({ values: [0, 1], latency: [0, x] })));
        const dense = latencies.reduce((a, b) => a + b, 0);
        return solve(problem, dense).value === latencies.length;
      },
    ),
    { numRuns: 300, seed: 3 },
  );
  t.pass("the property holds");
});

t.test("huge, tiny and very unequal numbers", async (t) => {
  for (const scale of [1e-300, 1e-12, 1, 1e12, 1e300]) {
    const problem = problemOf([
      { values: [0, scale, 4 * scale], latency: [0, scale / 3, scale] },
      { values: [0, 2 * scale], latency: [0, scale / 7] },
    ]);
    for (const backend of ["wasm", "js"] as const) {
      const solution = solve(problem, scale, { backend });
      t.equal(solution.status, "optimal");
      t.same(solution.choice, { v0: 2, v1: 0 }, `at ${scale}`);
      verify(problem, solution, scale);
    }
  }
});

t.test("prepared problems take turns in one memory", async (t) => {
  for (const backend of ["wasm", "js"] as const) {
    const solver = createSolver({ backend });
    const problems = Array.from({ length: 12 }, (_, i) => randomProblem(100 + i, { pairs: i % 3 === 0 }));
    const prepared = problems.map(({ problem }) => solver.prepare(problem));
    for (let round = 0; round < 3; round++)
      prepared.forEach((p, i) => {
        const { problem, budget } = problems[i]!;
        const { elapsedMs: _, ...found } = p.solve(budget + round);
        const { elapsedMs: __, ...expected } = solve(problem, budget + round, { backend: "js" });
        t.same(found, expected);
      });
  }
});

t.test("the scalar build gives the same answers as the SIMD build", async (t) => {
  const scalar = createWasmBackend("scalar");
  t.equal(scalar.name, "wasm");
  const { buildModel } = await import("../../src/solver/model.js");
  const simd = createWasmBackend("simd");
  const watch = { maxStates: 1e9, gap: 0, expired: () => false };
  for (let seed = 1; seed <= 300; seed++) {
    const { problem, budget } = randomProblem(seed, { pairs: seed % 2 === 0 });
    const model = buildModel(problem);
    t.same(scalar.prepare(model).solve(budget, watch), simd.prepare(model).solve(budget, watch));
    const points = [scalar, simd].map((backend) => {
      const parts = backend.prepare(model).parts?.(-(2 ** 53), 2 ** 53, watch);
      return !parts || parts.corners.length === 0 ? null : [parts.between(0, parts.corners.length - 1), parts.all()];
    });
    t.same(points[0], points[1]);
  }
});

t.test("the core exports what exports.ts says, in both builds", async (t) => {
  const expected = [
    ..."memory layout offsetAt valueAt weightAt prepare preparedFrom preparedTo adopt begin run finish choiceAt".split(
      " ",
    ),
    ..."getValue getWeight getBound getStates setLimit jointLayout structureAt tablesAt jointPrepare".split(" "),
    ..."jointBegin jointRun jointFinish jointChoiceAt getJointValue getJointWeight getJointBound getJointStates".split(
      " ",
    ),
    ..."quantise forbiddenClass getValueScale getWeightScale getValueTotal getIncrementCount prefixWeightAt".split(" "),
    ..."denseLayout denseSolve paperLayout paperSolve cellOffsetsAt cellCostsAt cellValuesAt pickedAt".split(" "),
    ..."prefixValueAt jointEvaluate getDecodedValue getDecodedWeight frontierLayout frontierPoints pointsAt".split(" "),
    ..."getPointCount frontierDense densePointsAt getDensePointCount jointFrontierLayout jointCornersAt".split(" "),
    ..."jointFrontier jointPointsAt getJointPointCount usedBytes limitBytes wantedBytes".split(" "),
  ].sort();
  for (const build of ["simd", "scalar"] as const)
    t.same(Object.keys(instantiateCore(compileCore(build))).sort(), expected);
  t.equal(coreStatus.running, 0);
});

t.test("verify finds what is wrong with a solution", async (t) => {
  const problem = problemOf([
    { values: [0, 5], latency: [1, 7] },
    { values: [0, 4], latency: [2, null] },
  ]);
  const good = solve(problem, 9);
  t.same(verify(problem, good, 9), { value: 5, latency: 9 });
  t.same(scoreChoice(problem, { v0: 0, v1: 0 }), { value: 0, latency: 3 });
  const wrong: readonly (readonly [Partial<Solution>, string])[] = [
    [{ choice: { v0: 1 } }, "HALP_VERIFY_CHOICE"],
    [{ choice: { v0: 2, v1: 0 } }, "HALP_VERIFY_CHOICE"],
    [{ choice: { v0: 1, v1: 1 } }, "HALP_VERIFY_CHOICE"],
    [{ value: 6 }, "HALP_VERIFY_VALUE"],
    [{ latency: 8 }, "HALP_VERIFY_LATENCY"],
    [{ upperBound: 6 }, "HALP_VERIFY_BOUND"],
    [{ upperBound: 3 }, "HALP_VERIFY_BOUND"],
    [{ status: "infeasible" }, "HALP_VERIFY_BUDGET"],
  ];
  for (const [part, code] of wrong) t.throws(() => verify(problem, { ...good, ...part }, 9), { code }, code);
  t.throws(() => verify(problem, good, 8), { code: "HALP_VERIFY_BUDGET" });
});

t.test("solveAsync gives the answer of solve, and on abort the best so far", async (t) => {
  for (const backend of ["wasm", "js"] as const) {
    const { problem, budget } = randomProblem(12, { pairs: true });
    const { elapsedMs: _, ...found } = await solveAsync(problem, budget, { backend });
    const { elapsedMs: __, ...expected } = solve(problem, budget, { backend });
    t.same(found, expected);
  }
  const hard = hardProblem("strong", 300, 60, 10_000, 1);
  const aborted = await solveAsync(hard, undefined, { signal: AbortSignal.abort() });
  verify(hard, aborted);
  t.equal(aborted.status, "feasible");
  t.ok(aborted.gap > 0 && aborted.gap < 0.01);
  await t.rejects(solveAsync(hard, Number.NaN), { code: "HALP_BUDGET" });
});

t.test("limits: an anytime answer with a bound that holds", async (t) => {
  const hard = hardProblem("weak", 100, 30, 1000, 2);
  for (const backend of ["wasm", "js"] as const) {
    const best = solve(hard, undefined, { backend });
    t.equal(best.status, "optimal");
    for (const limits of [{ maxStates: 0 }, { timeLimitMs: 0 }, { gap: 0.01 }, { maxStates: 40 }]) {
      const solution = solve(hard, undefined, { backend, ...limits });
      verify(hard, solution);
      t.ok(solution.value <= best.value && best.value <= solution.upperBound, JSON.stringify(limits));
      t.ok(solution.status === "feasible" || solution.value === best.value);
    }
  }
  for (const limits of [{ gap: 2 }, { timeLimitMs: -1 }, { maxStates: Number.NaN }])
    t.throws(() => solve(hard, undefined, limits), { code: "HALP_LIMIT" });
});

t.test("a memory limit ends a search with the best so far, and refuses what cannot fit at all", async (t) => {
  const hard = hardProblem("strong", 200, 60, 10_000, 1);
  const solution = solve(hard, undefined, { memoryLimitBytes: 4 * 2 ** 20 });
  verify(hard, solution);
  t.equal(solution.status, "feasible");
  t.ok(solution.gap > 0 && solution.gap < 0.01);
  t.throws(() => solve(hard, undefined, { memoryLimitBytes: 2 ** 17 }), {
    code: "HALP_SOLVER_MEMORY",
    message: /12000 options in 200 variables needs \d\.\d MiB .*may take 0\.1 MiB: raise memoryLimitBytes/,
  });
  const { memoryBytes } = createSolver().prepare(hard);
  // What it says is needed is enough; a page less is not.
  t.ok(memoryBytes !== undefined && memoryBytes > 2 ** 17);
  t.ok(solve(hard, undefined, { memoryLimitBytes: memoryBytes! + 2 ** 20 }).status !== "infeasible");
  t.throws(() => solve(hard, undefined, { memoryLimitBytes: memoryBytes! - 2 ** 16 }), { code: "HALP_SOLVER_MEMORY" });
  const pair: Problem = {
    format: "halp.problem/1",
    variables: ["a", "b"].map((name) => ({ name, values: Array.from({ length: 300 }, (_, i) => i) })),
    factors: [
      {
        variables: ["a", "b"],
        latency: Array.from({ length: 300 }, (_, i) => Array.from({ length: 300 }, (_, j) => i * j)),
      },
    ],
  };
  t.throws(() => solve(pair, 9000, { memoryLimitBytes: 2 ** 20 }), {
    code: "HALP_SOLVER_MEMORY",
    message: /a joint problem of \d+ table entries needs \d+\.\d MiB/,
  });
  t.ok(createSolver().prepare(pair).memoryBytes! > 300 * 300 * 8);
  t.equal(createSolver({ backend: "js" }).prepare(pair).memoryBytes, undefined);
  t.throws(() => solve(hard, undefined, { memoryLimitBytes: Number.NaN }), { code: "HALP_LIMIT" });
});

t.test("solveBatch answers each request", async (t) => {
  const solver = createSolver();
  const requests = [1, 2, 3].map((seed) => randomProblem(seed));
  t.same(
    solver.solveBatch(requests).map(({ value, latency }) => ({ value, latency })),
    requests.map(({ problem, budget }) => {
      const { value, latency } = solve(problem, budget);
      return { value, latency };
    }),
  );
});
