import type { Graph } from "../graph/ir.js";
import { namesInside } from "../graph/topology.js";

/** Gives names that nothing in the graph has, nor anything it gave before. */
export function nameGiver(graph: Graph): (hint: string) => string {
  const taken = new Set<string>();
  for (const v of [...graph.inputs, ...graph.outputs, ...graph.valueInfos, ...graph.initializers]) taken.add(v.name);
  for (const node of graph.nodes) for (const n of [...node.inputs, ...node.outputs, ...namesInside(node)]) taken.add(n);
  return (hint) => {
    let name = hint;
    for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
    taken.add(name);
    return name;
  };
}
