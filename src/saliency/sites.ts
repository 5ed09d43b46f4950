/** Where the importance of channels is taken: behind the last layer that scales a channel on its own. */
import type { Coupling } from "../coupling/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";

/**
 * A value whose channels carry the score. With z the output of a batch norm, gamma dL/dgamma + beta dL/dbeta =
 * sum(z dL/dz) over samples and positions, since z = gamma n + beta; with z = w * x the output of a layer without its
 * bias, w dL/dw = sum(z dL/dz). So no gradient of a weight is ever needed.
 */
export interface Site {
  readonly value: string;
  /** Axis of the value along which the channels lie. */
  readonly axis: number;
  /** Global channel number at each position of the axis, -1 for none. */
  readonly channels: Int32Array;
  readonly producer: Node;
  /** The batch norm that makes the value; absent: the producer itself does. */
  readonly batchNorm?: Node;
}

/** Sites of all groups that may be pruned, each value once, in the order of the groups. */
export function findSites(analyzed: AnalyzedGraph, coupling: Coupling): Site[] {
  const sites = new Map<string, Site>();
  for (const group of coupling.groups) {
    if (group.frozen !== undefined) continue;
    for (const producer of group.producers) {
      const made = producer.outputs[0] ?? "";
      const batchNorm = batchNormBehind(analyzed, made);
      const value = batchNorm?.outputs[0] ?? made;
      if (sites.has(value)) continue;
      const axes = coupling.axes.get(value) ?? [];
      const axis = axes.findIndex((channels, i) => i > 0 && channels !== null);
      const channels = axes[axis];
      if (channels) sites.set(value, { value, axis, channels, producer, ...(batchNorm ? { batchNorm } : {}) });
    }
  }
  return [...sites.values()];
}

/** The batch norm that a value goes into, and nothing else does; arithmetic with constants (a bias) may lie between. */
function batchNormBehind(analyzed: AnalyzedGraph, made: string): Node | undefined {
  const handedOut = new Set(analyzed.graph.outputs.map((o) => o.name));
  let value = made;
  for (;;) {
    const [next, ...others] = analyzed.consumersOf.get(value) ?? [];
    if (!next || others.length > 0 || handedOut.has(value)) return undefined;
    if (next.opType === "BatchNormalization") return next.inputs[0] === value ? next : undefined;
    const constantBeside = next.inputs.every((x) => x === value || analyzed.constants.has(x));
    if (!constantBeside || !["Add", "Sub", "Mul", "Div", "Identity"].includes(next.opType)) return undefined;
    value = next.outputs[0] ?? "";
  }
}
