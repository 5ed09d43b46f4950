/** The latency table: layers and what they take on one device. */
import { HalpError } from "../errors.js";
import type { Samples } from "../runtime/index.js";
import { type LayerConfig, layerKey } from "./config.js";
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
}

export interface LatencyTable {
  readonly device: TableDevice;
  /** By {@link layerKey}. */
  readonly entries: ReadonlyMap<string, TableEntry>;
}

/**
 * Nanoseconds of a layer. Never guesses: what was not measured is refused.
 * @throws HalpError HALP_TABLE_MISSING_KEY
 */
export function lookup(table: LatencyTable, config: LayerConfig): number {
  return lookupKey(table, layerKey(config));
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
    const key = layerKey(c);
    if (!table.entries.has(key)) keys.add(key);
  }
  return [...keys];
}

/**
 * Latency of a network in nanoseconds: the sum of its layers and what a run costs besides.
 * @throws HalpError HALP_TABLE_MISSING_KEY with all keys that are missing
 */
export function predictNs(table: LatencyTable, configs: Iterable<LayerConfig>): number {
  const absent = new Set<string>();
  let sum = table.device.calibration.runNs;
  for (const c of configs) {
    const key = layerKey(c);
    const entry = table.entries.get(key);
    if (entry) sum += entry.ns;
    else absent.add(key);
  }
  if (absent.size > 0) throw missing(table, [...absent]);
  return sum;
}

const shown = 20;

function missing(table: LatencyTable, keys: readonly string[]): HalpError {
  const rest = keys.length > shown ? `\n  and ${keys.length - shown} more` : "";
  return new HalpError(
    "HALP_TABLE_MISSING_KEY",
    `The latency table (${table.device.cpu}, ${table.device.threads} thread(s)) has no entry for ${keys.length} layer(s):\n  ` +
      `${keys.slice(0, shown).join("\n  ")}${rest}\nMeasure them on that device with: halp profile MODEL -o TABLE`,
    { name: keys[0] ?? "" },
  );
}
