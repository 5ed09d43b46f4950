/** Importance and latency become one knapsack problem, and its solution a plan. */

import type { Coupling, CouplingGroup, Plan } from "../coupling/index.js";
import { widthAt } from "../coupling/widths.js";
import type { Factor, Problem, Solution } from "../solver/index.js";
import { SumVariables, type WidthSum } from "./sums.js";

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

/** What a layer's latency depends on: how many channels a group keeps (by id), or the width that several make together. */
export type Side = number | WidthSum;

/** The width of a side where each variable keeps so many channels (by its number). */
export function widthOf(side: Side, counts: ArrayLike<number>): number {
  return typeof side === "number" ? (counts[side] as number) : widthAt(side, counts);
}

/** Nanoseconds as functions of how many channels groups keep. */
export interface LatencyTerms {
  /** What depends on one group alone. */
  readonly alone: (group: number, count: number) => number;
  /** Layers that depend on two groups together (their producer's and their own, say), or on sums of groups. */
  readonly layers: readonly {
    readonly sides: readonly [Side] | readonly [Side, Side];
    readonly latencyNs: (first: number, second: number) => number;
  }[];
}

/** What a device takes, and may take. */
export interface DeviceTerms {
  /** Different from those of other devices. */
  readonly name: string;
  readonly terms: LatencyTerms;
  /** What all terms together may take. */
  readonly budgetNs: number;
}

/**
 * One variable for each group and for each sum, one factor for each group, and one for what layers depend on: a layer's
 * latency depends on both its sides. (HALP's own form, arXiv 2110.10811 eq. 5, has factors of one variable only: inputs
 * are held at their present width.) With several devices there is a budget for each, and each has its factors.
 * @param variables by group id.
 * @param devices one at least
 */
export function buildProblem(variables: readonly PruneVariable[], devices: readonly DeviceTerms[]): Problem {
  const sums = new SumVariables(variables);
  const ofGroup = (group: number) => {
    const { group: its, options } = variables[group] as PruneVariable;
    return { name: its.name, widths: options };
  };
  const ofSide = (side: Side) => (typeof side === "number" ? ofGroup(side) : sums.of(side));
  const factors = devices.flatMap(({ name, terms }) => {
    const device = devices.length > 1 ? { device: name } : {};
    const alone = variables.map(
      (v): Factor => ({
        variables: [v.group.name],
        latency: v.options.map((count) => terms.alone(v.group.id, count)),
        ...device,
      }),
    );
    const layers = terms.layers.map(({ sides: [first, second], latencyNs }): Factor => {
      const a = ofSide(first);
      if (second === undefined)
        return { variables: [a.name], latency: a.widths.map((x) => latencyNs(x, 0)), ...device };
      const b = ofSide(second);
      const latency = a.widths.map((x) => b.widths.map((y) => latencyNs(x, y)));
      return { variables: [a.name, b.name], latency, ...device };
    });
    return [...alone, ...layers];
  });
  const [only] = devices as readonly [DeviceTerms];
  return {
    format: "halp.problem/1",
    unit: "ns",
    ...(devices.length > 1
      ? { budgets: Object.fromEntries(devices.map((d) => [d.name, d.budgetNs])) }
      : { budget: only.budgetNs }),
    variables: [...variables.map((v) => ({ name: v.group.name, values: v.values })), ...sums.variables],
    factors: [...factors, ...sums.factors],
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
