/** Networks in a form whose weights can be learnt: what is a weight lies in an initialiser of its own. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import { GraphBuilder } from "../graph/builder.js";
import { analyzeGraph } from "../graph/infer.js";
import type { Graph, Model, Node, Tensor } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { namesOf, removeDeadNodes } from "../graph/topology.js";
import type { FindOperator } from "../operators/spec.js";

/**
 * The same network with its float constants (outputs of Constant nodes, initialisers behind Identity) as initialisers,
 * and with no initialiser shared between operators that keep statistics: exporters store equal tensors once, and those of
 * two batch norms do not stay equal. Prepared once, it stays as it is.
 */
export function prepareForTraining(analyzed: AnalyzedGraph, findOperator: FindOperator): AnalyzedGraph {
  const { graph, constants } = analyzed;
  const builder = new GraphBuilder(namesOf(graph));
  const initializers = new Map(graph.initializers.map((t) => [t.name, t]));
  const handedOut = new Set(graph.outputs.map((o) => o.name));
  /** Where a constant is handed on: its initialiser. */
  const sources = new Map<string, string>();
  const owned = new Set<string>();
  const nodes: Node[] = [];

  for (const node of graph.nodes) {
    const [output = ""] = node.outputs;
    const constant = constants.get(output);
    if (constant?.dtype === "float32" && node.outputs.length === 1 && !handedOut.has(output)) {
      const spec = findOperator(node.opType, node.domain);
      const [input = ""] = node.inputs;
      const handedOn = sources.get(input) ?? input;
      if (spec?.passesConstant && initializers.has(handedOn)) {
        sources.set(output, handedOn);
        continue;
      }
      if (node.inputs.length === 0) {
        initializers.set(output, { ...constant, name: output });
        continue;
      }
    }
    let inputs = node.inputs.map((name) => sources.get(name) ?? name);
    if (findOperator(node.opType, node.domain)?.training)
      inputs = inputs.map((name) => {
        const tensor = initializers.get(name);
        if (!tensor) return name;
        const own = owned.has(name) ? builder.freshName(name) : name;
        owned.add(own);
        initializers.set(own, { ...tensor, name: own });
        return own;
      });
    nodes.push({ ...node, inputs });
  }
  const whole: Graph = { ...graph, nodes, initializers: [...initializers.values()] };
  const model = { ...analyzed.model, graph: removeDeadNodes(whole) };
  return analyzeGraph(model, findOperator, { inputDims: analyzed.inputDims });
}

/** An initialiser that is learnt. */
export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
}

/**
 * What is learnt of a prepared network: float32 initialisers in slots that operators learn. Of elementwise arithmetic only
 * those of more than one element that come after a layer: what lies before is the preparation of the data.
 */
export function findParameters(analyzed: Pick<AnalyzedGraph, "graph">, findOperator: FindOperator): Parameter[] {
  const weights = new Map<string, Tensor>(analyzed.graph.initializers.map((t) => [t.name, t]));
  const found = new Map<string, Parameter>();
  /** Values that depend on something learnt. */
  const learnt = new Set<string>();
  for (const node of analyzed.graph.nodes) {
    const spec = findOperator(node.opType, node.domain);
    const afterLayer = node.inputs.some((name) => learnt.has(name));
    for (const slot of spec?.learns ?? []) {
      const tensor = weights.get(node.inputs[slot] ?? "");
      if (tensor?.dtype !== "float32") continue;
      if (spec?.pointwise && (!afterLayer || sizeOf(tensor.dims) < 2)) continue;
      found.set(tensor.name, { name: tensor.name, dims: tensor.dims });
      learnt.add(tensor.name);
    }
    if (node.inputs.some((name) => learnt.has(name))) for (const output of node.outputs) learnt.add(output);
  }
  return [...found.values()];
}

/** A network with other values in some of its initialisers. */
export function withWeights(model: Model, values: ReadonlyMap<string, Tensor>): Model {
  const { graph } = model;
  return { ...model, graph: { ...graph, initializers: graph.initializers.map((t) => values.get(t.name) ?? t) } };
}
