/**
 * Copies of one layer in one model: where only the time of a whole run can be seen, the difference between many copies and
 * few, divided by how many more there are, is what one takes.
 */
import { GraphBuilder } from "../graph/builder.js";
import type { Model } from "../graph/ir.js";
import type { Feeds, RuntimeTensor } from "../runtime/index.js";
import { addLayer, makeInput, readPlain } from "./bank.js";
import type { LayerConfig } from "./config.js";

/** Session setting that keeps the runtime from making one node of equal ones. */
export const keepCopies = { "optimization.disable_specified_optimizers": "CommonSubexpressionElimination" };

/**
 * All copies read the same inputs, written once; weights are their own. One element of the last copy is read, the others'
 * results by nobody: the runtime runs them all the same.
 */
export function buildCopies(config: LayerConfig, count: number): { readonly model: Model; readonly feeds: Feeds } {
  const g = new GraphBuilder();
  const feeds: Record<string, RuntimeTensor> = {};
  const opset = Math.max(13, config.opset);
  const inputs = config.inputs.map((input, j) => makeInput(g, feeds, { ...input, layout: "plain" }, `maker${j}`));
  for (let i = 0; i < count; i++) {
    const refs = new Map<string, string>([["", ""]]);
    inputs.forEach((name, j) => {
      refs.set(`i${j}`, name);
    });
    addLayer(g, config, `L${i}_`, refs);
    const last = config.results.at(-1);
    if (i === count - 1 && last) readPlain(g, refs.get(last.value) ?? "", config.opset || opset, "reader");
  }
  const domains = [...new Set(config.nodes.map((n) => n.domain))].filter((d) => d !== "");
  const model = g.model({ name: "halp_copies", opset: config.opset || opset });
  return {
    model: { ...model, opsets: [...model.opsets, ...domains.map((domain) => ({ domain, version: 1 }))] },
    feeds,
  };
}
