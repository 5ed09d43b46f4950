/** Constants of a graph: which are known whatever the input, and how they lose channels. */

import type { AnalyzedGraph } from "../graph/analysis.js";
import { attr } from "../graph/attributes.js";
import type { Node, Tensor } from "../graph/ir.js";
import { deriveTensor } from "../graph/lazy-tensor.js";
import { takeAlongAxis } from "../graph/tensors.js";
import type { Kept } from "./kept.js";

/**
 * Names of values that are the same whatever the dims of the input: initialisers, outputs of Constant nodes, and what
 * folds from these alone. Shape arithmetic that reads the shape of an activation is not among them.
 */
export function fixedConstants(analyzed: AnalyzedGraph): Set<string> {
  const fixed = new Set(analyzed.graph.initializers.map((t) => t.name));
  for (const node of analyzed.graph.nodes)
    if (node.inputs.every((i) => i === "" || fixed.has(i)))
      for (const o of node.outputs) if (o !== "" && analyzed.constants.has(o)) fixed.add(o);
  return fixed;
}

/** The constant with only the positions that stay. */
export function cutTensor(tensor: Tensor, name: string, kept: Pick<Kept, "positions">): Tensor {
  let cut = tensor;
  tensor.dims.forEach((_, axis) => {
    const stays = kept.positions(name, axis);
    if (stays) cut = takeAlongAxis(cut, axis, stays);
  });
  return cut;
}

/** A Constant node that holds the tensor in place of what it held. */
export function constantNode(node: Node, tensor: Tensor): Node {
  const attributes = new Map(
    [...node.attributes].filter(([key]) => !key.startsWith("value") && key !== "sparse_value"),
  );
  attributes.set("value", attr.tensor(deriveTensor(tensor, { name: "" })));
  return { ...node, attributes };
}
