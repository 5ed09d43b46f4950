/**
 * One step: the most important set of channels whose predicted latency meets a target.
 *
 * The separable problem is exact in each group alone; what two groups do to a layer together it knows to first order. So
 * it is solved, the network it gives is predicted as a whole, and it is solved again with all groups held where they
 * came to lie, until the prediction meets the target.
 */

import type { Coupling, CouplingGroup, Plan } from "../coupling/index.js";
import { axisWidths, dimsAt } from "../coupling/widths.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { type LayerConfig, type Network, type Segment, segmentConfigs } from "../latency/index.js";
import { buildProblem, countsOf, type PruneVariable, planOf } from "../problem/index.js";
import { solve } from "../solver/index.js";
import type { Oracle } from "./oracle.js";

/** A network that a plan gave, with its predicted latency. */
export interface Candidate<Model> {
  readonly plan: Plan;
  readonly model: Model;
  readonly predictedNs: number;
  readonly importance: number;
}

export interface SearchInput<Model> {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  readonly variables: readonly PruneVariable[];
  readonly oracle: Oracle;
  /** Predicted latency that the network may have. */
  readonly targetNs: number;
  /** Predicted latency of the network as it is. */
  readonly presentNs: number;
  /** Rewrites the graph by the plan and predicts its latency. */
  readonly predict: (plan: Plan) => Promise<{ model: Model; predictedNs: number }>;
  /** Solutions tried at most. Default 8. */
  readonly iterations?: number;
  readonly signal?: AbortSignal;
}

/**
 * @throws HalpError HALP_INFEASIBLE_BUDGET (exit code 3) with the smallest latency that was reached.
 */
export async function searchPlan<Model>(input: SearchInput<Model>): Promise<Candidate<Model>> {
  const { variables, targetNs } = input;
  let reference: Int32Array = Int32Array.from(variables, (v) => v.group.size);
  let predictedNs = input.presentNs;
  let best: Candidate<Model> | undefined;
  let smallest = Number.POSITIVE_INFINITY;
  let aim = targetNs;
  const tables = await TableBuilder.open(input);
  for (let round = 0; round < (input.iterations ?? 8); round++) {
    input.signal?.throwIfAborted();
    const latencyOf = await tables.at(reference);
    const held = variables.reduce((sum, v, i) => sum + latencyOf(v.group, reference[i] as number), 0);
    const problem = buildProblem(variables, latencyOf, aim - predictedNs + held);
    const solution = solve(problem);
    const counts = countsOf(variables, solution);
    const plan = planOf(variables, counts);
    const made = await input.predict(plan);
    smallest = Math.min(smallest, made.predictedNs);
    const importance = variables.reduce((s, v, i) => s + (v.values[v.options.indexOf(counts[i] as number)] ?? 0), 0);
    if (made.predictedNs <= targetNs && (!best || importance > best.importance))
      best = { plan, model: made.model, predictedNs: made.predictedNs, importance };
    const settled = counts.every((k, i) => k === reference[i]);
    if (settled && made.predictedNs <= targetNs) break;
    if (made.predictedNs <= targetNs && made.predictedNs >= 0.985 * targetNs) break;
    if (settled) {
      if (solution.status === "infeasible") break;
      aim *= Math.min(0.995, targetNs / made.predictedNs);
    }
    reference = counts;
    predictedNs = made.predictedNs;
  }
  if (best) return best;
  throw new HalpError(
    "HALP_INFEASIBLE_BUDGET",
    `The budget cannot be met: the smallest network has a predicted latency of ${(smallest / 1e6).toFixed(3)} ms, ` +
      `${((100 * smallest) / input.presentNs).toFixed(1)} % of the present ${(input.presentNs / 1e6).toFixed(3)} ms. ` +
      `Give a budget above that, or freeze fewer groups.`,
    { exitCode: 3 },
  );
}

/**
 * The plan of smallest predicted latency, importance apart: each group at its cheapest option, and again with the others
 * held there, until nothing changes.
 */
export async function smallestPlan<Model>(input: Omit<SearchInput<Model>, "targetNs">): Promise<Candidate<Model>> {
  const { variables } = input;
  const tables = await TableBuilder.open(input);
  let reference: Int32Array = Int32Array.from(variables, (v) => v.group.size);
  let best: Candidate<Model> | undefined;
  for (let round = 0; round < (input.iterations ?? 4); round++) {
    input.signal?.throwIfAborted();
    const latencyOf = await tables.at(reference);
    const counts = Int32Array.from(variables, (v) =>
      v.options.reduce((least, k) => (latencyOf(v.group, k) < latencyOf(v.group, least) ? k : least)),
    );
    const plan = planOf(variables, counts);
    const made = await input.predict(plan);
    if (!best || made.predictedNs < best.predictedNs) best = { plan, importance: 0, ...made };
    if (counts.every((k, i) => k === reference[i])) break;
    reference = counts;
  }
  return best as Candidate<Model>;
}

type TableInput = Pick<
  SearchInput<unknown>,
  "analyzed" | "coupling" | "variables" | "oracle" | "predict" | "presentNs"
>;

/** Latency of each group at each of its options, with the others held: measured once, remembered by configuration. */
class TableBuilder {
  readonly #input: TableInput;
  readonly #segmentsOfGroup: ReadonlyMap<number, readonly Segment[]>;
  readonly #widths: ReturnType<typeof axisWidths>;
  /** What vanishes with a group besides the layers that carry its channels (the pooling before a gate, say); by group id. */
  readonly #dragged = new Map<number, number>();

  static async open(input: TableInput): Promise<TableBuilder> {
    const tables = new TableBuilder(input);
    await tables.#findDragged();
    return tables;
  }

  private constructor(input: TableInput) {
    this.#input = input;
    this.#widths = axisWidths(input.coupling);
    const network: Network = input.oracle.networkOf(input.analyzed);
    const map = new Map<number, Segment[]>();
    for (const segment of network.segments) {
      const groups = new Set<number>();
      for (const value of valuesOf(segment))
        for (const w of this.#widths.get(value) ?? []) for (const t of w.terms) groups.add(t.group);
      for (const g of groups) map.set(g, [...(map.get(g) ?? []), segment]);
    }
    this.#segmentsOfGroup = map;
  }

  /** Takes each group that may vanish out of the whole network once, and compares with what its own layers cost. */
  async #findDragged(): Promise<void> {
    const { variables, predict, presentNs, oracle } = this.#input;
    const whole = Int32Array.from(variables, (v) => v.group.size);
    const sum = (configs: readonly LayerConfig[]) => configs.reduce((ns, c) => ns + oracle.latencyNs(c), 0);
    for (const v of variables) {
      if (v.options[0] !== 0 || v.options.length === 1) continue;
      const counts = Int32Array.from(whole);
      counts[v.group.id] = 0;
      const { predictedNs } = await predict(planOf(variables, counts));
      const all = this.#configs(v.group, v.group.size, whole);
      const none = this.#configs(v.group, 0, whole);
      await oracle.ensure([...all, ...none]);
      this.#dragged.set(v.group.id, presentNs - predictedNs - (sum(all) - sum(none)));
    }
  }

  /** Measures what is missing, then answers at once. */
  async at(reference: ArrayLike<number>): Promise<(group: CouplingGroup, count: number) => number> {
    const { variables, oracle } = this.#input;
    const wanted = new Map<string, LayerConfig[]>();
    for (const v of variables) {
      const counts = new Set(v.options.length > 1 ? [...v.options, reference[v.group.id] as number] : v.options);
      for (const count of counts) wanted.set(`${v.group.id}:${count}`, this.#configs(v.group, count, reference));
    }
    await oracle.ensure([...wanted.values()].flat());
    return (group, count) =>
      (wanted.get(`${group.id}:${count}`) ?? []).reduce((sum, c) => sum + oracle.latencyNs(c), 0) -
      (count === 0 ? (this.#dragged.get(group.id) ?? 0) : 0);
  }

  #configs(group: CouplingGroup, count: number, reference: ArrayLike<number>): LayerConfig[] {
    const kept = Int32Array.from(reference);
    kept[group.id] = count;
    const dimsOf = (value: string) => dimsAt(this.#input.analyzed, this.#widths, value, kept);
    // A layer with nothing left on one side is gone, and all that is fused to it.
    const gone = (segment: Segment) => valuesOf(segment).some((v) => this.#widths.has(v) && dimsOf(v)?.includes(0));
    return (this.#segmentsOfGroup.get(group.id) ?? []).flatMap((s) => (gone(s) ? [] : segmentConfigs(s, dimsOf)));
  }
}

/** All values that a segment's nodes read and make, constants included. */
function valuesOf(segment: Segment): string[] {
  return [...new Set([...segment.inputs, ...segment.nodes.flatMap((n) => [...n.inputs, ...n.outputs])])];
}
