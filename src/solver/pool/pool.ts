import { HalpError } from "../../errors.js";
import type { BackendName } from "../backend.js";
import type { Limits } from "../limits.js";
import type { Request } from "../solver.js";
import type { Problem, Solution } from "../types.js";
import type { FlatSolution } from "../wasm/flat-solver.js";
import type { FlatRequest, Reply, Task } from "./messages.js";
import { startThread, type Thread } from "./thread.js";

/** Distributes the Omit over the kinds of task. */
type NewTask = Task extends infer T ? (T extends Task ? Omit<T, "id"> : never) : never;

interface Job {
  readonly task: NewTask;
  resolve(answers: readonly (Solution | FlatSolution)[]): void;
  reject(error: unknown): void;
}

export interface SolverPoolOptions {
  /** How many workers; default 2. */
  readonly workers?: number;
  /** Default `wasm`. */
  readonly backend?: BackendName;
}

/** Solvers in worker threads, for many callers. Idle workers do not keep the process alive. */
export interface SolverPool {
  readonly size: number;
  /** @throws HalpError as solve (the promise is rejected); HALP_POOL if the pool is closed or a worker fails */
  solve(problem: Problem, budget?: number, limits?: Limits): Promise<Solution>;
  /** Answers in the order of the requests. One wrong problem rejects the whole batch. */
  solveBatch(requests: readonly Request[], limits?: Limits): Promise<Solution[]>;
  /** As solveBatch, for flat problems: cheaper to send. */
  solveFlatBatch(requests: readonly FlatRequest[], limits?: Limits): Promise<FlatSolution[]>;
  /** Ends the workers; what is still open is rejected. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Requests sent to a worker at once: enough to hide the message, few enough to share evenly. */
const chunk = 32;

class WorkerPool implements SolverPool {
  readonly size: number;
  readonly #backend: BackendName;
  readonly #idle: Thread[];
  readonly #threads: readonly Thread[];
  readonly #waiting: Job[] = [];
  readonly #running = new Map<Thread, { readonly id: number; readonly job: Job }>();
  #nextId = 0;
  #closed = false;

  constructor(threads: readonly Thread[], backend: BackendName) {
    this.size = threads.length;
    this.#backend = backend;
    this.#threads = threads;
    this.#idle = [...threads];
    for (const thread of threads) {
      thread.hold(false);
      thread.listen((message) => this.#finish(thread, message as Reply));
      thread.onFailure((reason) => this.#fail(thread, reason));
    }
  }

  async solve(problem: Problem, budget?: number, limits: Limits = {}): Promise<Solution> {
    const request: Request = budget === undefined ? { problem } : { problem, budget };
    const [solution] = await this.#run({ kind: "problems", backend: this.#backend, requests: [request], limits });
    return solution as Solution;
  }

  async solveBatch(requests: readonly Request[], limits: Limits = {}): Promise<Solution[]> {
    const parts = chunks(requests).map((part) =>
      this.#run({ kind: "problems", backend: this.#backend, requests: part, limits }),
    );
    return (await Promise.all(parts)).flat() as Solution[];
  }

  async solveFlatBatch(requests: readonly FlatRequest[], limits: Limits = {}): Promise<FlatSolution[]> {
    const parts = chunks(requests).map((part) => this.#run({ kind: "flat", requests: part, limits }));
    return (await Promise.all(parts)).flat() as FlatSolution[];
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#waiting.splice(0), ...[...this.#running.values()].map(({ job }) => job)];
    this.#running.clear();
    for (const job of open) job.reject(new HalpError("HALP_POOL", "the solver pool was closed", { exitCode: 1 }));
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #run(task: NewTask): Promise<readonly (Solution | FlatSolution)[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new HalpError("HALP_POOL", "the solver pool is closed", { exitCode: 1 }));
        return;
      }
      this.#waiting.push({ task, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    while (this.#waiting.length > 0 && this.#idle.length > 0) {
      const thread = this.#idle.pop()!;
      const job = this.#waiting.shift()!;
      const id = this.#nextId++;
      this.#running.set(thread, { id, job });
      thread.hold(true);
      try {
        thread.post({ ...job.task, id } satisfies Task);
      } catch (cause) {
        // what cannot be cloned (a function, say) never left
        this.#release(thread);
        job.reject(new HalpError("HALP_POOL", `the problem cannot be sent to a worker: ${String(cause)}`, { cause }));
      }
    }
  }

  #release(thread: Thread): void {
    this.#running.delete(thread);
    this.#idle.push(thread);
    thread.hold(false);
  }

  #finish(thread: Thread, reply: Reply): void {
    const running = this.#running.get(thread);
    if (running === undefined || running.id !== reply.id) return;
    this.#release(thread);
    if ("answers" in reply) running.job.resolve(reply.answers);
    else {
      const { code, message, exitCode } = reply.failure;
      running.job.reject(new HalpError(code, message, exitCode === undefined ? {} : { exitCode }));
    }
    this.#assign();
  }

  #fail(thread: Thread, reason: string): void {
    if (this.#closed) return;
    const running = this.#running.get(thread);
    this.#running.delete(thread);
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
    const error = new HalpError("HALP_POOL", `a solver worker failed: ${reason}`, { exitCode: 1 });
    running?.job.reject(error);
    // with the last worker gone nobody will take what waits
    if (this.#idle.length === 0 && this.#running.size === 0)
      for (const job of this.#waiting.splice(0)) job.reject(error);
  }
}

function chunks<T>(requests: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let i = 0; i < requests.length; i += chunk) parts.push(requests.slice(i, i + chunk));
  return parts;
}

/**
 * Starts a pool of solvers in worker threads.
 * @throws HalpError HALP_POOL if the number of workers is not a whole number from 1 to 256
 */
export async function createSolverPool(options: SolverPoolOptions = {}): Promise<SolverPool> {
  const workers = options.workers ?? 2;
  if (!Number.isInteger(workers) || workers < 1 || workers > 256)
    throw new HalpError("HALP_POOL", `workers must be a whole number from 1 to 256, not ${String(workers)}`);
  const url = new URL("./worker.js", import.meta.url);
  const threads = await Promise.all(Array.from({ length: workers }, () => startThread(url)));
  return new WorkerPool(threads, options.backend ?? "wasm");
}
