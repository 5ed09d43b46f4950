/** Whether a network is a classifier, and where its scores are. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import { sizeOf } from "../graph/tensors.js";

/** The scores of a classifier before its softmax. */
export interface Classifier {
  readonly logits: string;
  readonly batch: number;
  readonly classes: number;
}

/** Operators between a softmax and the network's output that leave its numbers as they are. */
const relabelling = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

/**
 * The classifier that a network is: one float output with one score per sample and class. A softmax at its end is looked
 * behind: the loss is a function of what goes into it.
 */
export function classifierOf(analyzed: AnalyzedGraph): Classifier | undefined {
  const floats = analyzed.graph.outputs.filter((o) => analyzed.types.get(o.name)?.dtype === "float32");
  if (floats.length !== 1 || analyzed.graph.outputs.length !== 1) return undefined;
  let logits = floats[0]?.name ?? "";
  const scores = (name: string) => {
    const [batch = 0, classes = 0, ...rest] = analyzed.types.get(name)?.dims ?? [];
    return classes > 1 && sizeOf(rest) === 1 ? { batch, classes } : undefined;
  };
  const shape = scores(logits);
  if (!shape) return undefined;
  for (let value = logits; ; ) {
    const node = analyzed.producerOf.get(value);
    if (!node) break;
    const [input = ""] = node.inputs;
    if (node.opType === "Softmax" || node.opType === "LogSoftmax") {
      const before = scores(input);
      if (before?.batch === shape.batch && before.classes === shape.classes) logits = input;
      break;
    }
    if (!relabelling.has(node.opType)) break;
    value = input;
  }
  return { logits, ...shape };
}
