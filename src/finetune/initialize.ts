/** Weights as they are before any training. */
import { createRandom, fillGaussian } from "../data/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Model, Node, Tensor } from "../graph/ir.js";
import { float32Tensor, sizeOf } from "../graph/tensors.js";
import type { FindOperator } from "../operators/spec.js";
import { withWeights } from "./prepare.js";

/**
 * The network of a prepared graph with all its weights drawn anew: those of layers normal with variance 2 / fan-in (He et
 * al. 2015), scales of normalisations 1, biases 0, running statistics those of a standard normal. Constants of elementwise
 * arithmetic stay.
 */
export function reinitialized(analyzed: AnalyzedGraph, findOperator: FindOperator, seed: number): Model {
  const random = createRandom(seed);
  const weights = new Map<string, Tensor>(analyzed.graph.initializers.map((t) => [t.name, t]));
  const fresh = new Map<string, Tensor>();
  const set = (name: string | undefined, fill: (out: Float32Array, dims: readonly number[]) => Float32Array) => {
    const tensor = weights.get(name ?? "");
    if (tensor?.dtype !== "float32" || fresh.has(tensor.name)) return;
    fresh.set(
      tensor.name,
      float32Tensor(tensor.name, tensor.dims, fill(new Float32Array(sizeOf(tensor.dims)), tensor.dims)),
    );
  };
  for (const node of analyzed.graph.nodes) {
    const spec = findOperator(node.opType, node.domain);
    for (const slot of spec?.learns ?? []) {
      if (spec?.pointwise) continue;
      set(node.inputs[slot], (out, dims) => {
        if (dims.length > 1) return fillGaussian(out, random, 0, Math.sqrt(2 / fanIn(node, dims)));
        return out.fill(slot === 1 ? 1 : 0);
      });
    }
    const [mean, variance] = spec?.training?.statistics ?? [];
    if (mean !== undefined) set(node.inputs[mean], (out) => out.fill(0));
    if (variance !== undefined) set(node.inputs[variance], (out) => out.fill(1));
  }
  return withWeights(analyzed.model, fresh);
}

/** Terms that each output sums over. */
function fanIn(node: Node, dims: readonly number[]): number {
  const [first = 1] = dims;
  const size = sizeOf(dims);
  const outputsFirst = node.opType === "Conv" || (node.opType === "Gemm" && intAttr(node, "transB", 0) === 1);
  return outputsFirst ? size / first : size / (dims.at(node.opType === "ConvTranspose" ? 1 : -1) ?? 1);
}
