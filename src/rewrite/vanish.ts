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
import { type Kept, keptWith } from "./kept.js";

export interface Vanishing {
  readonly ok: boolean;
  /** Why it may not be; undefined where `ok`. */
  readonly reason?: string;
  readonly absentValues: ReadonlySet<string>;
  /** Input slots that are dropped, by node. */
  readonly dropped: ReadonlyMap<Node, readonly number[]>;
  /** Input slots that read an absent gate, by node: they read its constant instead. */
  readonly gates: ReadonlyMap<Node, readonly number[]>;
  /** Absent values that are read as constants. */
  readonly constantValues: ReadonlySet<string>;
}

/** Whether these groups, together, may vanish while all others stay whole. Costs what lies behind the groups. */
export function vanishing(analyzed: AnalyzedGraph, coupling: Coupling, groupIds: Iterable<number>): Vanishing {
  const channels = new Uint8Array(coupling.channelCount).fill(1);
  const empty = [...groupIds];
  for (const id of empty) {
    const group = coupling.groups[id];
    if (group) channels.fill(0, group.start, group.start + group.size);
  }
  return trace(analyzed, coupling, keptWith(coupling, channels), empty);
}

/**
 * Groups any of which may vanish, alone and all together: taken in order, each where it may go alone and the network still
 * connects with all taken before. That more may go than some is not a matter of course: a Concat may lose a part only if
 * all of the part's channels go.
 */
export function groupsThatMayVanish(analyzed: AnalyzedGraph, coupling: Coupling): ReadonlySet<number> {
  const taken = new Set<number>();
  for (const group of coupling.groups)
    if (
      group.frozen === undefined &&
      vanishing(analyzed, coupling, [group.id]).ok &&
      vanishing(analyzed, coupling, [...taken, group.id]).ok
    )
      taken.add(group.id);
  return taken;
}

/** The same for whatever a plan leaves. */
export function traceAbsence(analyzed: AnalyzedGraph, coupling: Coupling, kept: Kept): Vanishing {
  const empty = coupling.groups.filter((g) => !kept.channels.subarray(g.start, g.start + g.size).includes(1));
  return trace(
    analyzed,
    coupling,
    kept,
    empty.map((g) => g.id),
  );
}

function trace(analyzed: AnalyzedGraph, coupling: Coupling, kept: Kept, empty: readonly number[]): Vanishing {
  const { graph, constants, types, producerOf, consumersOf } = analyzed;
  const index = indexOf(analyzed);
  const absent = new Set<string>();
  const dropped = new Map<Node, number[]>();
  const gates = new Map<Node, number[]>();
  const constantValues = new Set<string>();
  const answer = (reason?: string): Vanishing => ({
    ok: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    absentValues: absent,
    dropped,
    gates,
    constantValues,
  });

  const due = new Uint8Array(graph.nodes.length);
  let first = graph.nodes.length;
  const markAbsent = (name: string) => {
    if (absent.has(name)) return;
    absent.add(name);
    for (const reader of consumersOf.get(name) ?? []) {
      const at = index.order.get(reader) as number;
      due[at] = 1;
      first = Math.min(first, at);
    }
  };
  // All channels of a group lie on the same axes, so an axis has nothing left only where whole groups are empty.
  for (const id of empty)
    for (const name of valuesOf(coupling)[id] ?? []) {
      const producer = producerOf.get(name);
      if (producer && index.live.has(producer) && index.carried.has(name) && kept.isGone(name)) markAbsent(name);
    }

  let readsShapeOfAbsent = false;
  for (let at = first; at < graph.nodes.length; at++) {
    const node = due[at] === 1 ? graph.nodes[at] : undefined;
    if (!node || !index.live.has(node)) continue;
    const named = node.outputs.filter((o) => o !== "");
    if (named.every((o) => constants.has(o))) {
      readsShapeOfAbsent = true;
      continue;
    }
    if (named.every((o) => absent.has(o))) continue;
    const data = [...node.inputs.keys()].filter((i) => index.carried.has(node.inputs[i] ?? ""));
    const missing = data.filter((i) => absent.has(node.inputs[i] ?? ""));
    if (missing.length === 0) continue;
    if (missing.length === data.length) {
      for (const o of named) markAbsent(o);
      continue;
    }
    const present = data.filter((i) => !missing.includes(i));
    const dimsOf = (i: number) => (types.get(node.inputs[i] ?? "")?.dims ?? []).join();
    const whole = (types.get(named[0] ?? "")?.dims ?? []).join();
    if (node.opType === "Add" || node.opType === "Sub" || node.opType === "Sum") {
      if (!present.some((i) => dimsOf(i) === whole))
        return answer(`${describe(node)} would lose the operand that gives it its shape`);
      dropped.set(node, missing);
    } else if (node.opType === "Concat") {
      const axis = intAttr(node, "axis", 1);
      const standing = missing.find((i) => kept.positions(node.inputs[i] ?? "", axis)?.length !== 0);
      if (standing !== undefined)
        return answer(`${describe(node)} keeps the channels of "${node.inputs[standing]}", whose branch would vanish`);
      dropped.set(node, missing);
    } else if (node.opType === "Mul" || (node.opType === "Div" && missing[0] === 1)) {
      const gate = node.inputs[missing[0] ?? 0] ?? "";
      if (dimsOf(present[0] ?? 0) !== whole)
        return answer(`${describe(node)} would lose the operand that gives it its shape`);
      const varies = (types.get(gate)?.dims ?? []).some(
        (extent, axis) => extent > 1 && axis > 0 && !coupling.axes.get(gate)?.[axis],
      );
      const dtype = types.get(gate)?.dtype;
      if (dtype !== "float32")
        return answer(`${describe(node)} multiplies by "${gate}" of ${dtype}; halp computes float32 gates`);
      if (varies) return answer(`${describe(node)} multiplies by "${gate}", which is more than one factor a channel`);
      gates.set(node, missing);
      constantValues.add(gate);
    } else return answer(`${describe(node)} needs "${node.inputs[missing[0] ?? 0]}", which would vanish`);
  }

  const lost = graph.outputs.find((o) => absent.has(o.name));
  if (lost) return answer(`the network output "${lost.name}" would lose all that leads to it`);
  if (readsShapeOfAbsent || (index.hasSubgraphs && absent.size > 0)) {
    const skipped = (node: Node) => [...(dropped.get(node) ?? []), ...(gates.get(node) ?? [])];
    const after = nodesBehind(analyzed, skipped);
    const stillRead = [...after.values].find((name) => absent.has(name));
    if (stillRead !== undefined)
      return answer(
        `${describe(after.readerOf.get(stillRead) as Node)} still reads "${stillRead}", which would vanish`,
      );
  }
  return answer();
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
