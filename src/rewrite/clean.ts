/** Taking out what a rewriting leaves behind. */
import type { Graph, Node } from "../graph/ir.js";
import { plainNode } from "./masked.js";
import { namesInSubgraphs } from "./subgraph-names.js";

/**
 * Every reader of a replaced value reads what stands for it. A graph output keeps its name: where it was replaced, the
 * node that makes its substitute takes the name over, or an Identity does.
 */
export function substitute(graph: Graph, replaced: ReadonlyMap<string, string>): Graph {
  const target = (name: string): string => {
    let at = name;
    for (let to = replaced.get(at); to !== undefined; to = replaced.get(at)) at = to;
    return at;
  };
  let nodes = graph.nodes.map((n) => withInputs(n, target));
  for (const output of graph.outputs) {
    const source = target(output.name);
    if (source === output.name) continue;
    const fixed = [...graph.inputs, ...graph.outputs, ...graph.initializers].some((v) => v.name === source);
    const captured = nodes.some((n) => namesInSubgraphs(n).includes(source));
    if (fixed || captured) nodes = [...nodes, plainNode("Identity", [source], output.name)];
    else {
      const rename = (name: string) => (name === source ? output.name : name);
      nodes = nodes.map((n) => ({ ...withInputs(n, rename), outputs: n.outputs.map(rename) }));
    }
  }
  return { ...graph, nodes };
}

function withInputs(node: Node, rename: (name: string) => string): Node {
  return node.inputs.some((i) => rename(i) !== i) ? { ...node, inputs: node.inputs.map(rename) } : node;
}

/** Without nodes, initialisers (with the inputs that they are defaults of) and value infos that no output depends on. */
export function withoutDead(graph: Graph): Graph {
  const producerOf = new Map<string, Node>();
  for (const node of graph.nodes) for (const o of node.outputs) producerOf.set(o, node);
  const live = new Set<Node>();
  const used = new Set<string>();
  const queue = graph.outputs.map((o) => o.name);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (name === "" || used.has(name)) continue;
    used.add(name);
    const node = producerOf.get(name);
    if (!node || live.has(node)) continue;
    live.add(node);
    queue.push(...node.inputs, ...namesInSubgraphs(node));
  }
  const known = new Set([...graph.inputs.map((i) => i.name), ...graph.initializers.map((t) => t.name)]);
  const nodes = graph.nodes.filter((n) => live.has(n));
  for (const node of nodes) for (const o of node.outputs) known.add(o);
  const defaults = new Set(graph.initializers.map((t) => t.name));
  return {
    ...graph,
    nodes,
    initializers: graph.initializers.filter((t) => used.has(t.name)),
    inputs: graph.inputs.filter((i) => !defaults.has(i.name) || used.has(i.name)),
    valueInfos: graph.valueInfos.filter((v) => known.has(v.name) && (used.has(v.name) || producerOf.has(v.name))),
  };
}
