/** Where the importance of channels is read off. */
import type { Coupling } from "../coupling/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";

/**
 * The output z of the last affine step that weighs a channel: batch norm where there is one, else the convolution or
 * linear layer itself. Scaling the channel's gamma and beta (or its weights w) scales z, so by the chain rule
 *
 *     gamma * dL/dgamma + beta * dL/dbeta = sum over samples and positions of z * dL/dz
 *     sum(w * dL/dw)                      = the same, less bias * sum of dL/dz where the layer adds a bias
 *
 * and HALP's score (arXiv 2110.10811, eq. 4) needs no gradient of any weight.
 */
export interface Site {
  readonly value: string;
  /** Axis of the value along which the channels lie. */
  readonly axis: number;
  /** Global channel number at each position, -1 for none. */
  readonly channels: Int32Array;
  /** The layer at which the channels are born. */
  readonly producer: Node;
  /** Batch norm whose output the site is. */
  readonly batchNorm?: Node;
  /** Constant bias of a layer without batch norm: its share is taken off. */
  readonly bias?: string;
}

/** One site for each producer of a group, in the order of the graph. */
export function findSites(analyzed: AnalyzedGraph, coupling: Coupling): Site[] {
  const producers = new Set(coupling.groups.flatMap((g) => g.producers));
  const sites: Site[] = [];
  for (const producer of analyzed.graph.nodes) {
    if (!producers.has(producer)) continue;
    const [output = ""] = producer.outputs;
    const batchNorm = followedByBatchNorm(analyzed, output);
    const value = batchNorm?.outputs[0] ?? output;
    const axes = coupling.axes.get(value) ?? [];
    const axis = axes.findIndex((channels) => channels !== null);
    const channels = axes[axis];
    if (!channels) continue;
    const bias = batchNorm ? undefined : producer.inputs[2];
    const hasBias = bias !== undefined && bias !== "" && analyzed.types.get(bias)?.dims.length === 1;
    sites.push({ value, axis, channels, producer, ...(batchNorm ? { batchNorm } : {}), ...(hasBias ? { bias } : {}) });
  }
  return sites;
}

/** The batch norm that alone reads a value, with at most additions of constants in between. */
function followedByBatchNorm(analyzed: AnalyzedGraph, value: string): Node | undefined {
  const [reader, ...others] = analyzed.consumersOf.get(value) ?? [];
  if (!reader || others.length > 0) return undefined;
  if (reader.opType === "BatchNormalization" && reader.inputs[0] === value) return reader;
  const addsConstant = reader.opType === "Add" && reader.inputs.some((i) => analyzed.constants.has(i));
  return addsConstant ? followedByBatchNorm(analyzed, reader.outputs[0] ?? "") : undefined;
}
