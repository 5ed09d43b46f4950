/** How much rounding alone moves the values of a network. */
import { attr } from "../graph/attributes.js";
import type { Model, Node, Tensor } from "../graph/ir.js";
import { float32Of, float32Tensor } from "../graph/tensors.js";

/** Relative size of the change of each weight: some roundings of a float32 product. */
const nudge = 1e-6;

/**
 * The model with each float32 weight changed by up to one part in a million at random: as far as sums taken in another
 * order differ. What moves by this moves by rounding.
 */
export function withNudgedWeights(model: Model, random: () => number): Model {
  const nudged = (tensor: Tensor): Tensor => {
    if (tensor.dtype !== "float32") return tensor;
    const data = float32Of(tensor).map((v) => v * (1 + nudge * Math.max(-1, Math.min(1, random()))));
    return float32Tensor(tensor.name, tensor.dims, data);
  };
  const node = (n: Node): Node => {
    const value = n.opType === "Constant" ? n.attributes.get("value") : undefined;
    if (value?.kind !== "tensor") return n;
    return { ...n, attributes: new Map([...n.attributes, ["value", attr.tensor(nudged(value.value))]]) };
  };
  const { graph } = model;
  return { ...model, graph: { ...graph, nodes: graph.nodes.map(node), initializers: graph.initializers.map(nudged) } };
}
