/** Norms of the filters that make channels: criteria of the weights alone. */
import type { Coupling, CouplingGroup } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import { float32Of, sizeOf } from "../graph/tensors.js";
import { findSites } from "./sites.js";

/** Calls `visit` with every weight of a layer and the output channel that it belongs to. False: not a layer known here. */
function eachWeight(analyzed: AnalyzedGraph, node: Node, visit: (channel: number, weight: number) => void): boolean {
  const weight = analyzed.constants.get(node.inputs[1] ?? "");
  if (weight?.dtype !== "float32" || weight.dims.length < 2) return false;
  const w = float32Of(weight);
  const [first = 1, second = 1, ...kernel] = weight.dims;
  const taps = sizeOf(kernel);
  const perFirst = second * taps;
  if (node.opType === "Conv" || (node.opType === "Gemm" && intAttr(node, "transB", 0) === 1)) {
    for (let i = 0; i < w.length; i++) visit(Math.floor(i / perFirst), w[i] as number);
  } else if (node.opType === "ConvTranspose") {
    const perGroup = first / intAttr(node, "group", 1);
    for (let i = 0; i < w.length; i++) {
      const group = Math.floor(Math.floor(i / perFirst) / perGroup);
      visit(group * second + (Math.floor(i / taps) % second), w[i] as number);
    }
  } else if (node.opType === "Gemm" || node.opType === "MatMul") {
    const columns = weight.dims.at(-1) as number;
    for (let i = 0; i < w.length; i++) visit(i % columns, w[i] as number);
  } else return false;
  return true;
}

/** Global channel numbers along the output of a layer. */
function channelsAt(coupling: Coupling, value: string): Int32Array | undefined {
  return coupling.axes.get(value)?.find((channels, axis) => axis > 0 && channels !== null) ?? undefined;
}

/**
 * L1 (sum of absolutes) or L2 (root of the sum of squares) norm over all weights that make a channel, in all of its
 * producers, by global channel number; 0 in frozen groups.
 * @throws HalpError HALP_NO_FILTER where no producer of a group has weights that are known.
 */
export function filterNorms(analyzed: AnalyzedGraph, coupling: Coupling, norm: 1 | 2): Float64Array {
  const sums = new Float64Array(coupling.channelCount);
  const seen = new Set<Node>();
  for (const group of coupling.groups) {
    if (group.frozen !== undefined) continue;
    let known = false;
    for (const node of group.producers) {
      const channels = channelsAt(coupling, node.outputs[0] ?? "");
      if (!channels) continue;
      if (seen.has(node)) {
        known = true;
        continue;
      }
      const found = eachWeight(analyzed, node, (channel, w) => {
        const c = channels[channel] ?? -1;
        if (c >= 0) sums[c] = (sums[c] as number) + (norm === 1 ? Math.abs(w) : w * w);
      });
      if (!found) continue;
      seen.add(node);
      known = true;
    }
    if (!known) throw noFilter(group);
  }
  for (const group of coupling.groups)
    if (group.frozen !== undefined) sums.fill(0, group.start, group.start + group.size);
  return norm === 1 ? sums : sums.map(Math.sqrt);
}

/**
 * Sum of |gamma| over the batch norms behind a channel's producers. A group without batch norm is scored by its filters'
 * L2 norms, scaled so that the mean over such groups equals the mean over the others.
 * @throws HalpError HALP_NO_BATCH_NORM where no group has one.
 */
export function batchNormScales(analyzed: AnalyzedGraph, coupling: Coupling): Float64Array {
  const scales = new Float64Array(coupling.channelCount);
  const scaled = new Set<number>();
  for (const site of findSites(analyzed, coupling)) {
    const gamma = analyzed.constants.get(site.batchNorm?.inputs[1] ?? "");
    if (gamma?.dtype !== "float32") continue;
    float32Of(gamma).forEach((g, i) => {
      const c = site.channels[i] ?? -1;
      if (c < 0) return;
      scales[c] = (scales[c] as number) + Math.abs(g);
      scaled.add(coupling.groupOf[c] as number);
    });
  }
  if (scaled.size === 0)
    throw new HalpError(
      "HALP_NO_BATCH_NORM",
      "The criterion bn-scale needs batch norms behind the layers to prune, and this network has none (they may be folded into the weights). Use taylor, l1 or l2.",
    );
  const free = coupling.groups.filter((g) => g.frozen === undefined);
  const bare = free.filter((g) => !scaled.has(g.id));
  if (bare.length > 0) {
    const norms = filterNorms(analyzed, coupling, 2);
    const factor =
      mean(
        scales,
        free.filter((g) => scaled.has(g.id)),
      ) / (mean(norms, bare) || 1);
    for (const { start, size } of bare)
      for (let c = start; c < start + size; c++) scales[c] = (norms[c] as number) * factor;
  }
  for (const group of coupling.groups)
    if (group.frozen !== undefined) scales.fill(0, group.start, group.start + group.size);
  return scales;
}

function mean(values: Float64Array, groups: readonly CouplingGroup[]): number {
  const all = groups.flatMap((g) => [...values.subarray(g.start, g.start + g.size)]);
  return all.reduce((a, b) => a + b, 0) / Math.max(1, all.length);
}

function noFilter(group: CouplingGroup): HalpError {
  return new HalpError(
    "HALP_NO_FILTER",
    `Group "${group.name}" is made by ${group.producers.map((n) => n.opType).join(", ") || "no layer"}, whose float32 weights halp cannot tell. Use the criterion taylor, or freeze the group.`,
    { name: group.name },
  );
}
