/** Importance and latency become one knapsack problem, and its solution a plan. */
import type { Coupling, CouplingGroup, Plan } from "../coupling/index.js";
import type { Factor, Problem, Solution } from "../solver/index.js";

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

/** Nanoseconds as functions of how many channels groups keep; groups by id. */
export interface LatencyTerms {
  /** What depends on one group alone. */
  readonly alone: (group: number, count: number) => number;
  /** What depends on two groups together: the layer between a producer group and a consumer group. */
  readonly pairs: readonly {
    readonly groups: readonly [number, number];
    readonly latencyNs: (first: number, second: number) => number;
  }[];
}

/**
 * One variable for each group, one factor for each group, and one for each pair of groups that meet in a layer: the
 * latency of a layer depends on both its sides. (HALP's own form, arXiv 2110.10811 eq. 5, has factors of one variable
 * only: inputs are held at their present width.)
 * @param variables by group id.
 * @param budgetNs what all terms together may take.
 */
export function buildProblem(variables: readonly PruneVariable[], terms: LatencyTerms, budgetNs: number): Problem {
  const nameOf = (group: number) => variables[group]?.group.name ?? "";
  const optionsOf = (group: number) => variables[group]?.options ?? [];
  const alone: Factor[] = variables.map((v) => ({
    variables: [v.group.name] as const,
    latency: v.options.map((count) => terms.alone(v.group.id, count)),
  }));
  const pairs: Factor[] = terms.pairs.map(({ groups: [a, b], latencyNs }) => ({
    variables: [nameOf(a), nameOf(b)] as const,
    latency: optionsOf(a).map((first) => optionsOf(b).map((second) => latencyNs(first, second))),
  }));
  return {
    format: "halp.problem/1",
    unit: "ns",
    budget: budgetNs,
    variables: variables.map((v) => ({ name: v.group.name, values: v.values })),
    factors: [...alone, ...pairs],
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
