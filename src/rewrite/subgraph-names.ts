import type { Attribute, Graph, Node } from "../graph/ir.js";

/** Names that the subgraphs of a node (Loop, If) read, those of their own values among them. */
export function namesInSubgraphs(node: Node): readonly string[] {
  const names: string[] = [];
  const visit = (attribute: Attribute) => {
    const graphs: readonly Graph[] =
      attribute.kind === "graph" ? [attribute.value] : attribute.kind === "graphs" ? attribute.value : [];
    for (const graph of graphs) {
      for (const output of graph.outputs) names.push(output.name);
      for (const inner of graph.nodes) {
        names.push(...inner.inputs);
        for (const a of inner.attributes.values()) visit(a);
      }
    }
  };
  for (const a of node.attributes.values()) visit(a);
  return names;
}
