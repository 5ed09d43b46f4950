/** The graph that scores a batch: the network, its gradient, and sum(z dL/dz) at every site. */
import { copyNetwork, emitBackward, gradientModel } from "../autodiff/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Model } from "../graph/ir.js";
import { emitter } from "../operators/emit.js";
import { findOperator } from "../operators/index.js";
import type { Objective } from "./objective.js";
import type { Site } from "./sites.js";

export interface ScoreGraph {
  readonly model: Model;
  readonly objective: Objective;
  /** For each site that the loss depends on: the output with its sums, [rows, channels]. */
  readonly sums: readonly { readonly site: Site; readonly output: string; readonly rows: number }[];
  readonly cut: readonly { readonly node: string; readonly reason: string }[];
}

export function buildScoreGraph(
  analyzed: AnalyzedGraph,
  sites: readonly Site[],
  makeObjective: (builder: GraphBuilder) => Objective,
  includeBias: boolean,
): ScoreGraph {
  const builder = copyNetwork(analyzed);
  const objective = makeObjective(builder);
  const { gradientOf, cut } = emitBackward({
    analyzed,
    findOperator,
    builder,
    seeds: objective.seeds,
    wrt: sites.map((s) => s.value),
    onMissing: "cut",
  });
  const e = emitter({ builder, opset: analyzed.opset });
  const sums: { site: Site; output: string; rows: number }[] = [];
  for (const site of sites) {
    const dz = gradientOf.get(site.value);
    const dims = analyzed.types.get(site.value)?.dims;
    if (dz === undefined || !dims) continue;
    const rows = dims[0] as number;
    const channels = dims[site.axis] as number;
    const own = dims.map((d, i) => (i === 0 || i === site.axis ? d : 1));
    let sum = e.reshape(e.sumOfProductsTo(site.value, dz, dims, own), [rows, channels]);
    const bias = site.batchNorm ? undefined : biasOf(analyzed, site);
    if (bias !== undefined && !includeBias) {
      // w dL/dw = sum(z dL/dz) - b sum(dL/dz), for z with its bias.
      const others = dims.map((_, i) => i).filter((i) => i !== 0 && i !== site.axis);
      const total = others.length === 0 ? dz : e.reduceSum(dz, others);
      sum = e.sub(sum, e.mul(e.reshape(total, [rows, channels]), e.reshape(bias, [1, channels])));
    }
    const output = builder.node("Identity", [sum], {}, { outputs: [builder.freshName(`score at ${site.value}`)] });
    builder.output(output, [rows, channels]);
    sums.push({ site, output, rows });
  }
  const name = (node: { name: string; opType: string; outputs: readonly string[] }) =>
    `${node.opType} "${node.name || (node.outputs[0] ?? "")}"`;
  return {
    model: gradientModel(analyzed, builder),
    objective,
    sums,
    cut: cut.map((c) => ({ node: name(c.node), reason: c.reason })),
  };
}

/** The vector that a layer adds to each of its channels: its third input, one entry per channel. */
function biasOf(analyzed: AnalyzedGraph, site: Site): string | undefined {
  const name = site.producer.inputs[2];
  const bias = name ? analyzed.types.get(name) : undefined;
  return bias && bias.dims.length > 0 && bias.dims.at(-1) === site.channels.length ? name : undefined;
}
