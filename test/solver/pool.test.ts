import t from "tap";
import {
  createFlatSolver,
  createSolverPool,
  type FlatRequest,
  type SolverPoolOptions,
  solve,
  verify,
} from "../../src/solver/index.js";
import { WorkerPool } from "../../src/solver/pool/pool.js";
import type { Thread } from "../../src/solver/pool/thread.js";
import { startThread } from "../../src/solver/pool/threads.js";
import { hardProblem } from "./hard-problem.js";
import { randomFrom, randomProblem } from "./random-problem.js";

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

/** Flat problems of 2 to 9 variables. */
function flatRequests(count: number, seed: number): FlatRequest[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const variables = 2 + Math.floor(random() * 8);
    const numbers = (): Float64Array => Float64Array.from({ length: variables * 6 }, () => Math.floor(random() * 100));
    const offset = Int32Array.from({ length: variables + 1 }, (_, i) => i * 6);
    return { problem: { offset, value: numbers(), latency: numbers() }, budget: variables * 45 };
  });
}

t.test("flat batches of any size answer as one thread does, and leave the caller's arrays alone", async (t) => {
  const pool = await createSolverPool({ workers: 2 });
  t.teardown(() => pool.close());
  const single = createFlatSolver();
  for (const count of [0, 1, 2, 7, 700]) {
    const requests = flatRequests(count, count + 1);
    const before = structuredClone(requests);
    const answers = await pool.solveFlatBatch(requests);
    t.same(requests, before, "nothing was detached");
    t.same(
      answers,
      requests.map((r) => single.solve(r.problem, r.budget)),
    );
  }
  t.same(await pool.solveBatch([]), []);
});

/** The same problems in one shared memory. */
function inSharedMemory(requests: readonly FlatRequest[]): FlatRequest[] {
  const bytes = requests.reduce(
    (n, { problem }) => n + 8 * (problem.offset.length + problem.value.length + problem.latency.length),
    0,
  );
  const memory = new SharedArrayBuffer(bytes);
  let at = 0;
  const place = (length: number): number => {
    const from = at;
    at += 8 * length;
    return from;
  };
  return requests.map(({ problem, budget }) => {
    const offset = new Int32Array(memory, place(problem.offset.length), problem.offset.length);
    const value = new Float64Array(memory, place(problem.value.length), problem.value.length);
    const latency = new Float64Array(memory, place(problem.latency.length), problem.latency.length);
    offset.set(problem.offset);
    value.set(problem.value);
    latency.set(problem.latency);
    return { problem: { offset, value, latency }, budget };
  });
}

t.test("flat problems in shared memory, some or all", async (t) => {
  const pool = await createSolverPool({ workers: 2 });
  t.teardown(() => pool.close());
  const requests = flatRequests(500, 8);
  const expected = await pool.solveFlatBatch(requests);
  const shared = inSharedMemory(requests);
  t.same(await pool.solveFlatBatch(shared), expected);
  t.same(await pool.solveFlatBatch(requests.map((r, i) => (i % 100 === 7 ? r : shared[i]!))), expected);
  t.same(await pool.solveFlatBatch(requests.map((r, i) => (i > 250 ? r : shared[i]!))), expected);
  t.same(createFlatSolver().solve(shared[3]!.problem, shared[3]!.budget), expected[3]);
});

t.test("what is wrong comes back as HalpError: its code, exit code, and which request it was", async (t) => {
  const pool = await createSolverPool({ workers: 2 });
  t.teardown(() => pool.close());
  const flat = flatRequests(300, 4);
  flat[211] = { ...flat[211]!, budget: Number.NaN };
  await t.rejects(pool.solveFlatBatch(flat), { name: "HalpError", code: "HALP_BUDGET", message: /^requests\[211\]: / });
  flat[211] = { problem: { ...flat[0]!.problem, offset: [0, 1] as never }, budget: 1 };
  await t.rejects(pool.solveFlatBatch(flat), { code: "HALP_FLAT", message: /^requests\[211\]: offset must be/ });
  flat[211] = { problem: { ...flat[0]!.problem, offset: Int32Array.of(0, 1) }, budget: 1 };
  await t.rejects(pool.solveFlatBatch(flat), { code: "HALP_FLAT", message: /^requests\[211\]: / });
  const requests = Array.from({ length: 40 }, (_, i) => randomProblem(i + 1));
  const wrong = { ...requests[33]!.problem, variables: [{ name: "a", values: [Number.NaN] }] };
  await t.rejects(pool.solveBatch([...requests, { problem: wrong, budget: 1 }]), {
    code: "HALP_PROBLEM_NUMBER",
    exitCode: 2,
    message: /^requests\[40\]: variable "a": values\[0\]/,
  });
  await t.rejects(pool.solve(wrong, 1), { message: /^variable "a"/ });
  await t.rejects(pool.solveBatch("x" as never), { code: "HALP_BATCH" });
  await t.rejects(pool.solveBatch([null as never]), { code: "HALP_BATCH" });
  await t.rejects(pool.solveFlatBatch([null as never]), { code: "HALP_FLAT" });
  for (const limits of [{ gap: 2 }, { timeLimitMs: "1" }, { stopped: () => true }])
    await t.rejects(pool.solve(requests[0]!.problem, 1, limits as never), { code: "HALP_LIMIT" });
  const options: readonly (readonly [unknown, string])[] = [
    [{ workers: 1.5 }, "HALP_POOL"],
    [{ backend: "magic" }, "HALP_BACKEND"],
    [{ memoryLimitBytes: 3 }, "HALP_LIMIT"],
    [{ startWorker: 3 }, "HALP_POOL"],
  ];
  for (const [given, code] of options) await t.rejects(createSolverPool(given as SolverPoolOptions), { code });
  t.match(await pool.solve(requests[0]!.problem, requests[0]!.budget), { format: "halp.solution/1" }, "and goes on");
});

t.test("limits and signals reach the workers", async (t) => {
  for (const backend of ["wasm", "js"] as const) {
    const pool = await createSolverPool({ workers: 2, backend });
    t.teardown(() => pool.close());
    const hard = hardProblem("strong", 300, 60, 10_000, 1);
    for (const limits of [{ timeLimitMs: 1 }, { maxStates: 10 }, { gap: 0.01 }]) {
      const solution = await pool.solve(hard, undefined, limits);
      verify(hard, solution);
      t.equal(solution.status, "feasible", JSON.stringify(limits));
    }
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 50);
    // more than the workers can have begun
    const requests = Array.from({ length: 6 }, () => ({ problem: hard }));
    for (const solution of await pool.solveBatch(requests, { signal: abort.signal })) {
      verify(hard, solution);
      t.equal(solution.status, "feasible");
    }
    t.equal((await pool.solve(hard, undefined, { signal: AbortSignal.abort() })).status, "feasible");
  }
});

t.test("a small request need not wait for the whole of a large batch", async (t) => {
  const pool = await createSolverPool({ workers: 1 });
  t.teardown(() => pool.close());
  const order: string[] = [];
  const batch = pool.solveFlatBatch(flatRequests(5000, 1)).then(() => order.push("batch"));
  const { problem, budget } = randomProblem(1);
  const one = pool.solve(problem, budget).then(() => order.push("one"));
  await Promise.all([batch, one]);
  t.same(order, ["one", "batch"]);
});

t.test("a worker that dies fails what it held, and is replaced", async (t) => {
  const threads: Thread[] = [];
  const start = async (): Promise<Thread> => {
    const thread = await startThread(undefined);
    threads.push(thread);
    return thread;
  };
  const pool = await WorkerPool.start(start, 2, { backend: "wasm", memoryLimitBytes: undefined });
  t.teardown(() => pool.close());
  const hard = hardProblem("strong", 300, 60, 10_000, 1);
  const { problem, budget } = randomProblem(3);
  const expected = solve(problem, budget).value;
  t.equal((await pool.solve(problem, budget)).value, expected);
  // both workers are at it; one is killed
  const held = [pool.solve(hard, undefined, { timeLimitMs: 1500 }), pool.solve(hard, undefined, { timeLimitMs: 1500 })];
  const settled = Promise.allSettled(held);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await threads[0]!.end();
  t.same((await settled).map((s) => s.status).sort(), ["fulfilled", "rejected"]);
  for (const s of await settled) if (s.status === "rejected") t.match(s.reason, { code: "HALP_POOL", exitCode: 1 });
  t.equal(threads.length, 3);
  const answers = await pool.solveBatch(Array.from({ length: 9 }, () => ({ problem, budget })));
  t.ok(answers.every((a) => a.value === expected));
});

t.test("workers that cannot start are given up after some tries, and every caller is told", async (t) => {
  let tries = 0;
  const start = async (): Promise<Thread> => {
    tries++;
    throw new Error("no more threads");
  };
  const pool = await WorkerPool.start(start, 2, { backend: "wasm", memoryLimitBytes: undefined });
  const { problem, budget } = randomProblem(3);
  await t.rejects(pool.solve(problem, budget), { code: "HALP_POOL", message: /no more threads/ });
  t.equal(tries, 6);
  await pool.close();
});

t.test("closing with work under way and waiting rejects all of it, at once and for good", async (t) => {
  const pool = await createSolverPool({ workers: 1 });
  const hard = hardProblem("strong", 300, 60, 10_000, 1);
  const open = [pool.solve(hard), pool.solveBatch([{ problem: hard }, { problem: hard }]), pool.solveFlatBatch([])];
  const settled = Promise.allSettled(open);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await pool.close();
  t.same(
    (await settled).map((s) => s.status),
    ["rejected", "rejected", "fulfilled"],
  );
  await t.rejects(pool.solve(hard), { code: "HALP_POOL" });
  await pool.close();
});

t.test("a pool takes no more requests than it may hold, and takes them again when some are answered", async (t) => {
  const pool = await createSolverPool({ workers: 1, maxOpen: 5 });
  t.teardown(() => pool.close());
  const { problem, budget } = randomProblem(3);
  const held = pool.solveBatch(Array.from({ length: 4 }, () => ({ problem, budget })));
  t.equal(pool.open, 4);
  await t.rejects(
    pool.solveBatch([
      { problem, budget },
      { problem, budget },
    ]),
    {
      code: "HALP_POOL_FULL",
      exitCode: 1,
      message: /4 requests open and takes 5 at most: 2 more/,
    },
  );
  await t.rejects(pool.solveFlatBatch(flatRequests(6, 1)), { code: "HALP_POOL_FULL" });
  t.equal((await pool.solve(problem, budget)).status, (await held)[0]!.status, "one more fits");
  t.equal(pool.open, 0);
  t.equal((await pool.solveBatch(Array.from({ length: 5 }, () => ({ problem, budget })))).length, 5);
  await t.rejects(pool.solve({ ...problem, format: "x" } as never, budget), { code: /^HALP_/ });
  t.equal(pool.open, 0, "what fails is not open any more");
  for (const maxOpen of [0, -1, 1.5, Number.NaN, 2 ** 40])
    await t.rejects(createSolverPool({ maxOpen }), { code: "HALP_POOL" });
});
