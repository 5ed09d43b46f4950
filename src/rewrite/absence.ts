/**
 * What happens when nothing is left of a group: the branch that it carried vanishes.
 *
 * A value is *gone* when an axis of it has nothing left. A value is *absent* when it is gone, or when everything that its
 * node reads of what depends on the network's inputs is absent (constants such as biases do not count: they belong to the
 * branch). What meets an absent operand together with a present one:
 *
 * - Add, Sum, Sub: the absent operand counts as zero and is dropped; with one operand left the node is that operand.
 * - Concat: a part that is gone is dropped.
 * - Mul, Div: the absent operand is a gate (squeeze-and-excitation) and does not count as zero. It becomes the constant
 *   that it has when the channels inside it are zero: the bias of its last layer through what follows.
 * - anything else: the group may not vanish.
 *
 * The network must stay connected: no output may be absent, and nothing that still runs may read an absent value.
 */
import { describe } from "../coupling/index.js";
import type { Coupling } from "../coupling/types.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import { namesInside } from "../graph/topology.js";

/** Groups that vanish one after the other, and what goes with them. */
export interface Absence {
  /**
   * Lets groups vanish as well, unless the network would not connect any more.
   * @returns why they may not; the state is then as before. Undefined where they may.
   */
  add(groupIds: readonly number[]): string | undefined;
  /** What `add` would return; the state stays. */
  probe(groupIds: readonly number[]): string | undefined;
  readonly absentValues: ReadonlySet<string>;
  /** Input slots that are dropped, by node. */
  readonly dropped: ReadonlyMap<Node, readonly number[]>;
  /** Input slots that read an absent gate, by node. */
  readonly gates: ReadonlyMap<Node, readonly number[]>;
}

export function openAbsence(analyzed: AnalyzedGraph, coupling: Coupling): Absence {
  const { graph, constants, types, producerOf, consumersOf } = analyzed;
  const index = indexOf(analyzed);
  const valuesOfGroup = valuesOf(coupling);
  const empty = new Set<number>();
  const absent = new Set<string>();
  const dropped = new Map<Node, readonly number[]>();
  const gates = new Map<Node, readonly number[]>();
  let readsShapeOfAbsent = false;
  const due = new Uint8Array(graph.nodes.length);

  /** All channels of a group lie on the same axes, so an axis has nothing left only where whole groups are empty. */
  const axisIsGone = (labels: Int32Array | null | undefined): boolean =>
    labels !== null &&
    labels !== undefined &&
    labels.length > 0 &&
    labels.every((c) => c >= 0 && empty.has(coupling.groupOf[c] as number));
  const isGone = (name: string): boolean => coupling.axes.get(name)?.some(axisIsGone) ?? false;

  /** Goes through the nodes behind what became absent, in order. @param undo takes back what it changed, last first */
  const spread = (groupIds: readonly number[], undo: (() => void)[]): string | undefined => {
    let first = graph.nodes.length;
    const set = (map: Map<Node, readonly number[]>, node: Node, slots: readonly number[] | undefined) => {
      const before = map.get(node);
      if (slots) map.set(node, slots);
      else map.delete(node);
      undo.push(() => {
        if (before) map.set(node, before);
        else map.delete(node);
      });
    };
    const markAbsent = (name: string) => {
      if (absent.has(name)) return;
      absent.add(name);
      undo.push(() => absent.delete(name));
      for (const reader of consumersOf.get(name) ?? []) {
        const at = index.order.get(reader) as number;
        due[at] = 1;
        first = Math.min(first, at);
      }
    };
    for (const id of groupIds) {
      if (empty.has(id)) continue;
      empty.add(id);
      undo.push(() => empty.delete(id));
    }
    for (const id of groupIds)
      for (const name of valuesOfGroup[id] ?? []) {
        const producer = producerOf.get(name);
        if (producer && index.live.has(producer) && index.carried.has(name) && isGone(name)) markAbsent(name);
      }
    for (let at = first; at < graph.nodes.length; at++) {
      const node = due[at] === 1 ? (graph.nodes[at] as Node) : undefined;
      due[at] = 0;
      if (!node || !index.live.has(node)) continue;
      const named = node.outputs.filter((o) => o !== "");
      if (named.every((o) => constants.has(o))) {
        if (!readsShapeOfAbsent) {
          readsShapeOfAbsent = true;
          undo.push(() => {
            readsShapeOfAbsent = false;
          });
        }
        continue;
      }
      const data = [...node.inputs.keys()].filter((i) => index.carried.has(node.inputs[i] ?? ""));
      const missing = data.filter((i) => absent.has(node.inputs[i] ?? ""));
      if (missing.length === 0) continue;
      if (missing.length === data.length || named.every((o) => absent.has(o))) {
        set(dropped, node, undefined);
        set(gates, node, undefined);
        for (const o of named) markAbsent(o);
        continue;
      }
      const reason = meet(
        node,
        missing,
        data.filter((i) => !missing.includes(i)),
        named,
      );
      if (typeof reason === "string") {
        due.fill(0, at);
        return reason;
      }
      set(reason === dropped ? dropped : gates, node, missing);
    }
    return undefined;
  };

  /** Where a node that keeps some operands notes the missing ones; or why it cannot go on without them. */
  const meet = (
    node: Node,
    missing: readonly number[],
    present: readonly number[],
    named: readonly string[],
  ): Map<Node, readonly number[]> | string => {
    const dimsOf = (i: number) => (types.get(node.inputs[i] ?? "")?.dims ?? []).join();
    const whole = (types.get(named[0] ?? "")?.dims ?? []).join();
    if (node.opType === "Add" || node.opType === "Sub" || node.opType === "Sum")
      return present.some((i) => dimsOf(i) === whole)
        ? dropped
        : `${describe(node)} would lose the operand that gives it its shape`;
    if (node.opType === "Concat") {
      const axis = intAttr(node, "axis", 1);
      const standing = missing.find((i) => !axisIsGone(coupling.axes.get(node.inputs[i] ?? "")?.at(axis)));
      return standing === undefined
        ? dropped
        : `${describe(node)} keeps the channels of "${node.inputs[standing]}", whose branch would vanish`;
    }
    if (node.opType !== "Mul" && (node.opType !== "Div" || missing[0] !== 1))
      return `${describe(node)} needs "${node.inputs[missing[0] ?? 0]}", which would vanish`;
    const gate = node.inputs[missing[0] ?? 0] ?? "";
    if (dimsOf(present[0] ?? 0) !== whole) return `${describe(node)} would lose the operand that gives it its shape`;
    const dtype = types.get(gate)?.dtype;
    if (dtype !== "float32")
      return `${describe(node)} multiplies by "${gate}" of ${dtype}; halp computes float32 gates`;
    const varies = (types.get(gate)?.dims ?? []).some(
      (extent, axis) => extent > 1 && axis > 0 && !coupling.axes.get(gate)?.[axis],
    );
    return varies ? `${describe(node)} multiplies by "${gate}", which is more than one factor a channel` : gates;
  };

  /** Why the network would not connect. */
  const broken = (): string | undefined => {
    const lost = graph.outputs.find((o) => absent.has(o.name));
    if (lost) return `the network output "${lost.name}" would lose all that leads to it`;
    if (!readsShapeOfAbsent && !(index.hasSubgraphs && absent.size > 0)) return undefined;
    const behind = nodesBehind(analyzed, (node) => [...(dropped.get(node) ?? []), ...(gates.get(node) ?? [])]);
    const read = [...behind.values].find((name) => absent.has(name));
    if (read === undefined) return undefined;
    return `${describe(behind.readerOf.get(read) as Node)} still reads "${read}", which would vanish`;
  };

  const attempt = (groupIds: readonly number[], stays: boolean): string | undefined => {
    const undo: (() => void)[] = [];
    const reason = spread(groupIds, undo) ?? broken();
    if (reason !== undefined || !stays) for (const take of undo.reverse()) take();
    return reason;
  };
  return {
    add: (ids) => attempt(ids, true),
    probe: (ids) => attempt(ids, false),
    absentValues: absent,
    dropped,
    gates,
  };
}

interface GraphIndex {
  readonly order: ReadonlyMap<Node, number>;
  /** Nodes that an output depends on. */
  readonly live: ReadonlySet<Node>;
  /** Values that depend on an input of the network, by more than its dims. */
  readonly carried: ReadonlySet<string>;
  readonly hasSubgraphs: boolean;
}

const indices = new WeakMap<AnalyzedGraph, GraphIndex>();
function indexOf(analyzed: AnalyzedGraph): GraphIndex {
  let index = indices.get(analyzed);
  if (!index) {
    const { nodes } = analyzed.graph;
    const carried = new Set(analyzed.inputDims.keys());
    for (const node of nodes)
      if ([...node.inputs, ...namesInside(node)].some((i) => carried.has(i)))
        for (const o of node.outputs) if (!analyzed.constants.has(o)) carried.add(o);
    index = {
      carried,
      order: new Map(nodes.map((node, i) => [node, i])),
      live: nodesBehind(analyzed, () => []).nodes,
      hasSubgraphs: nodes.some((n) => namesInside(n).length > 0),
    };
    indices.set(analyzed, index);
  }
  return index;
}

const values = new WeakMap<Coupling, readonly (readonly string[])[]>();
/** Values on which the channels of each group lie. */
function valuesOf(coupling: Coupling): readonly (readonly string[])[] {
  let found = values.get(coupling);
  if (!found) {
    const sets = coupling.groups.map(() => new Set<string>());
    for (const [name, axes] of coupling.axes)
      for (const labels of axes)
        for (const channel of labels ?? []) if (channel >= 0) sets[coupling.groupOf[channel] as number]?.add(name);
    found = sets.map((s) => [...s]);
    values.set(coupling, found);
  }
  return found;
}

/** All nodes and values that the outputs depend on, but for the input slots that are skipped. */
function nodesBehind(
  analyzed: AnalyzedGraph,
  skipped: (node: Node) => readonly number[],
): { nodes: Set<Node>; values: Set<string>; readerOf: Map<string, Node> } {
  const queue = analyzed.graph.outputs.map((o) => o.name);
  const nodes = new Set<Node>();
  const values = new Set<string>(queue);
  const readerOf = new Map<string, Node>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = analyzed.producerOf.get(name);
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    const skip = skipped(node);
    const reads = [...node.inputs.filter((_, i) => !skip.includes(i)), ...namesInside(node)];
    for (const input of reads)
      if (input !== "" && !values.has(input)) {
        values.add(input);
        readerOf.set(input, node);
        queue.push(input);
      }
  }
  return { nodes, values, readerOf };
}
