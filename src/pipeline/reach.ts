/** How far down a network can go on a device at all, and what is left there. */
import { analyzeCoupling, type Plan } from "../coupling/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { type LayerConfig, networkConfigs } from "../latency/index.js";
import { findOperator } from "../operators/index.js";
import { groupOptions, rankVariables } from "../problem/index.js";
import { applyPlan, groupsThatMayVanish } from "../rewrite/index.js";
import { measurePair } from "../runtime/index.js";
import { openModel } from "./open-model.js";
import { openOracle } from "./oracle.js";
import { openSearch } from "./search.js";
import type { PruneOptions } from "./types.js";

export interface LatencyShare {
  /** Operator type of the layer, or "run" for what a run costs besides its layers. */
  readonly opType: string;
  readonly layers: number;
  readonly ns: number;
}

export interface Reach {
  readonly denseNs: number;
  readonly smallestNs: number;
  /** smallestNs / denseNs as predicted from the table. */
  readonly predictedRatio: number;
  /** The same as measured, both networks in one run. */
  readonly measuredRatio: number;
  readonly dense: readonly LatencyShare[];
  /** What the smallest network spends its time on: what no removal of channels takes away. */
  readonly smallest: readonly LatencyShare[];
}

/**
 * Prunes without regard to importance, as far as the groups allow, and measures what comes out.
 * @throws HalpError as `prune`
 */
export async function measureReach(
  options: Pick<
    PruneOptions,
    | "model"
    | "inputs"
    | "batch"
    | "threads"
    | "pin"
    | "freeze"
    | "heads"
    | "headWidth"
    | "cacheDir"
    | "table"
    | "signal"
    | "onProgress"
    | "onWarning"
  >,
): Promise<Reach> {
  const analyzed = await openModel(options);
  const coupling = analyzeCoupling(analyzed, findOperator, options);
  const oracle = await openOracle(options, (m) => options.onWarning?.(m));
  const mayVanish = groupsThatMayVanish(analyzed, coupling);
  const variables = rankVariables(coupling, new Float64Array(coupling.channelCount), (group) =>
    groupOptions(group, { alignment: oracle.alignment }, mayVanish.has(group.id)),
  );
  const presentNs = await oracle.predictNs(analyzed);
  const predict = async (plan: Plan) => {
    const made = applyPlan(analyzed, coupling, plan, findOperator);
    return { model: made, predictedNs: [await oracle.predictNs(made.analyzed)] };
  };
  const search = await openSearch({
    analyzed,
    coupling,
    variables,
    devices: [{ name: "", oracle }],
    presentNs: [presentNs],
    predict,
    ...(options.onWarning ? { warn: options.onWarning } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const smallest = await search.smallest();
  const pair = await measurePair(analyzed.model, smallest.model.model, {
    inputs: Object.fromEntries(analyzed.inputDims),
    threads: options.threads ?? 1,
    ...(options.pin ? { pin: options.pin } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.onWarning ? { onWarning: options.onWarning } : {}),
  });
  const shares = (graph: AnalyzedGraph): LatencyShare[] => {
    const byType = new Map<string, { layers: number; ns: number }>();
    const add = (opType: string, layers: number, ns: number) => {
      const sum = byType.get(opType) ?? { layers: 0, ns: 0 };
      byType.set(opType, { layers: sum.layers + layers, ns: sum.ns + ns });
    };
    add("run", 1, oracle.table.device.calibration.runNs);
    const configs = networkConfigs(oracle.networkOf(graph), { dimsOf: (v) => graph.types.get(v)?.dims });
    for (const c of configs) add(nameOf(c), 1, oracle.latencyNs(c));
    return [...byType].map(([opType, s]) => ({ opType, ...s })).sort((a, b) => b.ns - a.ns);
  };
  return {
    denseNs: pair.dense.median,
    smallestNs: pair.pruned.median,
    predictedRatio: (smallest.predictedNs[0] as number) / presentNs,
    measuredRatio: pair.ratio,
    dense: shares(analyzed),
    smallest: shares(smallest.model.analyzed),
  };
}

function nameOf(config: LayerConfig): string {
  return config.nodes[0]?.opType ?? "";
}
