/** Importance and latency become one knapsack problem, and its solution a plan. */
import type { Coupling, CouplingGroup, Plan } from "../coupling/index.js";
import type { Problem, Solution } from "../solver/index.js";

export interface PruneVariable {
  readonly group: CouplingGroup;
  /** Numbers of channels that may be kept, ascending; option i of the variable keeps `options[i]`. */
  readonly options: readonly number[];
  /** Channels of the group (numbers within it), most important first; ties by number. */
  readonly ranking: Int32Array;
  /** Importance of the best `options[i]` channels. */
  readonly values: readonly number[];
}

/** @param importance one score, zero or more, for each channel of the coupling, by global number. */
export function rankVariables(
  coupling: Coupling,
  importance: ArrayLike<number>,
  optionsOf: (group: CouplingGroup) => readonly number[],
): PruneVariable[] {
  return coupling.groups.map((group) => {
    const score = (channel: number) => importance[group.start + channel] ?? 0;
    const ranking = Int32Array.from({ length: group.size }, (_, i) => i).sort((a, b) => score(b) - score(a) || a - b);
    const sums = [0];
    for (const channel of ranking) sums.push((sums[sums.length - 1] as number) + score(channel));
    const options = optionsOf(group);
    return { group, options, ranking, values: options.map((k) => sums[k] as number) };
  });
}

/**
 * The separable form of the knapsack: each group's latency with all other groups held at a reference width. To first
 * order in the change it is the latency of the network; HALP's own form (arXiv 2110.10811, eq. 5) besides holds the
 * inputs of each layer.
 * @param latencyOf nanoseconds of everything that depends on the group when it keeps `count` channels.
 * @param budgetNs what all groups together may take.
 */
export function buildProblem(
  variables: readonly PruneVariable[],
  latencyOf: (group: CouplingGroup, count: number) => number,
  budgetNs: number,
): Problem {
  return {
    format: "halp.problem/1",
    unit: "ns",
    budget: budgetNs,
    variables: variables.map((v) => ({ name: v.group.name, values: v.values })),
    factors: variables.map((v) => ({
      variables: [v.group.name] as const,
      latency: v.options.map((count) => latencyOf(v.group, count)),
    })),
  };
}

/** Numbers of channels each group keeps, by group id. */
export function countsOf(variables: readonly PruneVariable[], solution: Pick<Solution, "choice">): Int32Array {
  return Int32Array.from(variables, (v) => v.options[solution.choice[v.group.name] ?? v.options.length - 1] as number);
}

/** The plan that keeps the most important `counts[g]` channels of each group. */
export function planOf(variables: readonly PruneVariable[], counts: ArrayLike<number>): Plan {
  return { kept: variables.map((v, i) => v.ranking.slice(0, counts[i]).sort()) };
}
