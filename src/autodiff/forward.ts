/** The network itself in a builder, ready for a gradient to be added to it. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Model, Node } from "../graph/ir.js";
import { normalDomain } from "../graph/ir.js";
import { namesOf, removeDeadNodes } from "../graph/topology.js";
import type { OperatorSpec } from "../operators/spec.js";
import { type Backward, type BackwardOptions, emitBackward } from "./backward.js";

/**
 * A graph builder with all nodes, inputs (under their concrete dims) and weights of a network in it.
 * @param fed initialisers that become inputs
 * @param place adds a node to the builder; as it is unless told otherwise
 */
export function copyNetwork(
  analyzed: AnalyzedGraph,
  fed: readonly string[] = [],
  place: (builder: GraphBuilder, node: Node) => void = (builder, node) => builder.add(node),
): GraphBuilder {
  const { graph } = analyzed;
  const builder = new GraphBuilder(namesOf(graph));
  const inputs = new Set(fed);
  for (const [name, dims] of analyzed.inputDims) {
    const dtype = analyzed.types.get(name)?.dtype ?? "float32";
    if (dtype !== "other") builder.input(name, dims, dtype);
  }
  for (const tensor of graph.initializers) {
    if (!inputs.has(tensor.name)) builder.initializer(tensor);
    else if (tensor.dtype !== "other") builder.input(tensor.name, tensor.dims, tensor.dtype);
  }
  for (const node of graph.nodes) place(builder, node);
  return builder;
}

/**
 * The model that a builder with {@link copyNetwork} has become: the network's own opsets, and ONNX Runtime's domain.
 * What no output depends on is left out: the runtime would execute it.
 */
export function gradientModel(analyzed: AnalyzedGraph, builder: GraphBuilder): Model {
  const { model } = analyzed;
  const { extra } = analyzed.graph;
  const { docString: _, ...rest } = model;
  const graph = removeDeadNodes({ ...builder.graph("gradient"), ...(extra ? { extra } : {}) });
  const domains = new Set(model.opsets.map((o) => normalDomain(o.domain)));
  const more = [...new Set(["com.microsoft", ...graph.nodes.map((n) => n.domain)])].filter(
    (domain) => domain.startsWith("com.microsoft") && !domains.has(domain),
  );
  return {
    ...rest,
    // Before version 4 every initialiser had to be an input as well.
    irVersion: Math.max(model.irVersion, 8),
    opsets: [...model.opsets, ...more.map((domain) => ({ domain, version: 1 }))],
    producerName: "halp",
    metadata: [],
    graph,
  };
}

export interface GradientOptions {
  /** A scalar of the graph; or values with the names under which their gradients will be fed. */
  readonly loss: string | readonly { readonly value: string; readonly input: string }[];
  /** Values or initialisers. */
  readonly wrt: readonly string[];
  /** Values of the network to hand out as well. */
  readonly keepOutputs?: readonly string[];
  /** Initialisers that become graph inputs, so that they may change between runs. */
  readonly fed?: readonly string[];
  readonly onMissing?: BackwardOptions["onMissing"];
}

export interface Gradient extends Backward {
  /** Outputs: those of `keepOutputs`, then one for each entry of `gradientOf`. */
  readonly model: Model;
}

/**
 * The network with the gradient of a loss, as one model of standard ONNX operators (and ONNX Runtime's FusedMatMul) at the
 * network's own opset, for the dims that were analysed.
 * @throws HalpError HALP_NO_GRADIENT
 */
export function buildGradient(
  analyzed: AnalyzedGraph,
  findOperator: (opType: string, domain: string) => Pick<OperatorSpec, "gradient"> | undefined,
  options: GradientOptions,
): Gradient {
  const { loss } = options;
  const builder = copyNetwork(analyzed, options.fed);
  const seeds =
    typeof loss === "string"
      ? [{ value: loss, gradient: builder.float32(1, analyzed.types.get(loss)?.dims ?? []) }]
      : loss.map(({ value, input }) => ({
          value,
          gradient: builder.input(input, analyzed.types.get(value)?.dims ?? []),
        }));
  const backward = emitBackward({
    analyzed,
    findOperator,
    builder,
    seeds,
    wrt: options.wrt,
    ...(options.fed ? { fed: options.fed } : {}),
    ...(options.onMissing ? { onMissing: options.onMissing } : {}),
  });
  for (const name of options.keepOutputs ?? []) builder.output(name);
  const gradientOf = new Map<string, string>();
  for (const [value, gradient] of backward.gradientOf) {
    // A name of its own: the same gradient may serve two values, and a seed is an input.
    const name = builder.node("Identity", [gradient], {}, { outputs: [builder.freshName(`gradient of ${value}`)] });
    builder.output(name);
    gradientOf.set(value, name);
  }
  return { model: gradientModel(analyzed, builder), gradientOf, cut: backward.cut };
}
