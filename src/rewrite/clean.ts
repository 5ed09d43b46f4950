/** Taking out what a rewriting leaves behind. */
import type { Graph, Node } from "../graph/ir.js";
import { namesInside } from "../graph/topology.js";
import { plainNode } from "./plain-node.js";

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
    const captured = nodes.some((n) => namesInside(n).includes(source));
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
