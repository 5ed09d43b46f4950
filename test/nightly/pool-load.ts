/** A solver pool under load: many callers, mixed problems, workers that die; every answer is looked at. */
import {
  createFlatSolver,
  type FlatProblem,
  type Problem,
  type Request,
  type Solution,
  solve,
  verify,
} from "../../src/solver/index.js";
import { WorkerPool } from "../../src/solver/pool/pool.js";
import type { Thread } from "../../src/solver/pool/thread.js";
import { startThread } from "../../src/solver/pool/threads.js";
import { hardProblem } from "../solver/hard-problem.js";
import { randomFrom, randomProblem } from "../solver/random-problem.js";
import { mediumProblem } from "./differential.js";

export interface PoolLoad {
  /** Requests sent, by what became of them. */
  readonly answered: number;
  /** Anytime answers among them, for a limit or a signal. */
  readonly stopped: number;
  /** Wrong problems that were refused with the code that they deserve. */
  readonly refused: number;
  /** Requests that were sent again since their worker had died, or the pool was full. */
  readonly repeated: number;
  readonly killed: number;
  /** Most requests that were open at once. */
  readonly mostOpen: number;
  readonly wrong: readonly string[];
  readonly seconds: number;
  /** Resident memory of the process in bytes, looked at every second. */
  readonly residentBytes: readonly number[];
}

export interface PoolLoadOptions {
  /** Requests in all; or as many as go into `seconds`. */
  readonly requests: number;
  readonly seconds?: number;
  readonly callers: number;
  readonly workers: number;
  /** A worker is killed after about so many requests. */
  readonly requestsPerKill: number;
  readonly maxOpen: number;
  readonly seed: number;
}

interface Known {
  readonly problem: Problem;
  readonly budget: number;
  readonly expected: Solution;
}

/** Problems that are worth asking again and again: their answers are found once, by this thread. */
function knownProblems(): Known[] {
  const small = Array.from({ length: 300 }, (_, i) => randomProblem(i + 1, { pairs: i % 2 === 0 }));
  const medium = Array.from({ length: 100 }, (_, i) => mediumProblem(i + 1));
  return [...small, ...medium].map(({ problem, budget }) => ({ problem, budget, expected: solve(problem, budget) }));
}

const flatProblem = (random: () => number): { readonly problem: FlatProblem; readonly budget: number } => {
  const variables = 2 + Math.floor(random() * 20);
  const numbers = () => Float64Array.from({ length: variables * 6 }, () => Math.floor(random() * 100));
  const offset = Int32Array.from({ length: variables + 1 }, (_, i) => i * 6);
  return { problem: { offset, value: numbers(), latency: numbers() }, budget: variables * 45 };
};

const spoilt: readonly (readonly [Request, string])[] = [
  [{ problem: { format: "halp.problem/2", variables: [], factors: [] } as never, budget: 1 }, "HALP_PROBLEM_FORMAT"],
  [{ problem: { format: "halp.problem/1", variables: [], factors: [] }, budget: Number.NaN }, "HALP_BUDGET"],
  [
    {
      problem: {
        format: "halp.problem/1",
        variables: [{ name: "a", values: [Number.POSITIVE_INFINITY] }],
        factors: [],
      },
      budget: 1,
    },
    "HALP_PROBLEM_NUMBER",
  ],
];

/** What is wrong with an answer; undefined where nothing is. */
function fault({ problem, budget, expected }: Known, answer: Solution): string | undefined {
  if (answer.status !== expected.status || answer.value !== expected.value || answer.latency !== expected.latency)
    return `${JSON.stringify(answer)} for ${JSON.stringify(expected)}`;
  verify(problem, answer, budget);
  return undefined;
}

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

export async function poolLoad(options: PoolLoadOptions): Promise<PoolLoad> {
  const { callers, workers, requestsPerKill, maxOpen, seed } = options;
  const known = knownProblems();
  const hard = hardProblem("strong", 200, 60, 10_000, 1);
  const single = createFlatSolver();
  const threads: Thread[] = [];
  const start = async () => {
    const thread = await startThread(undefined);
    threads.push(thread);
    if (threads.length > workers) threads.shift();
    return thread;
  };
  const pool = await WorkerPool.start(start, workers, { backend: "wasm", memoryLimitBytes: 2 ** 28 }, maxOpen);
  const wrong: string[] = [];
  const residentBytes: number[] = [];
  let [sent, answered, stopped, refused, repeated, killed, mostOpen] = [0, 0, 0, 0, 0, 0, 0];
  let nextKill = requestsPerKill;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const goesOn = () => (options.seconds === undefined ? sent < options.requests : elapsed() < options.seconds);
  const watch = setInterval(() => residentBytes.push(process.memoryUsage.rss()), 1000);

  /** Sends until it is answered by a worker that lives. */
  const persist = async <A>(send: () => Promise<A>, count: number): Promise<A> => {
    for (;;) {
      mostOpen = Math.max(mostOpen, pool.open);
      try {
        return await send();
      } catch (error) {
        const code = codeOf(error);
        if (code !== "HALP_POOL" && code !== "HALP_POOL_FULL") throw error;
        repeated += count;
        await new Promise((resolve) => setTimeout(resolve, code === "HALP_POOL_FULL" ? 5 : 0));
      }
    }
  };

  const caller = async (number: number): Promise<void> => {
    const random = randomFrom(seed * 1000 + number);
    const pick = () => known[Math.floor(random() * known.length)]!;
    while (goesOn()) {
      if (sent >= nextKill) {
        killed++;
        nextKill = sent + requestsPerKill * (0.5 + random());
        void threads[Math.floor(random() * threads.length)]!.end();
      }
      const kind = random();
      if (kind < 0.4) {
        sent++;
        const one = pick();
        const found = fault(one, await persist(() => pool.solve(one.problem, one.budget), 1));
        if (found !== undefined) wrong.push(found);
        answered++;
      } else if (kind < 0.7) {
        const batch = Array.from({ length: 1 + Math.floor(random() * 60) }, pick);
        sent += batch.length;
        const answers = await persist(() => pool.solveBatch(batch), batch.length);
        answers.forEach((answer, i) => {
          const found = fault(batch[i]!, answer);
          if (found !== undefined) wrong.push(found);
        });
        answered += batch.length;
      } else if (kind < 0.9) {
        const batch = Array.from({ length: 1 + Math.floor(random() * 200) }, () => flatProblem(random));
        sent += batch.length;
        const answers = await persist(() => pool.solveFlatBatch(batch), batch.length);
        answers.forEach((answer, i) => {
          const own = single.solve(batch[i]!.problem, batch[i]!.budget);
          if (answer.status !== own.status || answer.value !== own.value)
            wrong.push(`flat: ${answer.value}, ${own.value}`);
        });
        answered += batch.length;
      } else if (kind < 0.98) {
        sent++;
        const [request, code] = spoilt[Math.floor(random() * spoilt.length)]!;
        try {
          await persist(() => pool.solve(request.problem, request.budget), 1);
          wrong.push(`answered what deserves ${code}`);
        } catch (error) {
          if (codeOf(error) !== code) wrong.push(`${codeOf(error)} for what deserves ${code}`);
          refused++;
        }
      } else {
        sent++;
        const limits = random() < 0.5 ? { timeLimitMs: 2 } : { signal: AbortSignal.timeout(3) };
        verify(hard, await persist(() => pool.solve(hard, undefined, limits), 1));
        answered++;
        stopped++;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: callers }, (_, i) => caller(i)));
  } finally {
    clearInterval(watch);
    await pool.close();
  }
  residentBytes.push(process.memoryUsage.rss());
  return { answered, stopped, refused, repeated, killed, mostOpen, wrong, seconds: elapsed(), residentBytes };
}
