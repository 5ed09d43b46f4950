/** How many numbers a network has learned. */
import type { AnalyzedGraph } from "./analysis.js";
import { sizeOf } from "./tensors.js";

const floating: ReadonlySet<string> = new Set(["float32", "float64", "float16", "bfloat16"]);

/**
 * Elements of the floating-point constants: initialisers and Constant nodes. What was folded from them does not count
 * again, and shape arithmetic is whole numbers.
 */
export function countParameters({ graph }: Pick<AnalyzedGraph, "graph">): number {
  let count = 0;
  for (const tensor of graph.initializers) if (floating.has(tensor.dtype)) count += sizeOf(tensor.dims);
  for (const node of graph.nodes) {
    const value = node.opType === "Constant" ? node.attributes.get("value") : undefined;
    if (value?.kind === "tensor" && floating.has(value.value.dtype)) count += sizeOf(value.value.dims);
  }
  return count;
}
