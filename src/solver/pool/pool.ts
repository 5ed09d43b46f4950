import { HalpError } from "../../errors.js";
import type { BackendName } from "../backend.js";
import { checkBackend } from "../check-backend.js";
import { checkLimits, checkMemoryLimit } from "../limits.js";
import { checkRequests, type Request } from "../requests.js";
import { show } from "../show.js";
import type { Problem, Solution } from "../types.js";
import { checkArrays, type FlatSolution } from "../wasm/flat-solver.js";
import { Call, flatRequests, type PoolLimits, problemRequests, type RequestKind } from "./call.js";
import type { Reply, Setup, Task, Work } from "./messages.js";
import type { FlatRequest, PackedProblems } from "./packing.js";
import type { Thread, WebWorker } from "./thread.js";
import { startThread } from "./threads.js";

export interface SolverPoolOptions {
  /** How many workers, 1 to 256; default 2. */
  readonly workers?: number;
  /** Default `wasm`. */
  readonly backend?: BackendName;
  /** As of createSolver, for each worker. */
  readonly memoryLimitBytes?: number;
  /**
   * Requests that may be open at once, over all callers, waiting or under way; what would exceed it is refused at once with
   * HALP_POOL_FULL, whole batches as one. 1 to 2^31 - 1; default 1,000,000.
   */
  readonly maxOpen?: number;
  /**
   * In browsers, where a bundler has moved the files: starts a Web Worker that runs `halp/solver/worker`. Bundlers know
   * `() => new Worker(new URL("halp/solver/worker", import.meta.url), { type: "module" })`.
   */
  readonly startWorker?: () => WebWorker;
}

/**
 * Solvers in worker threads, for many callers: their requests take turns. Idle workers do not keep the process alive. What is
 * handed over is copied (flat problems that lie in one SharedArrayBuffer are not); leave it as it is until the answer is there.
 */
export interface SolverPool {
  readonly size: number;
  /** Requests that are open now: waiting or under way. */
  readonly open: number;
  /**
   * @throws HalpError as solve (the promise is rejected); HALP_POOL if the pool is closed or a worker fails, HALP_POOL_FULL
   *   where more would be open than `maxOpen`
   */
  solve(problem: Problem, budget?: number, limits?: PoolLimits): Promise<Solution>;
  /** Answers in the order of the requests. One wrong problem rejects the whole batch; the message names it. */
  solveBatch(requests: readonly Request[], limits?: PoolLimits): Promise<Solution[]>;
  /** As solveBatch, for flat problems: much cheaper to send. Always by the WASM. */
  solveFlatBatch(requests: readonly FlatRequest[], limits?: PoolLimits): Promise<FlatSolution[]>;
  /** Ends the workers; what is still open is rejected. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A worker's place in the pool. A worker that fails is replaced. */
interface Place {
  thread: Thread | null;
  /** What its worker is at, and what it will do next. */
  readonly jobs: Job[];
  /** Whether its last answer came fast: then the next part is sent ahead, so that the worker need not wait for it. */
  fast: boolean;
  /** Workers that failed here, one after the other, before they answered anything. */
  failures: number;
}

interface Job {
  readonly id: number;
  readonly call: AnyCall;
  readonly first: number;
  readonly count: number;
}

/** A part that is answered within so many milliseconds holds up nothing that waits behind it. */
const fastMs = 20;

type AnyCall = Pick<Call<never, never>, "waiting" | "limits" | "take" | "accept" | "fail">;

/** After so many workers in a row that never answered, a place is given up. */
const mostFailures = 3;

const defaultOpen = 1_000_000;

function poolError(message: string, cause?: unknown): HalpError {
  return new HalpError("HALP_POOL", message, { exitCode: 1, cause });
}

export class WorkerPool implements SolverPool {
  readonly size: number;
  readonly #start: () => Promise<Thread>;
  readonly #setup: Setup;
  readonly #maxOpen: number;
  readonly #places: readonly Place[];
  /** Calls with parts to take, in turn. */
  readonly #calls: AnyCall[] = [];
  readonly #open = new Set<AnyCall>();
  #openRequests = 0;
  readonly #spare: PackedProblems[] = [];
  #nextId = 0;
  #closed: HalpError | null = null;

  private constructor(start: () => Promise<Thread>, size: number, setup: Setup, maxOpen: number) {
    this.size = size;
    this.#maxOpen = maxOpen;
    this.#start = start;
    this.#setup = setup;
    this.#places = Array.from({ length: size }, () => ({ thread: null, jobs: [], fast: false, failures: 0 }));
  }

  /** @throws HalpError HALP_POOL if no thread can be started at all */
  static async start(
    start: () => Promise<Thread>,
    size: number,
    setup: Setup,
    maxOpen: number = defaultOpen,
  ): Promise<WorkerPool> {
    const pool = new WorkerPool(start, size, setup, maxOpen);
    await Promise.all(pool.#places.map((place) => pool.#fill(place)));
    return pool;
  }

  get open(): number {
    return this.#openRequests;
  }

  async solve(problem: Problem, budget?: number, limits?: PoolLimits): Promise<Solution> {
    const request: Request = budget === undefined ? { problem } : { problem, budget };
    try {
      const [solution] = await this.#run(problemRequests, [request], limits);
      return solution!;
    } catch (error) {
      // with one request there is nothing to tell apart
      if (!(error instanceof HalpError)) throw error;
      const { code, exitCode, message } = error;
      throw new HalpError(code, message.replace(/^requests\[0\]: /, ""), { exitCode, cause: error.cause });
    }
  }

  async solveBatch(requests: readonly Request[], limits?: PoolLimits): Promise<Solution[]> {
    checkRequests(requests);
    return this.#run(problemRequests, requests, limits);
  }

  async solveFlatBatch(requests: readonly FlatRequest[], limits?: PoolLimits): Promise<FlatSolution[]> {
    checkRequests(requests);
    for (let i = 0; i < requests.length; i++) checkArrays(requests[i]?.problem as never, `requests[${i}]: `);
    return this.#run(flatRequests, requests, limits);
  }

  async close(): Promise<void> {
    this.#giveUp(poolError("the solver pool is closed"));
    const threads = this.#places.map(({ thread }) => thread);
    // what they still say is not heard: it would let go of them before they have ended
    for (const place of this.#places) place.thread = null;
    await Promise.all(threads.map((thread) => thread?.end()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<R, A>(kind: RequestKind<R, A>, requests: readonly R[], limits: PoolLimits = {}): Promise<A[]> {
    checkLimits(limits);
    if ("stopped" in limits)
      throw new HalpError("HALP_LIMIT", "a pool cannot ask stopped() from another thread; give it a signal instead");
    if (this.#closed !== null) throw this.#closed;
    if (this.#openRequests + requests.length > this.#maxOpen)
      throw new HalpError(
        "HALP_POOL_FULL",
        `the pool has ${this.#openRequests} requests open and takes ${this.#maxOpen} at most: ${requests.length} more are refused; try again when some are answered`,
        { exitCode: 1 },
      );
    const call = new Call(kind, requests, limits);
    this.#openRequests += requests.length;
    if (call.waiting) {
      this.#calls.push(call);
      this.#open.add(call);
      this.#assign();
    }
    try {
      return await call.answered;
    } finally {
      this.#open.delete(call);
      this.#openRequests -= requests.length;
    }
  }

  /** Gives every idle worker a part of the call whose turn it is, then fast ones another to go on with. */
  #assign(): void {
    for (const depth of [0, 1])
      for (const place of this.#places)
        while (place.thread !== null && place.jobs.length === depth && (depth === 0 || place.fast)) {
          const call = this.#nextCall();
          if (call === undefined) return;
          this.#send(place, place.thread, call);
        }
  }

  #send(place: Place, thread: Thread, call: AnyCall): void {
    try {
      const work: Work = call.take(2 * this.size, this.#spare.pop());
      if (call.waiting) this.#calls.push(call);
      const id = this.#nextId++;
      const count = work.kind === "flat" ? work.problems.count : work.requests.length;
      const memory = work.kind === "flat" ? [work.problems.ints.buffer, work.problems.doubles.buffer] : [];
      thread.post({ id, work, limits: call.limits } satisfies Task, memory);
      place.jobs.push({ id, call, first: work.first, count });
      thread.hold(true);
    } catch (cause) {
      // what cannot be cloned (a function, say) never left
      call.fail(new HalpError("HALP_POOL", `the problem cannot be sent to a worker: ${String(cause)}`, { cause }));
    }
  }

  #nextCall(): AnyCall | undefined {
    while (this.#calls.length > 0) {
      const call = this.#calls.shift()!;
      if (call.waiting) return call;
    }
    return undefined;
  }

  #finish(place: Place, thread: Thread, reply: Reply): void {
    // answers come in the order of the parts
    const job = place.jobs[0];
    if (place.thread !== thread || job === undefined || job.id !== reply.id) return;
    place.jobs.shift();
    place.failures = 0;
    place.fast = reply.kind !== "failure" && reply.elapsedMs <= fastMs;
    if (place.jobs.length === 0) thread.hold(false);
    if (reply.kind === "failure") {
      const { code, message, exitCode, node, opType, file } = reply.failure;
      const fields = {
        ...(node === undefined ? {} : { node }),
        ...(opType === undefined ? {} : { opType }),
        ...(file === undefined ? {} : { file }),
      };
      job.call.fail(new HalpError(code, message, { exitCode, ...fields }));
    } else {
      job.call.accept(job.first, job.count, reply);
      if (reply.kind === "flat" && this.#spare.length < 4 * this.size) this.#spare.push(reply.answers.spare);
    }
    this.#assign();
  }

  /** Starts a worker in a place. */
  async #fill(place: Place): Promise<void> {
    let thread: Thread;
    try {
      thread = await this.#start();
    } catch (cause) {
      this.#lose(place, `it could not be started: ${cause instanceof Error ? cause.message : String(cause)}`);
      return;
    }
    if (this.#closed !== null) {
      await thread.end();
      return;
    }
    place.thread = thread;
    thread.listen((message) => this.#finish(place, thread, message as Reply));
    thread.onFailure((reason) => {
      if (place.thread === thread) this.#lose(place, reason);
    });
    thread.post(this.#setup, []);
    thread.hold(false);
    this.#assign();
  }

  /** A worker is gone: what it was at fails, another takes its place. */
  #lose(place: Place, reason: string): void {
    if (this.#closed !== null) return;
    const { thread } = place;
    const jobs = place.jobs.splice(0);
    place.thread = null;
    place.fast = false;
    place.failures++;
    const error = poolError(`a solver worker failed: ${reason}`);
    for (const job of jobs) job.call.fail(error);
    // the thread may only have met an error, and live
    void thread?.end();
    if (place.failures < mostFailures) void this.#fill(place);
    else if (this.#places.every((p) => p.failures >= mostFailures)) this.#giveUp(error);
  }

  /** Closes for good, and tells every caller why. */
  #giveUp(error: HalpError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    this.#calls.length = 0;
    for (const call of this.#open) call.fail(error);
    this.#open.clear();
  }
}

/**
 * Starts a pool of solvers in worker threads; of Web Workers, in browsers.
 * @throws HalpError HALP_POOL if the number of workers is not a whole number from 1 to 256 or maxOpen none above 0;
 *   HALP_BACKEND, HALP_LIMIT
 */
export async function createSolverPool(options: SolverPoolOptions = {}): Promise<SolverPool> {
  const { workers = 2, backend = "wasm", memoryLimitBytes, maxOpen = defaultOpen, startWorker } = options;
  if (!Number.isInteger(workers) || workers < 1 || workers > 256)
    throw new HalpError("HALP_POOL", `workers must be a whole number from 1 to 256, not ${show(workers)}`);
  if (!Number.isInteger(maxOpen) || maxOpen < 1 || maxOpen > 2 ** 31 - 1)
    throw new HalpError("HALP_POOL", `maxOpen must be a whole number from 1 to 2147483647, not ${show(maxOpen)}`);
  if (startWorker !== undefined && typeof startWorker !== "function")
    throw new HalpError("HALP_POOL", `startWorker must be a function that gives a Worker, not ${show(startWorker)}`);
  checkBackend(backend);
  checkMemoryLimit(memoryLimitBytes);
  return WorkerPool.start(() => startThread(startWorker), workers, { backend, memoryLimitBytes }, maxOpen);
}
