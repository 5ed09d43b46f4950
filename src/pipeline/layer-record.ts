/** `halp.layers/1`: each layer of the network before and after, predicted and measured, for the run folder. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import { measureLayers, type NetworkLayers, predictLayers, type TableDevice } from "../latency/index.js";
import type { Oracle } from "./oracle.js";
import type { PruneOptions } from "./types.js";

export interface LayerRecord {
  readonly format: "halp.layers/1";
  readonly dense: NetworkLayers;
  readonly pruned: NetworkLayers;
}

/** `halp.device/1`: what the latencies of a run are of. */
export interface DeviceRecord extends TableDevice {
  readonly format: "halp.device/1";
  /** Whether it is the machine that the run was on. */
  readonly isThisMachine: boolean;
}

export function deviceRecord({ table, isHere }: Pick<Oracle, "table" | "isHere">): DeviceRecord {
  return { format: "halp.device/1", isThisMachine: isHere, ...table.device };
}

/** Layers of another device are not measured: what they take here would say nothing of it. */
export async function layerRecord(
  oracle: Oracle,
  dense: AnalyzedGraph,
  pruned: AnalyzedGraph,
  options: Pick<PruneOptions, "pin" | "signal">,
): Promise<LayerRecord> {
  const { pin, signal } = options;
  const given = { ...(pin ? { pin } : {}), ...(signal ? { signal } : {}) };
  const layersOf = async (analyzed: AnalyzedGraph) => {
    const network = oracle.networkOf(analyzed);
    return oracle.isHere ? await measureLayers(network, oracle.table, given) : predictLayers(network, oracle.table);
  };
  return { format: "halp.layers/1", dense: await layersOf(dense), pruned: await layersOf(pruned) };
}
