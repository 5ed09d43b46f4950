import type { Node } from "../graph/ir.js";

/** A node of the standard operators with one output, no name and no attributes. */
export function plainNode(opType: string, inputs: readonly string[], output: string): Node {
  return { name: "", opType, domain: "", inputs, outputs: [output], attributes: new Map() };
}
