import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import {
  createLatencyTable,
  deviceFingerprint,
  type LatencyTable,
  type LayerConfig,
  lookup,
  measureMissing,
  missingKeys,
  type Network,
  networkConfigs,
  networkOf,
  type OwnTable,
  openTable,
  predictNs,
  probeAlignment,
} from "../latency/index.js";
import type { PruneOptions } from "./types.js";

/** What a device's latency table answers, measuring what it does not know yet. */
export interface Oracle {
  readonly table: LatencyTable;
  networkOf(analyzed: AnalyzedGraph): Network;
  /** Measures what is missing; in a table of another device nothing may be. */
  ensure(configs: readonly LayerConfig[]): Promise<void>;
  /** Nanoseconds. @throws HalpError HALP_TABLE_MISSING_KEY */
  latencyNs(config: LayerConfig): number;
  /** Predicted nanoseconds of one run of a whole network, what is missing measured first. */
  predictNs(analyzed: AnalyzedGraph): Promise<number>;
  /** The multiple of channels that options are offered at. */
  readonly alignment: number;
}

type OracleOptions = Pick<PruneOptions, "table" | "threads" | "cacheDir" | "signal" | "onProgress">;

/**
 * This device's table (with what `cacheDir` remembers), or the one given by file. A table of this device grows as layers
 * are asked for; one of another device answers what it holds and refuses the rest.
 * @throws HalpError HALP_TABLE_THREADS where the file's table was measured with another number of threads than asked for
 */
export async function openOracle(options: OracleOptions, warn: (message: string) => void): Promise<Oracle> {
  const { signal, onProgress } = options;
  const table = await tableFor(options);
  const { alignment } = await alignmentOf(table, options);
  const own = table.device.fingerprint === deviceFingerprint(table.device.threads);
  const ensure = async (configs: readonly LayerConfig[]) => {
    if (own)
      await measureMissing(table, configs, {
        ...(signal ? { signal } : {}),
        onProgress: (done, total) => onProgress?.({ phase: "measuring layers", done, total }),
        onWarning: warn,
      });
    else {
      const [first] = missingKeys(table, configs);
      if (first !== undefined) predictNs(table, configs);
    }
  };
  const networks = new WeakMap<AnalyzedGraph, Network>();
  const network = (analyzed: AnalyzedGraph) => {
    const known = networks.get(analyzed);
    if (known) return known;
    const made = networkOf(analyzed, table.device.traits);
    for (const s of made.segments)
      if (s.unmeasurable !== undefined) warn(`The latency of ${s.name} is not in the prediction: ${s.unmeasurable}.`);
    networks.set(analyzed, made);
    return made;
  };
  return {
    table,
    networkOf: network,
    ensure,
    latencyNs: (config) => lookup(table, config),
    predictNs: async (analyzed) => {
      const configs = networkConfigs(network(analyzed), { dimsOf: (v) => analyzed.types.get(v)?.dims });
      await ensure(configs);
      return predictNs(table, configs);
    },
    alignment,
  };
}

/** Widths below this step are not worth a measurement each, whatever the device. */
const finest = 4;

/**
 * The multiple of channels that options are offered at, read off the device's staircase; and the layers it was read off. A
 * table of another device that does not hold them is taken at the block size that its runtime was found to use.
 */
export async function alignmentOf(
  table: OwnTable,
  options: Pick<OracleOptions, "signal" | "onProgress">,
): Promise<{ readonly alignment: number; readonly configs: readonly LayerConfig[] }> {
  const { signal, onProgress } = options;
  try {
    const { grid, configs } = await probeAlignment(table, {
      ...(signal ? { signal } : {}),
      onProgress: (done, total) => onProgress?.({ phase: "finding the staircase", done, total }),
    });
    return { alignment: Math.max(finest, grid), configs };
  } catch (error) {
    if (!(error instanceof HalpError) || error.code !== "HALP_TABLE_DEVICE") throw error;
    return { alignment: Math.max(finest, table.device.traits.blockSize), configs: [] };
  }
}

async function tableFor(options: OracleOptions): Promise<OwnTable> {
  if (options.table === undefined)
    return createLatencyTable({
      threads: options.threads ?? 1,
      ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  const file = openTable(options.table);
  const threads = options.threads ?? file.device.threads;
  if (threads !== file.device.threads)
    throw new HalpError(
      "HALP_TABLE_THREADS",
      `${options.table} was measured with ${file.device.threads} thread(s), and ${threads} are asked for. Give --threads ${file.device.threads}, or measure another table.`,
      { file: options.table },
    );
  return { device: file.device, entries: new Map(file.entries) };
}
