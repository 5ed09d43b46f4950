/** Channels that are gone for now, in the graph of a training. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node, Tensor } from "../graph/ir.js";
import { float32Tensor } from "../graph/tensors.js";
import type { GradientRule } from "../operators/spec.js";
import type { LossGraph } from "./loss-graph.js";

/**
 * Factors that some nodes read a value times, one for each position along an axis. The gradient passes as if they were not
 * there: it tells what a channel that is read as zero would bring if it came back.
 */
export interface ReadMask {
  readonly value: string;
  readonly axis: number;
  readonly factors: Float32Array;
  /** First outputs of the nodes that read it so: those that mix channels. What works channel by channel needs no mask. */
  readonly readBy: readonly string[];
}

/**
 * Factors of the gradient that goes on behind a value, to what makes it. Its own gradient, from which it is scored, stays whole;
 * what lies before it learns nothing from channels that are gone.
 */
export interface GradientMask {
  readonly value: string;
  readonly axis: number;
  readonly factors: Float32Array;
}

/** Factors of a weight's gradient along an axis: zero for what is not to move. */
export interface WeightMask {
  readonly name: string;
  readonly axis: number;
  readonly factors: Float32Array;
}

export interface Masks {
  readonly reads: readonly ReadMask[];
  readonly gradients: readonly GradientMask[];
  readonly weights: readonly WeightMask[];
}

export interface Masked {
  readonly lossGraph: LossGraph;
  /** Gradients of the nodes that mask. */
  readonly rules: ReadonlyMap<Node, GradientRule>;
}

/** Factors as a tensor that lies along one axis of `rank`. */
export function alongAxis(name: string, factors: Float32Array, axis: number, rank: number): Tensor {
  const dims = Array.from({ length: rank }, (_, i) => (i === axis ? factors.length : 1));
  return float32Tensor(name, dims, factors);
}

/** The loss of the network whose nodes read through masks, and whose gradients end at them. Names of values stay. */
export function maskGraph(lossGraph: LossGraph, { reads, gradients }: Pick<Masks, "reads" | "gradients">): Masked {
  if (reads.length + gradients.length === 0) return { lossGraph, rules: new Map() };
  const { analyzed } = lossGraph;
  const { graph } = analyzed;
  const readsOf = new Map<string, ReadMask[]>();
  for (const mask of reads) readsOf.set(mask.value, [...(readsOf.get(mask.value) ?? []), mask]);
  const gradientOf = new Map(gradients.map((mask) => [mask.value, mask]));
  const types = new Map(analyzed.types);
  const constants = new Map(analyzed.constants);
  const factors: Tensor[] = [];
  const nodes: Node[] = [];
  const own = new Set<Node>();
  const rules = new Map<Node, GradientRule>();
  const addFactors = (value: string, mask: { readonly axis: number; readonly factors: Float32Array }): string => {
    const rank = types.get(value)?.dims.length ?? 0;
    const tensor = alongAxis(`mask ${factors.length} of ${value}`, mask.factors, mask.axis, rank);
    factors.push(tensor);
    constants.set(tensor.name, tensor);
    types.set(tensor.name, { dtype: "float32", dims: tensor.dims });
    return tensor.name;
  };
  const add = (opType: string, inputs: readonly string[], output: string, rule: GradientRule): void => {
    const node: Node = { name: "", opType, domain: "", inputs, outputs: [output], attributes: new Map() };
    nodes.push(node);
    rules.set(node, rule);
  };
  /** Gives a name the type of a value. */
  const alike = (value: string, name: string): string => {
    const type = types.get(value);
    if (type) types.set(name, type);
    return name;
  };
  const made = new Map<string, string>();
  /** The name of a value behind a mask; made where it is first read. */
  const behind = (value: string, mask: ReadMask): string => {
    const output = `${value} masked along ${mask.axis}`;
    if (made.has(output)) return output;
    made.set(output, alike(value, output));
    add("Mul", [value, addFactors(value, mask)], output, (c) => [c.outputGradient(0), undefined]);
    return output;
  };
  for (const node of graph.nodes) {
    const [first = ""] = node.outputs;
    const inputs = node.inputs.map((value) =>
      (readsOf.get(value) ?? []).filter(({ readBy }) => readBy.includes(first)).reduce(behind, value),
    );
    const ending = gradientOf.get(first);
    const outputs = ending ? [alike(first, `${first} before its mask`), ...node.outputs.slice(1)] : node.outputs;
    const placed = ending || inputs.some((value, i) => value !== node.inputs[i]) ? { ...node, inputs, outputs } : node;
    if (lossGraph.own.has(node)) own.add(placed);
    nodes.push(placed);
    if (ending) {
      const name = addFactors(first, ending);
      add("Identity", [outputs[0] ?? ""], first, (c) => {
        const gradient = c.outputGradient(0);
        return [gradient === undefined ? undefined : c.builder.node("Mul", [gradient, name])];
      });
    }
  }
  const masked: AnalyzedGraph = {
    ...analyzed,
    graph: { ...graph, nodes, initializers: [...graph.initializers, ...factors] },
    types,
    constants,
    ...linksOf(nodes),
  };
  return { lossGraph: { ...lossGraph, analyzed: masked, own }, rules };
}

function linksOf(nodes: readonly Node[]): Pick<AnalyzedGraph, "producerOf" | "consumersOf"> {
  const producerOf = new Map<string, Node>();
  const consumersOf = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of node.outputs) if (name !== "") producerOf.set(name, node);
    for (const name of node.inputs) if (name !== "") consumersOf.set(name, [...(consumersOf.get(name) ?? []), node]);
  }
  return { producerOf, consumersOf };
}
