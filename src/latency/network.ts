/** The network as the latency table sees it: what runs, cut into segments, and who reads what. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Graph, Node } from "../graph/ir.js";
import type { RuntimeTraits } from "./traits.js";

/**
 * Nodes that are measured together, because the runtime fuses them. A segment with no nodes stands for a network input:
 * it costs something only where the runtime must change the input's layout.
 */
export interface Segment {
  readonly id: number;
  /** Name of its first node, or of what that node makes. Unique. */
  readonly name: string;
  readonly nodes: readonly Node[];
  /** Activations that it reads, each once, names as in `canonical`. */
  readonly inputs: readonly string[];
  /** Values that others read, or that leave the network. */
  readonly outputs: readonly string[];
  /** Why no table can have an entry for it (control flow, shapes that depend on data); undefined where it can. */
  readonly unmeasurable?: string;
  readonly network: Network;
}

export interface Network {
  readonly analyzed: AnalyzedGraph;
  readonly traits: RuntimeTraits;
  /** In an order in which they can run. */
  readonly segments: readonly Segment[];
  readonly producerOf: ReadonlyMap<string, Segment>;
  readonly readersOf: ReadonlyMap<string, readonly Segment[]>;
  /** Outputs of the network, canonical. */
  readonly results: ReadonlySet<string>;
  /** Values that are another value by a new name: outputs of Identity and of Dropout at inference. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Initialisers that the model offers as inputs too. */
  readonly overridable: ReadonlySet<string>;
  /** Axes of a four-dimensional activation that the runtime does not know when it loads the model. */
  readonly openAxes: readonly number[];
}

/** The value that a name stands for. */
export function canonical(aliases: ReadonlyMap<string, string>, name: string): string {
  let at = name;
  for (let next = aliases.get(at); next !== undefined; next = aliases.get(at)) at = next;
  return at;
}

/** Values read by a node, those that its subgraphs capture included. */
export function readsOf(node: Node): string[] {
  const reads = node.inputs.filter((n) => n !== "");
  for (const [, a] of node.attributes) {
    if (a.kind === "graph") reads.push(...capturedBy(a.value));
    if (a.kind === "graphs") for (const g of a.value) reads.push(...capturedBy(g));
  }
  return reads;
}

function capturedBy(graph: Graph): string[] {
  const own = new Set([...graph.inputs.map((v) => v.name), ...graph.initializers.map((t) => t.name)]);
  for (const n of graph.nodes) for (const o of n.outputs) own.add(o);
  return [...graph.nodes.flatMap(readsOf), ...graph.outputs.map((o) => o.name)].filter((n) => !own.has(n));
}

/** Nodes that a run executes: not folded away, and the network's outputs depend on them. */
export function liveNodes(analyzed: AnalyzedGraph): Node[] {
  const { graph, constants } = analyzed;
  const needed = new Set(graph.outputs.map((o) => o.name));
  const live: Node[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i] as Node;
    const outputs = node.outputs.filter((o) => o !== "");
    if (!outputs.some((o) => needed.has(o)) || outputs.every((o) => constants.has(o))) continue;
    live.push(node);
    for (const r of readsOf(node)) needed.add(r);
  }
  return live.reverse();
}

/** Outputs that are their input by a new name. */
export function aliasesOf(nodes: readonly Node[], constants: ReadonlyMap<string, unknown>): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const n of nodes) {
    const [x, , training] = n.inputs;
    const [y, mask] = n.outputs;
    if (n.domain !== "" || x === undefined || y === undefined || constants.has(x)) continue;
    const dropout = n.opType === "Dropout" && !mask && (!training || constants.has(training));
    if (n.opType === "Identity" || dropout) aliases.set(y, x);
  }
  return aliases;
}
