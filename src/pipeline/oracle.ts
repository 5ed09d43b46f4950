import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import {
  createLatencyTable,
  type DeviceOptions,
  deviceKind,
  Estimator,
  isThisMachine,
  type LatencyTable,
  type LayerConfig,
  lookup,
  measureMissing,
  missing,
  missingKeys,
  type Network,
  networkConfigs,
  networkOf,
  notCounted,
  type OwnTable,
  openTable,
  Patience,
  parseDevice,
  predictNs,
  probeAlignment,
  readAlignment,
  tableKey,
} from "../latency/index.js";
import type { PruneOptions } from "./types.js";

/** What a device's latency table answers, measuring what it does not know yet. */
export interface Oracle {
  readonly table: LatencyTable;
  networkOf(analyzed: AnalyzedGraph): Network;
  /** Whether its device can be measured, here or through a bench: then it grows, and the result is measured. */
  readonly isOwn: boolean;
  /** Whether that is this machine. */
  readonly isHere: boolean;
  /**
   * Measures what is missing. In a table of another device it is estimated from layers around it, or bounded by wider ones:
   * good enough to search with.
   * @throws HalpError HALP_TABLE_MISSING_KEY where it cannot be
   */
  ensure(configs: readonly LayerConfig[]): Promise<void>;
  /** As {@link ensure}, with nothing rougher than estimates: good enough to predict with. */
  require(configs: readonly LayerConfig[]): Promise<void>;
  /** Nanoseconds; in a table of another device possibly an upper bound. @throws HalpError HALP_TABLE_MISSING_KEY */
  latencyNs(config: LayerConfig): number;
  /**
   * Predicted nanoseconds of one run of a whole network, what is missing measured first.
   * @throws HalpError HALP_TABLE_MISSING_KEY with all that a table of another device does not tell
   */
  predictNs(analyzed: AnalyzedGraph): Promise<number>;
  /** The multiple of channels that options are offered at. */
  readonly alignment: number;
}

type OracleOptions = Pick<
  PruneOptions,
  "table" | "device" | "bench" | "threads" | "pin" | "patienceMs" | "cacheDir" | "signal" | "onProgress"
>;

/**
 * This device's table (with what `cacheDir` remembers), or the one given by file. A table of this device grows as layers
 * are asked for; one of another device answers what it holds or can estimate, and refuses the rest.
 * @throws HalpError HALP_TABLE_THREADS where the file's table was measured with another number of threads than asked for
 */
export async function openOracle(options: OracleOptions, warn: (message: string) => void): Promise<Oracle> {
  const { signal, onProgress } = options;
  const table = await tableFor(options);
  const isHere = isThisMachine(table.device) && !options.bench;
  const isOwn = isHere || options.bench !== undefined;
  const estimator = new Estimator(table);
  const { alignment } = isOwn ? await alignmentOf(table, options) : { alignment: foreignAlignment(table, estimator) };
  const ensure = async (configs: readonly LayerConfig[]) => {
    if (isOwn) {
      await measureMissing(table, configs, {
        ...(signal ? { signal } : {}),
        onProgress: (done, total) => onProgress?.({ phase: "measuring layers", done, total }),
        onWarning: warn,
      });
      return;
    }
    const hopeless = new Set(configs.filter((c) => !hasBound(c)).map((c) => tableKey(table, c) ?? ""));
    if (hopeless.size > 0) throw missing(table, [...hopeless]);
  };
  const hasBound = (config: LayerConfig) =>
    estimator.fill([config]).length === 0 || estimator.bound(config) !== undefined;
  const require = async (configs: readonly LayerConfig[]) => {
    if (isOwn) return await ensure(configs);
    const unknown = estimator.fill(configs);
    if (unknown.length > 0) throw missing(table, unknown);
  };
  if (!isOwn)
    warn(
      `The table is of another device (${table.device.cpu}): layers that it lacks are estimated from those around them, and the budget is held against the prediction. Measure the result on that device.`,
    );
  const isHeld = (config: LayerConfig) => isOwn || missingKeys(table, [config]).length === 0;
  const networks = new WeakMap<AnalyzedGraph, Network>();
  let warnedOfKinds = false;
  const network = (analyzed: AnalyzedGraph) => {
    const known = networks.get(analyzed);
    if (known) return known;
    const made = networkOf(analyzed, table.device.traits);
    for (const s of made.segments)
      if (s.unmeasurable !== undefined) warn(`The latency of ${s.name} is not in the prediction: ${s.unmeasurable}.`);
    networks.set(analyzed, made);
    const left = [...notCounted(table.device, networkConfigs(made, { dimsOf: () => undefined })).keys()];
    if (left.length > 0 && !warnedOfKinds) {
      warnedOfKinds = true;
      warn(`The table holds convolutions alone. Not in the prediction: ${left.sort().join(", ")}.`);
    }
    return made;
  };
  return {
    table,
    isOwn,
    isHere,
    networkOf: network,
    ensure,
    require,
    latencyNs: (config) => (isHeld(config) ? undefined : estimator.bound(config)) ?? lookup(table, config),
    predictNs: async (analyzed) => {
      const configs = networkConfigs(network(analyzed), { dimsOf: (v) => analyzed.types.get(v)?.dims });
      await require(configs);
      return predictNs(table, configs);
    },
    alignment,
  };
}

/** Widths below this step are not worth a measurement each, whatever the device. */
const finest = 4;

/** The multiple of channels that options are offered at, read off the device's staircase; and the layers it was read off. */
export async function alignmentOf(
  table: OwnTable,
  options: Pick<OracleOptions, "signal" | "onProgress">,
): Promise<{ readonly alignment: number; readonly configs: readonly LayerConfig[] }> {
  const { signal, onProgress } = options;
  const { grid, configs } = await probeAlignment(table, {
    ...(signal ? { signal } : {}),
    onProgress: (done, total) => onProgress?.({ phase: "finding the staircase", done, total }),
  });
  return { alignment: Math.max(finest, grid), configs };
}

/** Of a table that nothing can be added to: as its layers tell, and no finer than what it holds. */
function foreignAlignment(table: LatencyTable, estimator: Estimator): number {
  return Math.max(finest, readAlignment(table)?.grid ?? 1, estimator.grid());
}

/** How the table's device is measured. */
function measuring({ bench, pin, patienceMs }: OracleOptions): DeviceOptions {
  return {
    ...(bench ? { remote: bench.openMeter } : {}),
    ...(pin ? { pin } : {}),
    ...(patienceMs === undefined ? {} : { patienceMs }),
  };
}

async function tableFor(options: OracleOptions): Promise<OwnTable> {
  const wanted = options.device === undefined ? undefined : parseDevice(options.device).kind;
  if (options.table === undefined && wanted !== undefined && wanted !== "cpu")
    throw new HalpError(
      "HALP_DEVICE_OPTION",
      `Pruning for ${options.device} needs its table: measure it with halp profile MODEL --device ${options.device} -o TABLE, then give --table TABLE.`,
    );
  if (options.table === undefined)
    return createLatencyTable({
      threads: options.threads ?? 1,
      ...measuring(options),
      ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  const file = openTable(options.table);
  const kind = deviceKind(file.device);
  if (wanted !== undefined && wanted !== kind)
    throw new HalpError(
      "HALP_TABLE_DEVICE",
      `${options.table} is not of the device ${options.device}: it was ${kind === "imported" ? "imported" : `measured on ${kind}`} (${file.device.cpu}, ${file.device.runtime.name} ${file.device.runtime.version}).`,
      { file: options.table },
    );
  const threads = options.threads ?? file.device.threads;
  if (kind === "cpu" && threads !== file.device.threads)
    throw new HalpError(
      "HALP_TABLE_THREADS",
      `${options.table} was measured with ${file.device.threads} thread(s), and ${threads} are asked for. Give --threads ${file.device.threads}, or measure another table.`,
      { file: options.table },
    );
  return {
    device: file.device,
    entries: new Map(file.entries),
    options: measuring(options),
    patience: new Patience(options.patienceMs),
  };
}
