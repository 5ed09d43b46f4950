/** Channels that are gone for now, in the graph of a training. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node, Tensor } from "../graph/ir.js";
import { float32Tensor } from "../graph/tensors.js";
import { linksOf } from "../graph/topology.js";
import type { LossGraph } from "./loss-graph.js";

/**
 * Factors that some nodes read a value times, one for each position along an axis. Channels that all who sum over them read as
 * zero have no part in the loss, and neither they nor the weights that make or read them have a gradient.
 */
export interface ReadMask {
  readonly value: string;
  readonly axis: number;
  readonly factors: Float32Array;
  /** First outputs of the nodes that read it so: those that sum over channels. What works channel by channel needs no mask. */
  readonly readBy: readonly string[];
}

/** The loss of the network whose nodes read through masks. Names of values stay. */
export function maskReads(lossGraph: LossGraph, masks: readonly ReadMask[]): LossGraph {
  if (masks.length === 0) return lossGraph;
  const { analyzed } = lossGraph;
  const { graph } = analyzed;
  const masksOf = new Map<string, ReadMask[]>();
  for (const mask of masks) masksOf.set(mask.value, [...(masksOf.get(mask.value) ?? []), mask]);
  const types = new Map(analyzed.types);
  const constants = new Map(analyzed.constants);
  const factors: Tensor[] = [];
  const nodes: Node[] = [];
  const own = new Set<Node>();
  const made = new Set<string>();
  /** The name of a value behind a mask; made where it is first read. */
  const behind = (value: string, mask: ReadMask): string => {
    const output = `${value} masked along ${mask.axis}`;
    if (made.has(output)) return output;
    made.add(output);
    const type = types.get(value);
    const dims = (type?.dims ?? []).map((_, i) => (i === mask.axis ? mask.factors.length : 1));
    const tensor = float32Tensor(`mask of ${output}`, dims, mask.factors);
    factors.push(tensor);
    constants.set(tensor.name, tensor);
    types.set(tensor.name, { dtype: "float32", dims });
    if (type) types.set(output, type);
    nodes.push({
      name: "",
      opType: "Mul",
      domain: "",
      inputs: [value, tensor.name],
      outputs: [output],
      attributes: new Map(),
    });
    return output;
  };
  for (const node of graph.nodes) {
    const [first = ""] = node.outputs;
    const inputs = node.inputs.map((value) =>
      (masksOf.get(value) ?? []).filter(({ readBy }) => readBy.includes(first)).reduce(behind, value),
    );
    const placed = inputs.some((value, i) => value !== node.inputs[i]) ? { ...node, inputs } : node;
    if (lossGraph.own.has(node)) own.add(placed);
    nodes.push(placed);
  }
  const masked: AnalyzedGraph = {
    ...analyzed,
    graph: { ...graph, nodes, initializers: [...graph.initializers, ...factors] },
    types,
    constants,
    ...linksOf(nodes),
  };
  return { ...lossGraph, analyzed: masked, own };
}
