import type { HalpError } from "../../errors.js";
import type { Limits } from "../limits.js";
import type { Request } from "../requests.js";
import type { Solution } from "../types.js";
import type { FlatSolution } from "../wasm/flat-solver.js";
import type { Reply, SentLimits, Work } from "./messages.js";
import { type FlatRequest, type PackedProblems, pack, sizeOf, unpack } from "./packing.js";

/** Requests sent to a worker at once: enough to hide the message, few enough to share evenly. */
const mostAtOnce = 128;
/** As many while it is not known how long one takes: the workers begin soon, and a few hard ones do not all go to one. */
const firstAtOnce = 32;
/** What a part should take at least, in milliseconds: a message costs both sides some hundredths of one. */
const leastMs = 0.5;
/** Numbers in a message of several problems: a few megabytes. */
const mostNumbers = 400_000;

/** How limits go to a pool: a signal in place of a function, which another thread could not call. */
export interface PoolLimits extends Omit<Limits, "stopped"> {
  /**
   * When it aborts, every answer is the best so far; what has not begun gets the answer of a search that is stopped at once.
   * (In pages that have no SharedArrayBuffer, what is under way is finished first.)
   */
  readonly signal?: AbortSignal | undefined;
}

/** What requests of a kind become on their way to a worker and back. */
export interface RequestKind<R, A> {
  /** Where a part from `from` ends, `to` at most. */
  end(requests: readonly R[], from: number, to: number): number;
  part(requests: readonly R[], from: number, to: number, spare: PackedProblems | undefined): Work;
  read(requests: readonly R[], first: number, reply: Reply, answers: A[]): void;
}

/** As many requests as fit a message, one at least. */
function endBySize<R>(requests: readonly R[], from: number, to: number, size: (request: R) => number): number {
  let end = from + 1;
  for (let n = size(requests[from]!); end < to; end++) {
    n += size(requests[end]!);
    if (n > mostNumbers) break;
  }
  return end;
}

/** About as many numbers as a problem has; the worker checks it. */
function entriesOf(request: Request): number {
  const lengthOf = (x: unknown): number => (Array.isArray(x) ? x.length : 0);
  const { factors } = (request?.problem ?? {}) as { readonly factors?: unknown };
  if (!Array.isArray(factors)) return 0;
  return factors.reduce((n: number, factor: { readonly latency?: unknown } | null) => {
    const table = factor?.latency;
    return n + lengthOf(table) * Math.max(1, Array.isArray(table) ? lengthOf(table[0]) : 0);
  }, 0);
}

export const problemRequests: RequestKind<Request, Solution> = {
  end: (requests, from, to) => endBySize(requests, from, to, entriesOf),
  part: (requests, from, to) => ({ kind: "problems", first: from, requests: requests.slice(from, to) }),
  read(_, first, reply, answers) {
    if (reply.kind === "problems")
      for (let i = 0; i < reply.answers.length; i++) answers[first + i] = reply.answers[i]!;
  },
};

export const flatRequests: RequestKind<FlatRequest, FlatSolution> = {
  end: (requests, from, to) => endBySize(requests, from, to, sizeOf),
  part: (requests, from, to, spare) => ({ kind: "flat", first: from, problems: pack(requests, from, to, spare) }),
  read(requests, first, reply, answers) {
    if (reply.kind === "flat") unpack(reply.answers, requests, first, answers);
  },
};

/** Requests under way: they leave in parts, whenever a worker is free. */
export class Call<R, A> {
  readonly answered: Promise<A[]>;
  readonly #kind: RequestKind<R, A>;
  readonly #requests: readonly R[];
  readonly #answers: A[];
  readonly #given: PoolLimits;
  readonly #stop = sharedFlag();
  readonly #abort = (): void => this.#halt();
  #resolve!: (answers: A[]) => void;
  #reject!: (error: HalpError) => void;
  #next = 0;
  /** Milliseconds that workers took for a request so far; unknown at first. */
  #msEach = Number.NaN;
  #left: number;
  #over = false;

  constructor(kind: RequestKind<R, A>, requests: readonly R[], limits: PoolLimits) {
    this.#kind = kind;
    this.#requests = requests;
    this.#answers = new Array(requests.length);
    this.#given = limits;
    this.#left = requests.length;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { signal } = limits;
    if (signal?.aborted === true) this.#halt();
    else signal?.addEventListener("abort", this.#abort);
    if (this.#left === 0) this.#end(() => this.#resolve(this.#answers));
  }

  /** Whether a part is left to take. */
  get waiting(): boolean {
    return !this.#over && this.#next < this.#requests.length;
  }

  get limits(): SentLimits {
    const { signal, timeLimitMs, maxStates, gap } = this.#given;
    return { timeLimitMs: signal?.aborted === true ? 0 : timeLimitMs, maxStates, gap, stop: this.#stop };
  }

  /**
   * The next part.
   * @param shares in how many parts the rest is at work at once
   * @param spare memory that the part may use
   */
  take(shares: number, spare: PackedProblems | undefined): Work {
    const from = this.#next;
    // parts get smaller towards the end, so that all workers finish together
    const fair = Math.ceil((this.#requests.length - from) / (2 * shares));
    const wanted = this.#msEach >= 0 ? Math.max(fair, Math.floor(leastMs / this.#msEach)) : Math.min(fair, firstAtOnce);
    const to = Math.min(this.#requests.length, from + Math.min(mostAtOnce, wanted));
    this.#next = this.#kind.end(this.#requests, from, to);
    return this.#kind.part(this.#requests, from, this.#next, spare);
  }

  /** Takes a part's answers. */
  accept(first: number, count: number, reply: Reply): void {
    if (this.#over) return;
    this.#kind.read(this.#requests, first, reply, this.#answers);
    if (reply.kind !== "failure") this.#msEach = reply.elapsedMs / count;
    this.#left -= count;
    if (this.#left === 0) this.#end(() => this.#resolve(this.#answers));
  }

  fail(error: HalpError): void {
    if (this.#over) return;
    // what other workers still do for this call is of no use
    this.#halt();
    this.#end(() => this.#reject(error));
  }

  #halt(): void {
    if (this.#stop !== null) Atomics.store(this.#stop, 0, 1);
  }

  #end(settle: () => void): void {
    this.#over = true;
    this.#given.signal?.removeEventListener("abort", this.#abort);
    settle();
  }
}

/** Memory that both sides see; of pages, only isolated ones have it. */
function sharedFlag(): Int32Array | null {
  return typeof SharedArrayBuffer === "function" ? new Int32Array(new SharedArrayBuffer(4)) : null;
}
