/** How much of a network's work lies within reach of pruning. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";
import { macsOf } from "../operators/cost.js";
import type { Coupling } from "./types.js";

export interface PrunableMacs {
  /** Multiply-accumulates of one run. */
  readonly all: number;
  /** Those that read or make a channel that may go. */
  readonly prunable: number;
}

/**
 * Counts, of the nodes that `select` takes (all, unless said otherwise), the multiply-accumulates between channels of which
 * at least one may go. Undefined where a shape is not known.
 */
export function prunableMacs(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  select: (node: Node) => boolean = () => true,
): PrunableMacs | undefined {
  let all = 0;
  let prunable = 0;
  for (const node of analyzed.graph.nodes) {
    if (!select(node)) continue;
    const macs = macsOf(node, (name) => analyzed.types.get(name));
    if (macs === undefined) return undefined;
    if (macs === 0) continue;
    // Weights have all the channels that a layer reads and makes; in a product of activations they lie on both operands.
    const [a = "", b = ""] = node.inputs;
    const axes = analyzed.constants.has(b)
      ? coupling.axes.get(b)
      : [...(coupling.axes.get(node.outputs[0] ?? "") ?? []), coupling.axes.get(a)?.at(-1) ?? null];
    const fixed = (axes ?? []).reduce((share, axis) => share * fixedShare(axis, coupling), 1);
    all += macs;
    prunable += macs * (1 - fixed);
  }
  return { all, prunable };
}

function fixedShare(axis: Int32Array | null, { groups, groupOf }: Coupling): number {
  if (!axis) return 1;
  const fixed = axis.filter((channel) => channel < 0 || groups[groupOf[channel] ?? -1]?.frozen !== undefined);
  return fixed.length / axis.length;
}
