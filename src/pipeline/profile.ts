/** The latency table of a network on this device, for use here or elsewhere. */
import { analyzeCoupling, type CouplingOptions } from "../coupling/index.js";
import { axisWidths, dimsAt } from "../coupling/widths.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Bench } from "../jobs/index.js";
import {
  createLatencyTable,
  type DeviceChoice,
  type GpuOptions,
  type LatencyTable,
  type LayerConfig,
  measureMissing,
  type Network,
  networkConfigs,
  networkOf,
  notCounted,
  predictNs,
  saveTable,
  type TableDevice,
  tableKey,
} from "../latency/index.js";
import { findOperator } from "../operators/index.js";
import { groupOptions } from "../problem/index.js";
import { applyPlan, groupsThatMayVanish } from "../rewrite/index.js";
import type { Pin } from "../runtime/index.js";
import { checkWritable } from "./files.js";
import { openModel } from "./open-model.js";
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
  /** Default the CPU. */
  readonly device?: DeviceChoice;
  /** Another machine that is measured on; default this one. */
  readonly bench?: Bench;
  /** How a GPU computes, and how its libraries are called. */
  readonly gpu?: GpuOptions;
  /** Cores to measure on; default "auto". */
  readonly pin?: Pin;
  /** Milliseconds to wait for other work on this machine to pause; default 20,000, and three tenths of the time that passes. */
  readonly patienceMs?: number;
  /** Names that stay whole: their widths are not swept. */
  readonly freeze?: readonly string[];
  readonly heads?: readonly string[];
  readonly headWidth?: readonly string[];
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
  /** Operators of the network that tables of this device do not count, with how often each is there; empty on the CPU. */
  readonly notCounted: Readonly<Record<string, number>>;
  readonly output: string;
}

/**
 * Measures every layer of the network as it is, and with each group at each of the widths it may keep, all others whole.
 * @throws HalpError HALP_OUTPUT_UNWRITABLE before any work, and what the rooms refuse
 */
export async function profile(options: ProfileOptions): Promise<ProfileResult> {
  const { signal, onProgress, onWarning } = options;
  await checkWritable(options.output);
  const analyzed = await openModel(options);
  onProgress?.({ phase: "calibrating", done: 0, total: 0 });
  const table = await createLatencyTable({
    threads: options.threads ?? 1,
    ...(options.device ? { device: options.device } : {}),
    ...(options.bench ? { remote: options.bench.openMeter } : {}),
    ...(options.gpu ? { gpu: options.gpu } : {}),
    ...(options.pin ? { pin: options.pin } : {}),
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
    ...(signal ? { signal } : {}),
    ...(onWarning ? { onWarning } : {}),
  });
  const known = new Set(table.entries.keys());
  const network = networkOf(analyzed, table.device.traits);
  const dense = networkConfigs(network, { dimsOf: () => undefined });
  const { alignment, configs: reference } = await alignmentOf(table, options);
  // By key, so that each is held once.
  const configs = new Map<string, LayerConfig>();
  const collect = (list: Iterable<LayerConfig>) => {
    for (const c of list) {
      const key = tableKey(table, c);
      if (key !== undefined) configs.set(key, c);
    }
  };
  collect([...dense, ...reference]);
  collect(sweptConfigs(analyzed, network, alignment, options));
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
    notCounted: Object.fromEntries(notCounted(table.device, dense)),
    output: options.output,
  };
}

/**
 * Layers of the network with one group at each of its widths, all others whole; at some of them, all others at their
 * narrowest, so that what lies between is known from both ends; and without each group that may go as a whole.
 */
function* sweptConfigs(
  analyzed: AnalyzedGraph,
  network: Network,
  alignment: number,
  choices: CouplingOptions,
): Generator<LayerConfig> {
  const coupling = analyzeCoupling(analyzed, findOperator, choices);
  const widths = axisWidths(coupling);
  const options = coupling.groups.map((g) => groupOptions(g, { alignment }, false));
  const whole = coupling.groups.map((g) => g.size);
  const narrowest = options.map((o) => o[0] as number);
  const sweeps = [
    { others: whole, at: (o: readonly number[]) => o },
    { others: narrowest, at: (o: readonly number[]) => [...new Set([0, 0.25, 0.5, 1].map((p) => quantile(o, p)))] },
  ];
  for (const { others, at } of sweeps)
    for (const group of coupling.groups)
      for (const count of at(options[group.id] as readonly number[])) {
        const kept = others.with(group.id, count);
        yield* networkConfigs(network, { dimsOf: (value) => dimsAt(analyzed, widths, value, kept) });
      }
  for (const id of groupsThatMayVanish(analyzed, coupling)) {
    const plan = coupling.groups.map((g) => Int32Array.from({ length: g.id === id ? 0 : g.size }, (_, i) => i));
    const { analyzed: rest } = applyPlan(analyzed, coupling, { kept: plan }, findOperator);
    yield* networkConfigs(networkOf(rest, network.traits), { dimsOf: () => undefined });
  }
}

function quantile(ascending: readonly number[], part: number): number {
  return ascending[Math.round(part * (ascending.length - 1))] as number;
}
