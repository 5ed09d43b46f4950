/** One coupling group, as the solver sees it: `values[i]` is what option i is worth; larger is better. */
export interface Variable {
  readonly name: string;
  /** One finite number per option; at least one. May be negative. */
  readonly values: readonly number[];
}

/** A table over one variable: `latency[i]` is paid when the variable takes option i; `null` forbids the option. */
export interface UnaryFactor {
  readonly variables: readonly [string];
  readonly latency: readonly (number | null)[];
  /** Value gained beside the variable's own, of the same shape as `latency`. */
  readonly value?: readonly number[];
  /** In a problem of several devices: the one whose latency this is; without it, of each of them. */
  readonly device?: string;
}

/** A table over two variables: `latency[i][j]`, i an option of the first, j of the second; `null` forbids the pair. */
export interface PairFactor {
  readonly variables: readonly [string, string];
  readonly latency: readonly (readonly (number | null)[])[];
  /** Value gained beside the variables' own, of the same shape as `latency`. */
  readonly value?: readonly (readonly number[])[];
  readonly device?: string;
}

export type Factor = UnaryFactor | PairFactor;

/** `halp.problem/1`: choose one option per variable; maximise total value with total latency within the budget. */
export interface Problem {
  readonly format: "halp.problem/1";
  /** The unit of every latency and of the budget; only carried along. */
  readonly unit?: string;
  readonly budget?: number;
  /** In place of `budget`, by device: latency is summed for each device apart, and each sum has to be within its budget. */
  readonly budgets?: Readonly<Record<string, number>>;
  readonly variables: readonly Variable[];
  readonly factors: readonly Factor[];
}

/**
 * `optimal`: proven best. `feasible`: within budget, but a limit stopped the proof; `upperBound` and `gap` say how far it got.
 * `infeasible`: proven that no choice meets the budget. `unknown`: a limit stopped the search before any choice within the
 * budget was found or shown impossible (joint problems too wide for exact search, and problems of several devices).
 */
export type SolutionStatus = "optimal" | "feasible" | "infeasible" | "unknown";

/** The step of the integer grid on which the problem was solved exactly, in the problem's own units. */
export interface Quantum {
  readonly value: number;
  readonly latency: number;
}

/** `halp.solution/1`. */
export interface Solution {
  readonly format: "halp.solution/1";
  readonly status: SolutionStatus;
  /**
   * The option taken by each variable. With `infeasible`, the choice of smallest latency (with several devices the one that
   * passes the budgets least, of those that were met); empty if every choice is forbidden.
   */
  readonly choice: Readonly<Record<string, number>>;
  readonly value: number;
  /** Of several devices, that of the first of `budgets`. */
  readonly latency: number;
  /** Only with several devices: the latency on each. */
  readonly latencies?: Readonly<Record<string, number>>;
  /** No choice within the budget is worth more. Equals `value` when optimal. */
  readonly upperBound: number;
  /** (upperBound - value) / max(|upperBound|, |value|); 0 when optimal. */
  readonly gap: number;
  readonly elapsedMs: number;
  readonly quantum: Quantum;
  /**
   * Only with `infeasible`: the smallest latency that any choice reaches; `null` if every choice is forbidden; absent where
   * a joint problem is too wide to find it, and with several devices.
   */
  readonly smallestLatency?: number | null;
}
