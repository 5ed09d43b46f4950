import type { FlatProblem, FlatSolution } from "../wasm/flat-solver.js";

// Flat problems cross to a worker many at once, copied into two arrays whose memory changes hands: cloning each problem's
// own arrays would cost as much as a third of solving it, and the caller's stay the caller's. Arrays in shared memory are not
// copied at all.

/** A flat problem of a batch. */
export interface FlatRequest {
  readonly problem: FlatProblem;
  readonly budget: number;
}

/**
 * `ints`: for each problem the lengths of its three arrays, then its offset; `doubles`: budget, values, latencies. Or, where
 * the arrays of all lie in one shared memory: in place of the offset where the three begin in it, in bytes; and of `doubles`
 * only the budget.
 */
export interface PackedProblems {
  readonly count: number;
  readonly ints: Int32Array<ArrayBuffer>;
  readonly doubles: Float64Array<ArrayBuffer>;
  readonly shared: SharedArrayBuffer | null;
}

/** `numbers`: for each problem status, value, latency, upper bound and gap. `choices` one after the other. */
export interface PackedAnswers {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly choices: Int32Array<ArrayBuffer>;
  /** The problems' memory, to be used again. */
  readonly spare: PackedProblems;
}

const statuses = ["optimal", "feasible", "infeasible"] as const;
const numbersEach = 5;

/** Numbers held by a problem's arrays. */
export function sizeOf({ problem }: FlatRequest): number {
  return problem.offset.length + problem.value.length + problem.latency.length + 4;
}

/** Packs requests from .. to - 1. @param spare memory to use where it is large enough */
export function pack(
  requests: readonly FlatRequest[],
  from: number,
  to: number,
  spare: PackedProblems | undefined,
): PackedProblems {
  const shared = sharedMemory(requests, from, to);
  let intCount = 0;
  let doubleCount = 0;
  for (let i = from; i < to; i++) {
    const { problem } = requests[i]!;
    intCount += 3 + (shared === null ? problem.offset.length : 3);
    doubleCount += 1 + (shared === null ? problem.value.length + problem.latency.length : 0);
  }
  const ints = spare !== undefined && spare.ints.length >= intCount ? spare.ints : new Int32Array(intCount);
  const doubles =
    spare !== undefined && spare.doubles.length >= doubleCount ? spare.doubles : new Float64Array(doubleCount);
  let n = 0;
  let d = 0;
  for (let i = from; i < to; i++) {
    const { problem, budget } = requests[i]!;
    const { offset, value, latency } = problem;
    ints[n++] = offset.length;
    ints[n++] = value.length;
    ints[n++] = latency.length;
    doubles[d++] = budget;
    if (shared !== null) {
      ints[n++] = offset.byteOffset;
      ints[n++] = value.byteOffset;
      ints[n++] = latency.byteOffset;
      continue;
    }
    ints.set(offset, n);
    n += offset.length;
    doubles.set(value, d);
    d += value.length;
    doubles.set(latency, d);
    d += latency.length;
  }
  return { count: to - from, ints, doubles, shared };
}

/** The one shared memory that all arrays of the requests lie in; null where there is none, or its addresses are too large. */
function sharedMemory(requests: readonly FlatRequest[], from: number, to: number): SharedArrayBuffer | null {
  if (typeof SharedArrayBuffer !== "function") return null;
  const memory: ArrayBufferLike = requests[from]!.problem.value.buffer;
  if (!(memory instanceof SharedArrayBuffer) || memory.byteLength >= 2 ** 31) return null;
  for (let i = from; i < to; i++) {
    const { offset, value, latency } = requests[i]!.problem;
    const inside = offset.buffer === memory && value.buffer === memory && latency.buffer === memory;
    const plain = offset instanceof Int32Array && value instanceof Float64Array && latency instanceof Float64Array;
    if (!inside || !plain) return null;
  }
  return memory;
}

/** Answers packed problems one after the other. `answer` is told each one's number. */
export function answerPacked(
  problems: PackedProblems,
  answer: (i: number, problem: FlatProblem, budget: number, out: FlatSolution) => void,
): PackedAnswers {
  const { count, ints, doubles, shared } = problems;
  let variables = 0;
  for (let i = 0, n = 0; i < count; i++) {
    variables += Math.max(0, ints[n]! - 1);
    n += 3 + (shared === null ? ints[n]! : 3);
  }
  const numbers = new Float64Array(count * numbersEach);
  const choices = new Int32Array(variables);
  let n = 0;
  let d = 0;
  let c = 0;
  for (let i = 0; i < count; i++) {
    const at = n + 3;
    const budget = doubles[d]!;
    const problem = shared === null ? copied(ints, n, doubles, d) : inPlace(ints, n, shared);
    const choice = choices.subarray(c, c + Math.max(0, problem.offset.length - 1));
    n = at + (shared === null ? problem.offset.length : 3);
    d += 1 + (shared === null ? problem.value.length + problem.latency.length : 0);
    c += choice.length;
    const out: FlatSolution = { status: "optimal", choice, value: 0, latency: 0, upperBound: 0, gap: 0 };
    answer(i, problem, budget, out);
    const to = i * numbersEach;
    numbers[to] = statuses.indexOf(out.status);
    numbers[to + 1] = out.value;
    numbers[to + 2] = out.latency;
    numbers[to + 3] = out.upperBound;
    numbers[to + 4] = out.gap;
  }
  return { numbers, choices, spare: problems };
}

/** The problem whose part of `ints` begins at n, and of `doubles` at d. */
function copied(ints: Int32Array, n: number, doubles: Float64Array, d: number): FlatProblem {
  const valueAt = d + 1;
  const latencyAt = valueAt + ints[n + 1]!;
  return {
    offset: ints.subarray(n + 3, n + 3 + ints[n]!),
    value: doubles.subarray(valueAt, latencyAt),
    latency: doubles.subarray(latencyAt, latencyAt + ints[n + 2]!),
  };
}

function inPlace(ints: Int32Array, n: number, memory: SharedArrayBuffer): FlatProblem {
  return {
    offset: new Int32Array(memory, ints[n + 3]!, ints[n]!),
    value: new Float64Array(memory, ints[n + 4]!, ints[n + 1]!),
    latency: new Float64Array(memory, ints[n + 5]!, ints[n + 2]!),
  };
}

/** Writes the answers of `requests` from number `first` on. */
export function unpack(
  { numbers, choices }: PackedAnswers,
  requests: readonly FlatRequest[],
  first: number,
  answers: FlatSolution[],
): void {
  let c = 0;
  for (let at = 0, i = first; at < numbers.length; at += numbersEach, i++) {
    const variables = Math.max(0, requests[i]!.problem.offset.length - 1);
    answers[i] = {
      status: statuses[numbers[at]!]!,
      choice: choices.slice(c, c + variables),
      value: numbers[at + 1]!,
      latency: numbers[at + 2]!,
      upperBound: numbers[at + 3]!,
      gap: numbers[at + 4]!,
    };
    c += variables;
  }
}
