/**
 * The latency of a network as the solver wants it: as terms of one group and of two.
 *
 * A layer between two groups would need a measurement for each pair of widths. Only its two edges are measured (each
 * group at every option, the other whole); between them latency(a, b) is taken for latency(a, all) * latency(all, b) /
 * latency(all, all), which holds for work that is proportional to both. That is a guess, and it is only used to choose:
 * every plan that the solver proposes is predicted from measurements alone, what was measured replaces the guess, and
 * the problem is solved again. What a layer reads from a concatenation is as wide as several groups together: a side of its
 * own, where its tables stay small. Layers of three sides or more are taken one group at a time, the others held where the
 * last plan put them.
 */

import type { Coupling } from "../coupling/index.js";
import { type AxisWidth, axisWidths } from "../coupling/widths.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { missingKeys, type Segment } from "../latency/index.js";
import {
  type LatencyTerms,
  type PruneVariable,
  type Side,
  sumWidths,
  type WidthSum,
  widthOf,
} from "../problem/index.js";
import { layerConfigs, valuesOf } from "./layer-configs.js";
import type { Oracle } from "./oracle.js";
import type { Staircase } from "./search-record.js";

/** How latency depends on widths: on both sides of a layer, or (the paper) on the layer's own outputs alone. */
export type LatencyMode = "joint" | "halp";

/** What a layer's latency depends on, with the values that are measured at the edges: a group's options, or some sums. */
interface LayerSide {
  readonly side: Side;
  readonly groups: readonly number[];
  readonly edges: readonly number[];
  /** Counts by group that give the side a value; the side's other groups untouched. */
  readonly reach: (value: number, counts: Int32Array) => void;
}

interface Layer {
  readonly segment: Segment;
  /** Groups with a choice that the layer depends on, ascending. */
  readonly groups: readonly number[];
  /** One or two; groups one by one where they would be more. */
  readonly sides: readonly LayerSide[];
  /** Whether it is taken one group at a time. */
  readonly held: boolean;
}

/** Values of a side from one measured edge to another, by their numbers. */
interface Span {
  readonly layer: Layer;
  readonly side: LayerSide;
  readonly low: number;
  readonly high: number;
}

const middleOf = ({ low, high }: Span): number => (low + high) >> 1;

/** A middle this close to the line between two ends, relatively, is as good as on it: measurements are not better. */
const straight = 0.02;

/** Sums measured at a layer's edge; between them latency is interpolated. */
const mostSumsMeasured = 17;

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
  /** Layers of one group, and those that are taken one group at a time under each of theirs. */
  readonly #alone = new Map<number, Layer[]>();
  /** The others, by their sides. */
  readonly #together: readonly { readonly sides: readonly [Side] | readonly [Side, Side]; readonly layers: Layer[] }[];
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
    const sums = new Map<string, LayerSide | undefined>();
    this.#layers = input.oracle.networkOf(input.analyzed).segments.flatMap((segment): Layer[] => {
      const widths = seen(segment).flatMap((value) => this.#widths.get(value) ?? []);
      const groups = [...new Set(widths.flatMap((w) => w.terms.map((t) => t.group)))].filter(hasChoice);
      if (groups.length === 0) return [];
      groups.sort((a, b) => a - b);
      const sides = this.#sidesOf(widths, groups, hasChoice, sums);
      const held = sides.length > 2;
      return [{ segment, groups, held, sides: held ? groups.map((g) => this.#sideOf(g)) : sides }];
    });
    const together = new Map<string, { sides: readonly [Side] | readonly [Side, Side]; layers: Layer[] }>();
    for (const layer of this.#layers) {
      const sides = layer.sides.map((s) => s.side);
      if (layer.held || (sides.length === 1 && typeof sides[0] === "number"))
        for (const g of layer.groups) this.#alone.set(g, [...(this.#alone.get(g) ?? []), layer]);
      else {
        const key = JSON.stringify(sides);
        const those = together.get(key) ?? { sides: sides as [Side] | [Side, Side], layers: [] };
        those.layers.push(layer);
        together.set(key, those);
      }
    }
    this.#together = [...together.values()];
  }

  /** Layers that are taken one group at a time, since three widths or more meet there, or sums of too many. */
  get heldLayers(): readonly string[] {
    return this.#layers.filter((l) => l.held).map((l) => l.segment.name);
  }

  #sideOf(group: number): LayerSide {
    return {
      side: group,
      groups: [group],
      edges: this.#input.variables[group]?.options ?? [],
      reach: (count, counts) => {
        counts[group] = count;
      },
    };
  }

  /** Sums that the layer's values are as wide as, and groups that are in none of them. More than two sides: not to be had. */
  #sidesOf(
    widths: readonly AxisWidth[],
    groups: readonly number[],
    hasChoice: (group: number) => boolean,
    known: Map<string, LayerSide | undefined>,
  ): LayerSide[] {
    const found = new Map<string, LayerSide>();
    for (const { fixed, terms } of widths) {
      const free = terms.filter((t) => hasChoice(t.group));
      if (free.length < 2) continue;
      const held = terms.filter((t) => !hasChoice(t.group));
      const sum = {
        fixed: held.reduce((n, t) => n + t.perChannel * (this.#whole[t.group] as number), fixed),
        terms: free,
      };
      const key = JSON.stringify(sum);
      if (!known.has(key)) known.set(key, this.#sumSide(sum));
      const side = known.get(key);
      if (side) found.set(key, side);
    }
    // A sum within another says nothing more of a layer that only moves what it reads.
    const within = (a: LayerSide, b: LayerSide) => a !== b && a.groups.every((g) => b.groups.includes(g));
    const sums = [...found.values()].filter(
      (a, i, all) => !all.some((b, j) => within(a, b) && !(j > i && within(b, a))),
    );
    // Sides that share a group cannot be moved apart.
    if (sums.some((a, i) => sums.slice(i + 1).some((b) => a.groups.some((g) => b.groups.includes(g)))))
      return groups.map((g) => this.#sideOf(g));
    const summed = new Set(sums.flatMap((s) => s.groups));
    return [...sums, ...groups.filter((g) => !summed.has(g)).map((g) => this.#sideOf(g))];
  }

  #sumSide(sum: WidthSum): LayerSide | undefined {
    const widths = sumWidths(sum, this.#input.variables);
    if (!widths) return undefined;
    const apart = Math.max(1, (widths.length - 1) / (mostSumsMeasured - 1));
    const edges = new Set<number>();
    for (let i = 0; i < widths.length - 1; i += apart) edges.add((widths[Math.round(i)] as { width: number }).width);
    edges.add((widths[widths.length - 1] as { width: number }).width);
    const countsAt = new Map(widths.map(({ width, counts }) => [width, counts]));
    return {
      side: sum,
      groups: sum.terms.map((t) => t.group),
      edges: [...edges],
      reach: (width, counts) => {
        const reached = countsAt.get(width) as readonly number[];
        sum.terms.forEach((t, i) => {
          counts[t.group] = reached[i] as number;
        });
      },
    };
  }

  /** Holds the groups that meet three at a time at these widths, and measures the layers of a plan, so they are known. */
  async learn(counts: Int32Array): Promise<void> {
    this.#reference = counts;
    const wanted = this.#layers.map((layer) => ({ layer, counts }));
    for (const layer of this.#layers) if (layer.held) wanted.push(...this.#edges(layer, counts));
    await this.#measure(wanted);
  }

  /** Terms as known by now. */
  terms(): LatencyTerms {
    return {
      alone: (group, count) =>
        (this.#alone.get(group) ?? []).reduce((ns, layer) => {
          const which = layer.sides.findIndex((s) => s.side === group);
          return ns + this.#edge(layer, which, count, this.#reference);
        }, 0) - (count === 0 ? (this.#dragged.get(group) ?? 0) : 0),
      layers: this.#together.map(({ sides, layers }) => ({
        sides,
        latencyNs: (first, second) => layers.reduce((ns, layer) => ns + this.#guess(layer, first, second), 0),
      })),
    };
  }

  /** Sum of the terms at the given widths. */
  total(counts: ArrayLike<number>): number {
    const { alone, layers } = this.terms();
    const single = this.#input.variables.reduce((ns, v) => ns + alone(v.group.id, counts[v.group.id] as number), 0);
    return layers.reduce((ns, { sides: [a, b], latencyNs }) => {
      return ns + latencyNs(widthOf(a, counts), b === undefined ? 0 : widthOf(b, counts));
    }, single);
  }

  /** What is known of each layer's latency along each of its sides, the others whole. @param chosen widths of a plan */
  staircases(chosen: ArrayLike<number>): Staircase[] {
    const nameOf = (g: number) => this.#input.variables[g]?.group.name ?? "";
    return this.#layers.map((layer) => {
      const sides = layer.sides.map(({ side, groups, edges }, which) => {
        const at = this.#along(layer, which, this.#whole);
        const points = edges.flatMap((width): [number, number][] => {
          const ns = at(width);
          return ns === undefined ? [] : [[width, ns]];
        });
        return { groups: groups.map(nameOf), points, chosen: widthOf(side, chosen) };
      });
      const { name, nodes } = layer.segment;
      const [wholeNs = null, chosenNs = null] = [this.#whole, chosen].map((c) => this.#told(layer, c));
      return { name, operators: nodes.map((n) => n.opType).join("+"), sides, wholeNs, chosenNs };
    });
  }

  #guess(layer: Layer, first: number, second: number): number {
    const [, b] = layer.sides;
    const exact = this.#known.get(layer)?.get(b === undefined ? `${first}` : `${first},${second}`);
    if (exact !== undefined) return exact;
    if (b === undefined) return this.#edge(layer, 0, first, this.#whole);
    const corner = this.#at(layer, this.#whole);
    const [left, right] = [this.#edge(layer, 0, first, this.#whole), this.#edge(layer, 1, second, this.#whole)];
    return corner > 0 ? (left * right) / corner : left + right;
  }

  /** Latency along one side, the others as in `reference`: as measured, or on the line between the next values that were. */
  #edge(layer: Layer, which: number, value: number, reference: ArrayLike<number>): number {
    const at = this.#along(layer, which, reference);
    const exact = at(value);
    if (exact !== undefined) return exact;
    let below: readonly [number, number] | undefined;
    for (const x of (layer.sides[which] as LayerSide).edges) {
      const ns = at(x);
      if (ns === undefined) continue;
      if (x > value) {
        if (below === undefined) return ns;
        return below[1] + ((value - below[0]) / (x - below[0])) * (ns - below[1]);
      }
      below = [x, ns];
    }
    return below?.[1] ?? 0;
  }

  /** What is known by the width of one side, the others as in `reference`. */
  #along(layer: Layer, which: number, reference: ArrayLike<number>): (width: number) => number | undefined {
    const known = this.#known.get(layer);
    const key = layer.sides.map((s) => widthOf(s.side, reference));
    return (width) => {
      key[which] = width;
      return known?.get(key.join(","));
    };
  }

  #at(layer: Layer, counts: ArrayLike<number>): number {
    return this.#known.get(layer)?.get(keyOf(layer, counts)) ?? 0;
  }

  /** As the table has it; undefined where that lacks it. */
  #told(layer: Layer, counts: ArrayLike<number>): number | undefined {
    const { table, latencyNs } = this.#input.oracle;
    const configs = layerConfigs(this.#input, this.#widths, layer.segment, counts);
    return missingKeys(table, configs).length > 0 ? undefined : configs.reduce((ns, c) => ns + latencyNs(c), 0);
  }

  #edges(layer: Layer, reference: ArrayLike<number>): { layer: Layer; counts: Int32Array }[] {
    return layer.sides.flatMap((side) =>
      side.edges.map((value) => {
        const counts = Int32Array.from(reference);
        side.reach(value, counts);
        return { layer, counts };
      }),
    );
  }

  /**
   * Measures the edges: the ends and the middle of each, then, where the middle is off the line between the ends, both halves
   * likewise. What lies between is interpolated.
   */
  async #measureEdges(): Promise<void> {
    let spans = this.#layers.flatMap((layer) =>
      layer.sides.map((side): Span => {
        // nothing left is a jump, not a width
        const low = side.edges[0] === 0 && side.edges.length > 1 ? 1 : 0;
        return { layer, side, low, high: side.edges.length - 1 };
      }),
    );
    const at = ({ layer, side }: Span, i: number) => {
      const counts = Int32Array.from(this.#whole);
      side.reach(side.edges[i] as number, counts);
      return { layer, counts };
    };
    await this.#measure(spans.flatMap((s) => [at(s, 0), at(s, s.low), at(s, middleOf(s)), at(s, s.high)]));
    while (spans.length > 0) {
      spans = spans.flatMap((span): Span[] => {
        const { layer, side, low, high } = span;
        const middle = middleOf(span);
        if (high - low <= 2 || this.#isStraight(span)) return [];
        return [
          { layer, side, low, high: middle },
          { layer, side, low: middle, high },
        ];
      });
      await this.#measure(spans.map((s) => at(s, middleOf(s))));
    }
  }

  /** Whether the middle of a span is on the line between its ends, as far as it matters. */
  #isStraight(span: Span): boolean {
    const { layer, side, low, high } = span;
    const ns = [low, middleOf(span), high].map((i) => {
      const counts = Int32Array.from(this.#whole);
      side.reach(side.edges[i] as number, counts);
      return this.#at(layer, counts);
    }) as [number, number, number];
    const [x0, x1, x2] = [low, middleOf(span), high].map((i) => side.edges[i]) as [number, number, number];
    const line = ns[0] + ((x1 - x0) / (x2 - x0)) * (ns[2] - ns[0]);
    return Math.abs(ns[1] - line) <= straight * ns[1];
  }

  async #measure(wanted: readonly { layer: Layer; counts: Int32Array }[]): Promise<void> {
    const { oracle } = this.#input;
    const missing = wanted.filter(({ layer, counts }) => !this.#known.get(layer)?.has(keyOf(layer, counts)));
    const configs = missing.map(({ layer, counts }) => layerConfigs(this.#input, this.#widths, layer.segment, counts));
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
}

/** A layer's widths, as its sides see them. */
function keyOf(layer: Layer, counts: ArrayLike<number>): string {
  return layer.sides.map((s) => widthOf(s.side, counts)).join(",");
}
