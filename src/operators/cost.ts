/** What a node costs, counted. Latency is measured, never derived from these counts: they are for people to compare by. */
import type { ValueType } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";

/**
 * Multiply-accumulate operations of a node: those of convolutions and matrix products, 0 for all others, as papers count
 * them. Undefined where a shape that is needed is unknown.
 * @param type type of a value under the input dims at hand
 */
export function macsOf(node: Node, type: (name: string) => ValueType | undefined): number | undefined {
  const dims = (name: string | undefined) => (name === undefined ? undefined : type(name)?.dims);
  const [a, b] = [dims(node.inputs[0]), dims(node.inputs[1])];
  const out = dims(node.outputs[0]);
  switch (node.opType) {
    case "Conv":
    case "FusedConv":
      // Each output element: the kernel over the input channels of its group; weight is [out, in / groups, ...kernel].
      return out && b ? sizeOf(out) * sizeOf(b.slice(1)) : undefined;
    case "ConvTranspose":
      // Each input element spreads over the kernel of its group; weight is [in, out / groups, ...kernel].
      return a && b ? sizeOf(a) * sizeOf(b.slice(1)) : undefined;
    case "Gemm":
    case "FusedGemm":
      return out && a ? sizeOf(out) * (intAttr(node, "transA", 0) === 1 ? a[0]! : a[1]!) : undefined;
    case "MatMul":
      return out && a ? sizeOf(out) * (a.at(-1) ?? 1) : undefined;
    default:
      return 0;
  }
}
