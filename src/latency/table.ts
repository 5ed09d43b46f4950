/** The latency table: layers and what they take on one device. */
import { HalpError } from "../errors.js";
import type { Samples } from "../runtime/index.js";
import { type LayerConfig, layerKey } from "./config.js";
import { countedAs, paperKey } from "./convolution.js";
import type { TableDevice } from "./device.js";

export interface TableEntry {
  readonly config: LayerConfig;
  /** What the layer adds to a run, in nanoseconds: mean of the lower half of the samples, drift taken out. */
  readonly ns: number;
  /** Nanoseconds, the profiler's cost taken off. */
  readonly samples: Samples;
  /** Nodes that the runtime makes of the layer; 0 where it leaves nothing to run. */
  readonly kernels: number;
  /** False where the runtime chose other layouts than halp foresaw: then the sum over a network may be off. */
  readonly layoutAsExpected: boolean;
  /** Measured once so far; every layer is measured at two times. */
  readonly unchecked?: true;
  /** Not measured, but estimated from others; in no file. */
  readonly estimated?: true;
  /** What cuDNN computed the convolution with. */
  readonly algorithm?: string;
  /** Operators of the layer that are not in the time, because cuDNN has no form of the convolution with them. */
  readonly leftOut?: readonly string[];
}

export interface LatencyTable {
  readonly device: TableDevice;
  /** By {@link layerKey}. */
  readonly entries: ReadonlyMap<string, TableEntry>;
}

/** Where the table has a layer: undefined where tables of its device do not count such layers. */
export function tableKey(table: Pick<LatencyTable, "device">, config: LayerConfig): string | undefined {
  const counted = countedAs(table.device, config);
  return counted && layerKey(counted);
}

/**
 * Nanoseconds of a layer; 0 where tables of this device do not count such layers. Never guesses: what was not measured is
 * refused.
 * @throws HalpError HALP_TABLE_MISSING_KEY
 */
export function lookup(table: LatencyTable, config: LayerConfig): number {
  const key = tableKey(table, config);
  return key === undefined ? 0 : lookupKey(table, key);
}

/** As {@link lookup}, by key. @throws HalpError HALP_TABLE_MISSING_KEY */
export function lookupKey(table: LatencyTable, key: string): number {
  const entry = table.entries.get(key);
  if (!entry) throw missing(table, [key]);
  return entry.ns;
}

/** Keys that the table has no entry for, each once. */
export function missingKeys(table: LatencyTable, configs: Iterable<LayerConfig>): string[] {
  const keys = new Set<string>();
  for (const c of configs) {
    const key = tableKey(table, c);
    if (key !== undefined && !table.entries.has(key)) keys.add(key);
  }
  return [...keys];
}

/**
 * Latency of a network in nanoseconds: the sum of its layers and what a run costs besides.
 * @throws HalpError HALP_TABLE_MISSING_KEY with all keys that are missing
 */
export function predictNs(table: LatencyTable, configs: Iterable<LayerConfig>): number {
  const list = [...configs];
  const absent = missingKeys(table, list);
  if (absent.length > 0) throw missing(table, absent);
  return list.reduce((ns, c) => ns + lookup(table, c), table.device.calibration.runNs);
}

const shown = 20;

/** The refusal of a table that lacks these keys. */
export function missing(table: Pick<LatencyTable, "device">, keys: readonly string[]): HalpError {
  const show = (key: string): string => (clock === "imported" ? paperKey(key) : key);
  const rest = keys.length > shown ? `\n  and ${keys.length - shown} more` : "";
  const { clock, cpu, threads } = table.device;
  const advice =
    clock === "imported"
      ? "Add them to the file that the table was imported from, at these widths or at some around them."
      : "Measure them on that device with: halp profile MODEL -o TABLE";
  return new HalpError(
    "HALP_TABLE_MISSING_KEY",
    `The latency table (${cpu}, ${threads} thread(s)) has no entry for ${keys.length} layer(s):\n  ` +
      `${keys.slice(0, shown).map(show).join("\n  ")}${rest}\n${advice}`,
    { name: keys[0] ?? "" },
  );
}
