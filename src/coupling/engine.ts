/**
 * Follows channels through a graph. Each position along each axis of each value carries a label; operators' channel rules
 * join labels or hand them on (`src/operators/<family>/channels.ts`). Knows no operator by name.
 */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";
import { namesInside } from "../graph/topology.js";
import type { AxisLabels, ChannelContext, FindOperator, OperatorSpec } from "../operators/spec.js";
import { LabelClasses, normalized } from "./labels.js";

export interface Labelled {
  readonly classes: LabelClasses;
  /** Labels per axis of each value that has any. */
  readonly axes: ReadonlyMap<string, AxisLabels[]>;
  readonly produced: readonly (readonly [Node, Int32Array])[];
  readonly consumed: readonly (readonly [Node, Int32Array])[];
  readonly unknown: readonly { readonly node: Node; readonly reason: string }[];
}

/** @param wantedSplit what the user asked for where this node splits an axis that channels lie on */
export function labelGraph(
  analyzed: AnalyzedGraph,
  findOperator: FindOperator,
  wantedSplit: (node: Node) => "heads" | "head-width" | undefined,
): Labelled {
  const { graph, types, constants } = analyzed;
  const classes = new LabelClasses();
  const axes = new Map<string, AxisLabels[]>();
  const produced: [Node, Int32Array][] = [];
  const consumed: [Node, Int32Array][] = [];
  const unknown: { node: Node; reason: string }[] = [];
  /** A constant handed on unchanged (Identity) is one constant under two names. */
  const alias = new Map<string, string>();
  const touched = new Map<Node, Set<string>>();
  /** Axes ("axis:value") that some use holds to their extent. */
  const fixed = new Set<string>();
  const canonical = (name: string) => alias.get(name) ?? name;
  const axisOf = (name: string, axis: number) => (axis < 0 ? axis + (types.get(name)?.dims.length ?? 0) : axis);

  const freezeValue = (name: string, reason: string) => {
    for (const labels of axes.get(canonical(name)) ?? [])
      for (const l of labels ?? []) if (l >= 0) classes.freeze(l, reason);
  };

  const contextOf = (node: Node): ChannelContext => {
    const reason = `shares its channels with a fixed axis at ${describe(node)}`;
    const touch = (name: string) => touched.get(node)?.add(canonical(name));
    const join = (a: AxisLabels, b: AxisLabels) => {
      const n = Math.max(a?.length ?? 0, b?.length ?? 0);
      for (let i = 0; i < n; i++) classes.join(a?.[i] ?? -1, b?.[i] ?? -1, reason);
    };
    return {
      node,
      opset: analyzed.opset,
      type: (name) => types.get(name),
      constant: (name) => constants.get(name),
      labels: (name, axis) => {
        touch(name);
        return axes.get(canonical(name))?.[axisOf(name, axis)] ?? null;
      },
      setLabels: (name, axis, labels) => {
        touch(name);
        const key = canonical(name);
        const all = axes.get(key) ?? new Array<AxisLabels>(types.get(name)?.dims.length ?? 0).fill(null);
        const at = axisOf(name, axis);
        const before = all[at] ?? null;
        if (before) join(before, labels);
        else if (fixed.has(`${at}:${key}`)) join(null, labels);
        else {
          all[at] = normalized(labels);
          if (!all[at]) fixed.add(`${at}:${key}`);
        }
        axes.set(key, all);
      },
      fresh: (count) => classes.fresh(count),
      produces: (labels) => labels && produced.push([node, labels]),
      consumes: (labels) => labels && consumed.push([node, labels]),
      join,
      freeze: (labels, why) => {
        for (const l of labels ?? []) if (l >= 0) classes.freeze(l, why);
      },
      wantedSplit: () => wantedSplit(node),
    };
  };

  const refuse = (node: Node, reason: string) => {
    unknown.push({ node, reason });
    for (const name of node.inputs) freezeValue(name, reason);
  };

  for (const node of graph.nodes) {
    touched.set(node, new Set());
    const captured = namesInside(node);
    for (const name of captured) freezeValue(name, `is read inside the subgraph of ${describe(node)}`);
    const spec = findOperator(node.opType, node.domain);
    const named = node.outputs.filter((o) => o !== "");
    if (named.every((o) => constants.has(o))) {
      const [input] = node.inputs;
      if (spec?.passesConstant && input !== undefined && node.outputs[0] !== undefined)
        alias.set(node.outputs[0], canonical(input));
      continue;
    }
    const untyped = [...node.inputs, ...named].find((v) => v !== "" && !types.has(v));
    if (!spec?.channels) refuse(node, `passes ${describe(node)}${whyWhole(node, spec)}`);
    else if (untyped !== undefined)
      refuse(node, `passes ${describe(node)}, where the shape of "${untyped}" is not known`);
    else spec.channels(contextOf(node));
  }

  // A constant that one node cuts and another reads whole must stay whole.
  for (const node of graph.nodes)
    for (const name of node.inputs)
      if (
        constants.has(name) &&
        axes.has(canonical(name)) &&
        !touched.get(node)?.has(canonical(name)) &&
        alias.get(node.outputs[0] ?? "") !== canonical(name)
      )
        freezeValue(name, `its constant "${name}" is also read whole by ${describe(node)}`);

  for (const output of graph.outputs) freezeValue(output.name, `reaches the network output "${output.name}"`);
  for (const [name, target] of alias) {
    const labels = axes.get(target);
    if (labels) axes.set(name, labels);
  }
  return { classes, axes, produced, consumed, unknown };
}

/** How a node is named to the user. */
export function describe(node: Node): string {
  return `${node.opType} "${node.name || (node.outputs[0] ?? "")}"`;
}

/** Why channels are not followed through a node without a channel rule. */
function whyWhole(node: Node, spec: OperatorSpec | undefined): string {
  if (spec?.keepsWhole !== undefined) return `: ${spec.keepsWhole}`;
  const ownGraph = [...node.attributes.values()].some((a) => a.kind === "graph" || a.kind === "graphs");
  return ownGraph ? ", which runs a graph of its own" : ", an operator through which halp does not follow channels";
}
