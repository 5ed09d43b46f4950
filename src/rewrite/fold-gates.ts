/** A product with a constant per channel is folded into the convolutions that read it. */
import { intAttr } from "../graph/attributes.js";
import type { Graph, Node, Tensor } from "../graph/ir.js";
import { float32Of, float32Tensor, sizeOf } from "../graph/tensors.js";
import { namesInside } from "../graph/topology.js";
import { constantNode } from "./constants.js";

/**
 * For each Mul by a constant [1, C, 1, ...] (given by its output) whose readers are all convolutions with weights of their
 * own: the weights' input channels are scaled and the Mul goes. Exact but for rounding, zero padding included. Others stay.
 */
export function foldGates(graph: Graph, products: Iterable<string>): Graph {
  let folded = graph;
  for (const product of products) folded = foldOne(folded, product);
  return folded;
}

function foldOne(graph: Graph, product: string): Graph {
  const tensors = new Map(graph.initializers.map((t) => [t.name, t]));
  for (const node of graph.nodes) {
    const value = node.opType === "Constant" ? node.attributes.get("value") : undefined;
    if (value?.kind === "tensor") tensors.set(node.outputs[0] ?? "", { ...value.value, name: node.outputs[0] ?? "" });
  }
  const mul = graph.nodes.find((n) => n.opType === "Mul" && n.outputs[0] === product);
  const slot = mul?.inputs.findIndex((i) => tensors.has(i)) ?? -1;
  const factor = tensors.get(mul?.inputs[slot] ?? "");
  const x = mul?.inputs[1 - slot];
  if (!mul || !factor || x === undefined || factor.dtype !== "float32") return graph;
  const perChannel = factor.dims.length >= 3 && factor.dims.every((d, axis) => axis === 1 || d === 1);
  const readers = graph.nodes.filter((n) => n.inputs.includes(product));
  const taken =
    graph.outputs.some((o) => o.name === product) || graph.nodes.some((n) => namesInside(n).includes(product));
  if (!perChannel || taken || readers.length === 0) return graph;

  const changed = new Map<string, Tensor>();
  for (const reader of readers) {
    const weight = tensors.get(reader.inputs[1] ?? "");
    const alone = graph.nodes.filter((n) => n.inputs.includes(weight?.name ?? "")).length === 1;
    if (reader.opType !== "Conv" || !weight || weight.dtype !== "float32" || !alone) return graph;
    if (reader.inputs.filter((i) => i === product).length !== 1 || graph.inputs.some((i) => i.name === weight.name))
      return graph;
    changed.set(weight.name, scaledInputs(reader, weight, float32Of(factor)));
  }
  return {
    ...graph,
    nodes: graph.nodes
      .filter((n) => n !== mul)
      .map((n) => {
        const weight = n.opType === "Constant" ? changed.get(n.outputs[0] ?? "") : undefined;
        if (weight) return constantNode(n, weight);
        return readers.includes(n) ? { ...n, inputs: n.inputs.map((i) => (i === product ? x : i)) } : n;
      }),
    initializers: graph.initializers.map((t) => changed.get(t.name) ?? t),
  };
}

/** Weight [O, I/group, ...] times the factor of the input channel that each entry meets; a single factor serves all. */
function scaledInputs(conv: Node, weight: Tensor, factor: Float32Array): Tensor {
  const [outputs = 1, perGroup = 1] = weight.dims;
  const groups = intAttr(conv, "group", 1);
  const inner = sizeOf(weight.dims.slice(2));
  const data = float32Of(weight).slice();
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < perGroup; i++) {
      const channel = Math.floor((o * groups) / outputs) * perGroup + i;
      const k = factor[factor.length === 1 ? 0 : channel] as number;
      const at = (o * perGroup + i) * inner;
      for (let j = at; j < at + inner; j++) data[j] = (data[j] as number) * k;
    }
  return float32Tensor(weight.name, weight.dims, data);
}
