/**
 * The latency of a network as the solver wants it: as terms of one group and of two.
 *
 * A layer between two groups would need a measurement for each pair of widths. Only its two edges are measured (each
 * group at every option, the other whole); between them latency(a, b) is taken for latency(a, all) * latency(all, b) /
 * latency(all, all), which holds for work that is proportional to both. That is a guess, and it is only used to choose:
 * every plan that the solver proposes is predicted from measurements alone, what was measured replaces the guess, and
 * the problem is solved again. Layers on which three groups or more meet (they read a concatenation, or the stage of a
 * network whose shortcuts widen by zeros) are taken one group at a time, the others held where the last plan put them.
 */

import type { Coupling } from "../coupling/index.js";
import { axisWidths, dimsAt } from "../coupling/widths.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { type LayerConfig, type Segment, segmentConfigs } from "../latency/index.js";
import type { LatencyTerms, PruneVariable } from "../problem/index.js";
import type { Oracle } from "./oracle.js";

/** How latency depends on widths: on both sides of a layer, or (the paper) on the layer's own outputs alone. */
export type LatencyMode = "joint" | "halp";

interface Layer {
  readonly segment: Segment;
  /** Groups with a choice that the layer depends on, ascending. */
  readonly groups: readonly number[];
}

export interface LatencyModelInput {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  /** By group id. */
  readonly variables: readonly PruneVariable[];
  readonly oracle: Oracle;
  readonly mode?: LatencyMode;
}

export class LatencyModel {
  readonly #input: LatencyModelInput;
  readonly #widths: ReturnType<typeof axisWidths>;
  readonly #layers: readonly Layer[];
  /** Layers of one group, and those of three or more under each of theirs. */
  readonly #alone = new Map<number, Layer[]>();
  /** Layers between two groups. */
  readonly #pairs: readonly { readonly groups: readonly [number, number]; readonly layers: readonly Layer[] }[];
  readonly #whole: Int32Array;
  /** Measured nanoseconds of a layer at the widths of its groups. */
  readonly #known = new Map<Layer, Map<string, number>>();
  /** What vanishes with a group besides the layers that carry its channels (the pooling before a gate, say). */
  readonly #dragged = new Map<number, number>();
  #reference: Int32Array;

  /**
   * Measures the edges.
   * @param withoutGroup predicted nanoseconds of the network without one group that may vanish.
   */
  static async open(
    input: LatencyModelInput,
    presentNs: number,
    withoutGroup: (counts: Int32Array) => Promise<number>,
  ): Promise<LatencyModel> {
    const model = new LatencyModel(input);
    await model.#measureEdges();
    for (const v of input.variables) {
      if (v.options[0] !== 0 || v.options.length === 1) continue;
      const counts = Int32Array.from(model.#whole);
      counts[v.group.id] = 0;
      const own = model.#layers.filter((l) => l.groups.includes(v.group.id));
      const saved = own.reduce((ns, l) => ns + model.#at(l, model.#whole), 0);
      model.#dragged.set(v.group.id, presentNs - (await withoutGroup(counts)) - saved);
    }
    return model;
  }

  private constructor(input: LatencyModelInput) {
    this.#input = input;
    this.#widths = axisWidths(input.coupling);
    this.#whole = Int32Array.from(input.variables, (v) => v.group.size);
    this.#reference = this.#whole;
    const hasChoice = (g: number) => (input.variables[g]?.options.length ?? 0) > 1;
    const seen = (segment: Segment) => (input.mode === "halp" ? segment.outputs : valuesOf(segment));
    this.#layers = input.oracle.networkOf(input.analyzed).segments.flatMap((segment): Layer[] => {
      const groups = new Set<number>();
      for (const value of seen(segment))
        for (const w of this.#widths.get(value) ?? [])
          for (const t of w.terms) if (hasChoice(t.group)) groups.add(t.group);
      return groups.size > 0 ? [{ segment, groups: [...groups].sort((a, b) => a - b) }] : [];
    });
    const pairs = new Map<string, { groups: readonly [number, number]; layers: Layer[] }>();
    for (const layer of this.#layers) {
      const [a, b] = layer.groups;
      if (layer.groups.length === 2 && a !== undefined && b !== undefined) {
        const pair = pairs.get(`${a},${b}`) ?? { groups: [a, b] as const, layers: [] };
        pair.layers.push(layer);
        pairs.set(`${a},${b}`, pair);
      } else for (const g of layer.groups) this.#alone.set(g, [...(this.#alone.get(g) ?? []), layer]);
    }
    this.#pairs = [...pairs.values()];
  }

  /** Holds the groups that meet three at a time at these widths, and measures the layers of a plan, so they are known. */
  async learn(counts: Int32Array): Promise<void> {
    this.#reference = counts;
    const wanted = this.#layers.map((layer) => ({ layer, counts }));
    for (const layer of this.#layers) if (layer.groups.length > 2) wanted.push(...this.#edges(layer, counts));
    await this.#measure(wanted);
  }

  /** Terms as known by now. */
  terms(): LatencyTerms {
    const moved = (group: number, count: number) => {
      const counts = Int32Array.from(this.#reference);
      counts[group] = count;
      return counts;
    };
    return {
      alone: (group, count) =>
        (this.#alone.get(group) ?? []).reduce((ns, layer) => ns + this.#at(layer, moved(group, count)), 0) -
        (count === 0 ? (this.#dragged.get(group) ?? 0) : 0),
      pairs: this.#pairs.map(({ groups, layers }) => ({
        groups,
        latencyNs: (first, second) => layers.reduce((ns, layer) => ns + this.#guess(layer, first, second), 0),
      })),
    };
  }

  /** Sum of the terms at the given widths. */
  total(counts: ArrayLike<number>): number {
    const { alone, pairs } = this.terms();
    const single = this.#input.variables.reduce((ns, v) => ns + alone(v.group.id, counts[v.group.id] as number), 0);
    return pairs.reduce(
      (ns, { groups: [a, b], latencyNs }) => ns + latencyNs(counts[a] as number, counts[b] as number),
      single,
    );
  }

  #guess(layer: Layer, first: number, second: number): number {
    const [a, b] = layer.groups as [number, number];
    const at = (x: number, y: number) => this.#known.get(layer)?.get(`${x},${y}`);
    const exact = at(first, second);
    if (exact !== undefined) return exact;
    const [wholeA, wholeB] = [this.#whole[a] as number, this.#whole[b] as number];
    const corner = at(wholeA, wholeB) ?? 0;
    const [left, right] = [at(first, wholeB) ?? 0, at(wholeA, second) ?? 0];
    return corner > 0 ? (left * right) / corner : left + right;
  }

  #at(layer: Layer, counts: ArrayLike<number>): number {
    return this.#known.get(layer)?.get(keyOf(layer, counts)) ?? 0;
  }

  #edges(layer: Layer, reference: ArrayLike<number>): { layer: Layer; counts: Int32Array }[] {
    return layer.groups.flatMap((g) =>
      (this.#input.variables[g]?.options ?? []).map((count) => {
        const counts = Int32Array.from(reference);
        counts[g] = count;
        return { layer, counts };
      }),
    );
  }

  async #measureEdges(): Promise<void> {
    await this.#measure(this.#layers.flatMap((layer) => this.#edges(layer, this.#whole)));
  }

  async #measure(wanted: readonly { layer: Layer; counts: Int32Array }[]): Promise<void> {
    const { oracle } = this.#input;
    const missing = wanted.filter(({ layer, counts }) => !this.#known.get(layer)?.has(keyOf(layer, counts)));
    const configs = missing.map(({ layer, counts }) => this.#configs(layer.segment, counts));
    await oracle.ensure(configs.flat());
    missing.forEach(({ layer, counts }, i) => {
      const known = this.#known.get(layer) ?? new Map<string, number>();
      known.set(
        keyOf(layer, counts),
        (configs[i] ?? []).reduce((ns, c) => ns + oracle.latencyNs(c), 0),
      );
      this.#known.set(layer, known);
    });
  }

  /** Configurations of a layer at the given widths; none where nothing is left on one side: then it is gone, and all that is fused to it. */
  #configs(segment: Segment, counts: ArrayLike<number>): readonly LayerConfig[] {
    const { analyzed, mode, variables } = this.#input;
    const dims = (value: string, kept: ArrayLike<number>) => dimsAt(analyzed, this.#widths, value, kept);
    // The paper's form: inputs at their present width, whatever becomes of the group that makes them.
    const own = new Set(
      segment.outputs.flatMap((v) => (this.#widths.get(v) ?? []).flatMap((w) => w.terms.map((t) => t.group))),
    );
    const held =
      mode === "halp"
        ? Int32Array.from(variables, (v) => (own.has(v.group.id) ? (counts[v.group.id] as number) : v.group.size))
        : counts;
    const gone = valuesOf(segment).some((v) => this.#widths.has(v) && dims(v, held)?.includes(0));
    return gone ? [] : segmentConfigs(segment, (v) => dims(v, held));
  }
}

function keyOf(layer: Layer, counts: ArrayLike<number>): string {
  return layer.groups.map((g) => counts[g]).join(",");
}

/** All values that a segment's nodes read and make, constants included. */
function valuesOf(segment: Segment): string[] {
  return [...new Set([...segment.inputs, ...segment.nodes.flatMap((n) => [...n.inputs, ...n.outputs])])];
}
