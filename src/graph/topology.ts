/** Order and life of nodes: which are needed, and whether each value is made once and before it is read. */
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "./analysis.js";
import type { Attribute, Graph, Node } from "./ir.js";

/** Subgraphs held by an attribute (the branches of If, the body of Loop and Scan). */
function subgraphsOf(attribute: Attribute): readonly Graph[] {
  return attribute.kind === "graph" ? [attribute.value] : attribute.kind === "graphs" ? attribute.value : [];
}

/** All names that the subgraphs of a node mention, at any depth; those of the enclosing graph are read by the node. */
export function namesInside(node: Node): string[] {
  const names: string[] = [];
  for (const attribute of node.attributes.values())
    for (const graph of subgraphsOf(attribute)) {
      for (const output of graph.outputs) names.push(output.name);
      for (const inner of graph.nodes) names.push(...inner.inputs, ...namesInside(inner));
    }
  return names;
}

/** All names of values in a graph, in its subgraphs too: those that a new value must not have. */
export function namesOf(graph: Graph): string[] {
  const inside = (node: Node) => [...node.attributes.values()].flatMap(subgraphsOf).flatMap(namesOf);
  return [
    ...graph.inputs.map((i) => i.name),
    ...graph.initializers.map((t) => t.name),
    ...graph.nodes.flatMap((n) => [...n.inputs, ...n.outputs, ...inside(n)]),
  ].filter((name) => name !== "");
}

/** Who makes each value, and who reads it: in order, each once per input slot. */
export function linksOf(nodes: readonly Node[]): Pick<AnalyzedGraph, "producerOf" | "consumersOf"> {
  const producerOf = new Map<string, Node>();
  const consumersOf = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of node.outputs) if (name !== "") producerOf.set(name, node);
    for (const name of node.inputs) {
      if (name === "") continue;
      const readers = consumersOf.get(name);
      if (readers) readers.push(node);
      else consumersOf.set(name, [node]);
    }
  }
  return { producerOf, consumersOf };
}

/** Nodes that a graph output depends on, through subgraphs too. */
export function liveNodes(graph: Graph): ReadonlySet<Node> {
  const live = new Set<Node>();
  const needed = new Set(graph.outputs.map((o) => o.name));
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i] as Node;
    if (!node.outputs.some((o) => o !== "" && needed.has(o))) continue;
    live.add(node);
    for (const name of node.inputs) needed.add(name);
    for (const name of namesInside(node)) needed.add(name);
  }
  return live;
}

/**
 * The graph without nodes, initialisers and value infos that no output depends on. Graph inputs stay, but for those that
 * are only the declaration of an initialiser that went.
 */
export function removeDeadNodes(graph: Graph): Graph {
  const live = liveNodes(graph);
  const nodes = graph.nodes.filter((node) => live.has(node));
  const used = new Set(graph.outputs.map((o) => o.name));
  for (const node of nodes) for (const name of [...node.inputs, ...namesInside(node)]) used.add(name);
  const gone = new Set(graph.initializers.filter((t) => !used.has(t.name)).map((t) => t.name));
  const made = new Set(nodes.flatMap((node) => node.outputs));
  for (const input of graph.inputs) made.add(input.name);
  for (const tensor of graph.initializers) if (used.has(tensor.name)) made.add(tensor.name);
  return {
    ...graph,
    nodes,
    inputs: graph.inputs.filter((i) => !gone.has(i.name)),
    initializers: graph.initializers.filter((t) => used.has(t.name)),
    valueInfos: graph.valueInfos.filter((v) => made.has(v.name)),
  };
}

/**
 * Checks that each value is made once, and before it is read.
 * @throws HalpError HALP_GRAPH_VALUE_MISSING, HALP_GRAPH_ORDER, HALP_GRAPH_VALUE_TWICE
 */
export function checkSorted(graph: Graph): void {
  const made = new Set<string>();
  for (const input of graph.inputs) made.add(input.name);
  for (const tensor of graph.initializers) made.add(tensor.name);
  for (const node of graph.nodes) {
    for (const name of node.inputs) if (name !== "" && !made.has(name)) throw notMade(graph, node, name);
    for (const name of node.outputs) {
      if (name === "") continue;
      if (made.has(name))
        throw new HalpError(
          "HALP_GRAPH_VALUE_TWICE",
          `Expected each value to be made once; "${name}" is made again by ${node.opType} "${node.name}". The model is not valid ONNX.`,
          { node: node.name, opType: node.opType, name },
        );
      made.add(name);
    }
  }
  for (const { name } of graph.outputs)
    if (!made.has(name))
      throw new HalpError(
        "HALP_GRAPH_VALUE_MISSING",
        `The network output "${name}" is made by no node. The model is damaged or was cut out of a larger one.`,
        { name },
      );
}

function notMade(graph: Graph, node: Node, name: string): HalpError {
  const fields = { node: node.name, opType: node.opType, name };
  if (graph.nodes.some((n) => n.outputs.includes(name)))
    return new HalpError(
      "HALP_GRAPH_ORDER",
      `${node.opType} "${node.name}" reads "${name}", which is made only later. Sort the nodes of the model topologically.`,
      fields,
    );
  return new HalpError(
    "HALP_GRAPH_VALUE_MISSING",
    `${node.opType} "${node.name}" reads "${name}", which is no input, no initialiser and made by no node: a weight is missing, or the model was cut out of a larger one.`,
    fields,
  );
}
