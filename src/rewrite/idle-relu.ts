import type { Node } from "../graph/ir.js";

/** Nothing that these make is negative. */
const makers = new Set(["Relu", "Sigmoid", "HardSigmoid", "Softmax"]);
/** Nothing that these make of what is not negative is negative. */
const keepers = new Set([
  "Slice",
  "MaxPool",
  "AveragePool",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "Transpose",
  "Reshape",
]);

/**
 * Without each Relu whose input is known not to be negative since an Add between them lost its branch: its readers read
 * the input. Others stay: what the network came with is its own.
 */
export function withoutIdleRelu(nodes: readonly Node[], replaced: Map<string, string>): Node[] {
  const target = (name: string): string => {
    const to = replaced.get(name);
    return to === undefined ? name : target(to);
  };
  const rectified = new Set<string>();
  return nodes.filter((node) => {
    const [input = ""] = node.inputs;
    const [output = ""] = node.outputs;
    if (makers.has(node.opType) || (keepers.has(node.opType) && rectified.has(target(input)))) rectified.add(output);
    if (node.opType !== "Relu" || !replaced.has(input) || !rectified.has(target(input))) return true;
    replaced.set(output, target(input));
    return false;
  });
}
