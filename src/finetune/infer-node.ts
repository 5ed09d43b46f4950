/** What the outputs of a training graph's nodes are, as far as the operators tell. */
import type { ValueType } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Node, Tensor } from "../graph/ir.js";
import type { FindOperator } from "../operators/spec.js";

export interface Inference {
  readonly findOperator: FindOperator;
  /** Of ONNX's own operators. */
  readonly opset: number;
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** Adds what is found to `types`, which hold the inputs. */
export function inferNode(node: Node, types: Map<string, ValueType>, inference: Inference): void {
  if (node.outputs.every((name) => types.has(name))) return;
  const { findOperator, constants } = inference;
  // ONNX Runtime's product, whose factors may be transposed.
  const isProduct = node.opType === "FusedMatMul";
  const inputs = node.inputs.map((name) => types.get(name));
  const [opType, domain] = isProduct ? ["MatMul", ""] : [node.opType, node.domain];
  const inferred = findOperator(opType, domain)?.infer({
    node,
    opset: domain === "" ? inference.opset : 1,
    inputs: isProduct
      ? inputs.map((type, i) => (type && intAttr(node, i === 0 ? "transA" : "transB", 0) === 1 ? turned(type) : type))
      : inputs,
    constants: node.inputs.map((name) => constants.get(name)),
  });
  node.outputs.forEach((name, i) => {
    const type = inferred?.[i];
    if (type && !types.has(name)) types.set(name, type);
  });
}

const turned = ({ dtype, dims }: ValueType): ValueType => ({
  dtype,
  dims: [...dims.slice(0, -2), ...dims.slice(-2).reverse()],
});
