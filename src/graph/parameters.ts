import type { AnalyzedGraph } from "./analysis.js";
import { sizeOf } from "./tensors.js";

/** Number of weights: elements of all floating-point constants that the graph holds (initialisers, Constant nodes). */
export function countParameters(analyzed: AnalyzedGraph): number {
  const held = new Set([
    ...analyzed.graph.initializers.map((t) => t.name),
    ...analyzed.graph.nodes.filter((n) => n.opType === "Constant").flatMap((n) => n.outputs),
  ]);
  let count = 0;
  for (const name of held) {
    const tensor = analyzed.constants.get(name);
    if (tensor && (tensor.dtype.startsWith("float") || tensor.dtype === "bfloat16")) count += sizeOf(tensor.dims);
  }
  return count;
}
