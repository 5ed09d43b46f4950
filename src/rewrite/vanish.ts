/**
 * What happens when nothing is left of a group: the branch that it carried vanishes.
 *
 * A value is *gone* when an axis of it has nothing left. A value is *absent* when it is gone, or when everything that its
 * node reads at run time is absent (constants such as biases do not count: they belong to the branch). What meets an
 * absent operand together with a present one:
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
import { type Kept, keptWith } from "./kept.js";
import { namesInSubgraphs } from "./subgraph-names.js";

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

/** Whether these groups, together, may vanish while all others stay whole. */
export function vanishing(analyzed: AnalyzedGraph, coupling: Coupling, groupIds: Iterable<number>): Vanishing {
  const channels = new Uint8Array(coupling.channelCount).fill(1);
  for (const id of groupIds) {
    const group = coupling.groups[id];
    if (group) channels.fill(0, group.start, group.start + group.size);
  }
  return traceAbsence(analyzed, coupling, keptWith(coupling, channels));
}

/** The same for whatever a plan leaves. */
export function traceAbsence(analyzed: AnalyzedGraph, coupling: Coupling, kept: Kept): Vanishing {
  const { graph, constants, types } = analyzed;
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
  const live = nodesBehind(
    analyzed,
    graph.outputs.map((o) => o.name),
    () => [],
  ).nodes;

  for (const node of graph.nodes) {
    if (!live.has(node)) continue;
    const named = node.outputs.filter((o) => o !== "");
    if (named.every((o) => constants.has(o))) continue;
    const data = [...node.inputs.keys()].filter((i) => {
      const name = node.inputs[i] ?? "";
      return name !== "" && !constants.has(name);
    });
    const missing = data.filter((i) => absent.has(node.inputs[i] ?? ""));
    if (data.length > 0 && missing.length === data.length) {
      for (const o of named) absent.add(o);
      continue;
    }
    for (const o of named) if (kept.isGone(o)) absent.add(o);
    if (missing.length === 0 || named.every((o) => absent.has(o))) continue;

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
      if (varies) return answer(`${describe(node)} multiplies by "${gate}", which is more than one factor a channel`);
      gates.set(node, missing);
      constantValues.add(gate);
    } else return answer(`${describe(node)} needs "${node.inputs[missing[0] ?? 0]}", which would vanish`);
  }

  const lost = graph.outputs.find((o) => absent.has(o.name));
  if (lost) return answer(`the network output "${lost.name}" would lose all that leads to it`);
  const skipped = (node: Node) => [...(dropped.get(node) ?? []), ...(gates.get(node) ?? [])];
  const after = nodesBehind(
    analyzed,
    graph.outputs.map((o) => o.name),
    skipped,
  );
  const stillRead = [...after.values].find((name) => absent.has(name));
  if (stillRead !== undefined)
    return answer(`${describe(after.readerOf.get(stillRead) as Node)} still reads "${stillRead}", which would vanish`);
  return answer();
}

/** All nodes and values that the given values depend on, but for the input slots that are skipped. */
function nodesBehind(
  analyzed: AnalyzedGraph,
  targets: readonly string[],
  skipped: (node: Node) => readonly number[],
): { nodes: Set<Node>; values: Set<string>; readerOf: Map<string, Node> } {
  const nodes = new Set<Node>();
  const values = new Set<string>(targets);
  const readerOf = new Map<string, Node>();
  const queue = [...targets];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const node = analyzed.producerOf.get(name);
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    const skip = skipped(node);
    const reads = [...node.inputs.filter((_, i) => !skip.includes(i)), ...namesInSubgraphs(node)];
    for (const input of reads)
      if (input !== "" && !values.has(input)) {
        values.add(input);
        readerOf.set(input, node);
        queue.push(input);
      }
  }
  return { nodes, values, readerOf };
}
