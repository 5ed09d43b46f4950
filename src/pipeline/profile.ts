/** The latency table of a network on this device, for use here or elsewhere. */
import { analyzeCoupling } from "../coupling/index.js";
import { axisWidths, dimsAt } from "../coupling/widths.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { analyzeGraph } from "../graph/infer.js";
import {
  createLatencyTable,
  type LatencyTable,
  type LayerConfig,
  layerKey,
  measureMissing,
  type Network,
  networkConfigs,
  networkOf,
  predictNs,
  saveTable,
  type TableDevice,
} from "../latency/index.js";
import { readModel } from "../onnx/index.js";
import { findOperator } from "../operators/index.js";
import { groupOptions } from "../problem/index.js";
import { checkWritable } from "./files.js";
import { alignmentOf } from "./oracle.js";
import type { RunControls } from "./types.js";

export interface ProfileOptions extends RunControls {
  readonly model: string;
  /** Where the table is written, as `halp.table/1`. */
  readonly output: string;
  /** Dims of inputs with dynamic dimensions, by name. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
  readonly threads?: number;
  /** Names that stay whole: their widths are not swept. */
  readonly freeze?: readonly string[];
  /** Where measured latencies are kept between runs. */
  readonly cacheDir?: string;
}

/** `halp.profile/1` */
export interface ProfileResult {
  readonly format: "halp.profile/1";
  readonly device: TableDevice;
  /** Distinct layers and widths in the table. */
  readonly entries: number;
  /** How many of them were measured now; the others were in the cache. */
  readonly measured: number;
  /** Sum over the network as it is. */
  readonly predictedNs: number;
  readonly output: string;
}

/**
 * Measures every layer of the network as it is, and with each group at each of the widths it may keep, all others whole.
 * @throws HalpError HALP_OUTPUT_UNWRITABLE before any work, and what the rooms refuse
 */
export async function profile(options: ProfileOptions): Promise<ProfileResult> {
  const { signal, onProgress, onWarning } = options;
  await checkWritable(options.output);
  const analyzed = analyzeGraph(await readModel(options.model), findOperator, {
    ...(options.inputs ? { inputs: options.inputs } : {}),
    ...(options.batch === undefined ? {} : { batch: options.batch }),
  });
  onProgress?.({ phase: "calibrating", done: 0, total: 0 });
  const table = await createLatencyTable({
    threads: options.threads ?? 1,
    ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
    ...(signal ? { signal } : {}),
  });
  const known = new Set(table.entries.keys());
  const network = networkOf(analyzed, table.device.traits);
  const dense = networkConfigs(network, { dimsOf: () => undefined });
  const { alignment, configs: reference } = await alignmentOf(table, options);
  const configs = new Map([...dense, ...reference].map((c) => [layerKey(c), c]));
  for (const c of sweptConfigs(analyzed, network, alignment, options.freeze ?? [])) configs.set(layerKey(c), c);
  await measureMissing(table, configs.values(), {
    ...(signal ? { signal } : {}),
    ...(onWarning ? { onWarning } : {}),
    onProgress: (done, total) => onProgress?.({ phase: "measuring layers", done, total }),
  });
  // The cache may hold layers of other networks: the file gets those of this one.
  const own: LatencyTable = {
    device: table.device,
    entries: new Map([...table.entries].filter(([key]) => configs.has(key))),
  };
  saveTable(own, options.output);
  return {
    format: "halp.profile/1",
    device: table.device,
    entries: own.entries.size,
    measured: [...own.entries.keys()].filter((key) => !known.has(key)).length,
    predictedNs: predictNs(own, dense),
    output: options.output,
  };
}

/** Layers of the network with one group narrower, for every group and width. */
function* sweptConfigs(
  analyzed: AnalyzedGraph,
  network: Network,
  alignment: number,
  freeze: readonly string[],
): Generator<LayerConfig> {
  const coupling = analyzeCoupling(analyzed, findOperator, { freeze });
  const widths = axisWidths(coupling);
  const kept = Int32Array.from(coupling.groups, (g) => g.size);
  for (const group of coupling.groups) {
    for (const count of groupOptions(group, { alignment }, false)) {
      if (count === group.size) continue;
      kept[group.id] = count;
      yield* networkConfigs(network, { dimsOf: (value) => dimsAt(analyzed, widths, value, kept) });
    }
    kept[group.id] = group.size;
  }
}
