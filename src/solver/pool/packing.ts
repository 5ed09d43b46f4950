import type { FlatProblem, FlatSolution } from "../wasm/flat-solver.js";

// Flat problems cross to a worker many at once, copied into two arrays whose memory changes hands: cloning each problem's
// own arrays would cost as much as a third of solving it, and the caller's stay the caller's.

/** A flat problem of a batch. */
export interface FlatRequest {
  readonly problem: FlatProblem;
  readonly budget: number;
}

/** `ints`: for each problem the lengths of its three arrays, and its offset. `doubles`: budget, values, latencies. */
export interface PackedProblems {
  readonly count: number;
  readonly ints: Int32Array<ArrayBuffer>;
  readonly doubles: Float64Array<ArrayBuffer>;
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
  let intCount = 0;
  let doubleCount = 0;
  for (let i = from; i < to; i++) {
    const { problem } = requests[i]!;
    intCount += 3 + problem.offset.length;
    doubleCount += 1 + problem.value.length + problem.latency.length;
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
    ints.set(offset, n);
    n += offset.length;
    doubles[d++] = budget;
    doubles.set(value, d);
    d += value.length;
    doubles.set(latency, d);
    d += latency.length;
  }
  return { count: to - from, ints, doubles };
}

/** Answers packed problems one after the other. `answer` is told each one's number. */
export function answerPacked(
  problems: PackedProblems,
  answer: (i: number, problem: FlatProblem, budget: number, out: FlatSolution) => void,
): PackedAnswers {
  const { count, ints, doubles } = problems;
  let variables = 0;
  for (let i = 0, n = 0; i < count; i++) {
    variables += Math.max(0, ints[n]! - 1);
    n += 3 + ints[n]!;
  }
  const numbers = new Float64Array(count * numbersEach);
  const choices = new Int32Array(variables);
  let n = 0;
  let d = 0;
  let c = 0;
  for (let i = 0; i < count; i++) {
    const offsetAt = n + 3;
    const valueAt = d + 1;
    const latencyAt = valueAt + ints[n + 1]!;
    const offset = ints.subarray(offsetAt, offsetAt + ints[n]!);
    const value = doubles.subarray(valueAt, latencyAt);
    const latency = doubles.subarray(latencyAt, latencyAt + ints[n + 2]!);
    const budget = doubles[d]!;
    const choice = choices.subarray(c, c + Math.max(0, offset.length - 1));
    n = offsetAt + offset.length;
    d = latencyAt + latency.length;
    c += choice.length;
    const out: FlatSolution = { status: "optimal", choice, value: 0, latency: 0, upperBound: 0, gap: 0 };
    answer(i, { offset, value, latency }, budget, out);
    const at = i * numbersEach;
    numbers[at] = statuses.indexOf(out.status);
    numbers[at + 1] = out.value;
    numbers[at + 2] = out.latency;
    numbers[at + 3] = out.upperBound;
    numbers[at + 4] = out.gap;
  }
  return { numbers, choices, spare: problems };
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
