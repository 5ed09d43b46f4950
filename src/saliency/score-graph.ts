/** The graph that scores: forward, backward, and for each site the sum of z * dL/dz over each channel. */
import { type CutPath, copyNetwork, emitBackward, gradientModel } from "../autodiff/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { attr } from "../graph/attributes.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Model } from "../graph/ir.js";
import { float32Of, sizeOf } from "../graph/tensors.js";
import { findOperator } from "../operators/index.js";
import type { Loss } from "./loss.js";
import type { Site } from "./sites.js";

export interface ScoreGraph {
  readonly model: Model;
  /** Graph input that takes the gradient at each value of the loss, in their order. */
  readonly seeds: readonly string[];
  /** For each site that the loss depends on: outputs with the sum of z * dL/dz and (where a bias counts) of dL/dz. */
  readonly sums: readonly { readonly site: Site; readonly weighted: string; readonly plain?: string }[];
  /** Nodes that no gradient passes: what lies before them alone has no score. */
  readonly cut: readonly CutPath[];
}

export function buildScoreGraph(analyzed: AnalyzedGraph, sites: readonly Site[], loss: Loss): ScoreGraph {
  const builder = copyNetwork(analyzed);
  const seeds = loss.values.map((value, i) => ({
    value,
    gradient: builder.input(builder.freshName(`seed_${i}`), analyzed.types.get(value)?.dims ?? []),
  }));
  const wrt = sites.map((s) => s.value);
  const { gradientOf, cut } = emitBackward({ analyzed, findOperator, builder, seeds, wrt, onMissing: "cut" });
  const sums: { site: Site; weighted: string; plain?: string }[] = [];
  for (const site of sites) {
    const gradient = gradientOf.get(site.value);
    if (gradient === undefined) continue;
    const dims = analyzed.types.get(site.value)?.dims ?? [];
    const z = channelRows(builder, site.value, dims, site.axis);
    const dz = channelRows(builder, gradient, dims, site.axis);
    const dot = (a: string, b: string) =>
      builder.node("FusedMatMul", [a, b], { transB: attr.int(1) }, { domain: "com.microsoft" });
    const weighted = dot(z.name, dz.name);
    builder.output(weighted);
    const bias = site.bias === undefined ? undefined : analyzed.constants.get(site.bias);
    if (bias?.dtype === "float32" && float32Of(bias).some((b) => b !== 0)) {
      const ones = builder.float32(new Array<number>(z.rest).fill(1), [1, z.rest]);
      const plain = dot(dz.name, ones);
      builder.output(plain);
      sums.push({ site, weighted, plain });
    } else sums.push({ site, weighted });
  }
  return { model: gradientModel(analyzed, builder), seeds: seeds.map((s) => s.gradient), sums, cut };
}

/**
 * The value as rows of one channel of one block each: [blocks, channels, 1, rest]. Axis 1 of an activation needs a Reshape
 * only (blocks: samples); other axes are brought to the front first. Only operators that look the same in every opset.
 */
function channelRows(
  builder: GraphBuilder,
  value: string,
  dims: readonly number[],
  axis: number,
): { name: string; rest: number } {
  const count = dims[axis] as number;
  if (axis === 1) {
    const blocks = dims[0] as number;
    const rest = sizeOf(dims.slice(2));
    return { name: builder.node("Reshape", [value, builder.int64([blocks, count, 1, rest])]), rest };
  }
  const rest = sizeOf(dims) / count;
  const order = [axis, ...dims.map((_, i) => i).filter((i) => i !== axis)];
  const front = builder.node("Transpose", [value], { perm: attr.ints(order) });
  return { name: builder.node("Reshape", [front, builder.int64([1, count, 1, rest])]), rest };
}
