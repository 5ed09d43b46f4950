/** Two tables held against each other, and united. */
import { HalpError } from "../errors.js";
import { type Samples, summarize } from "../runtime/index.js";
import type { TableDevice } from "./device.js";
import { driftOf } from "./meter.js";
import type { LatencyTable, TableEntry } from "./table.js";

export interface TableDifference {
  readonly sameDevice: boolean;
  /** Layers that both have. */
  readonly common: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Of the common layers, times in the second as multiples of those in the first; undefined where there are none. */
  readonly ratios: (Samples & { readonly max: number }) | undefined;
  /** Sum of the common layers, nanoseconds. */
  readonly sumNs: readonly [first: number, second: number];
  /** Common layers, those with the greatest disagreement first. */
  readonly layers: readonly LayerDifference[];
}

export interface LayerDifference {
  readonly key: string;
  readonly ns: readonly [first: number, second: number];
  readonly ratio: number;
}

export function compareTables(first: LatencyTable, second: LatencyTable): TableDifference {
  const layers: LayerDifference[] = [];
  for (const [key, { ns }] of first.entries) {
    const other = second.entries.get(key);
    if (other) layers.push({ key, ns: [ns, other.ns], ratio: ratioOf(ns, other.ns) });
  }
  const apart = ({ ratio }: LayerDifference): number => Math.abs(Math.log(ratio));
  layers.sort((a, b) => apart(b) - apart(a) || (a.key < b.key ? -1 : 1));
  const ratios = layers.map((l) => l.ratio);
  return {
    sameDevice: first.device.fingerprint === second.device.fingerprint,
    common: layers.length,
    onlyFirst: first.entries.size - layers.length,
    onlySecond: second.entries.size - layers.length,
    ratios: layers.length > 0 ? { ...summarize(ratios), max: Math.max(...ratios) } : undefined,
    sumNs: [0, 1].map((i) => layers.reduce((sum, l) => sum + (l.ns[i] ?? 0), 0)) as [number, number],
    layers,
  };
}

/** Two layers that take no time take the same. */
function ratioOf(a: number, b: number): number {
  return a === b ? 1 : Math.max(b, 1) / Math.max(a, 1);
}

export interface MergedTable {
  readonly table: LatencyTable;
  /** Layers that more than one of them had. */
  readonly conflicts: number;
  /** What the times of each were multiplied by, for the speed that the device had when it was measured. */
  readonly speeds: readonly number[];
}

/**
 * Unites tables of one device. Of two entries of a layer that with more samples is kept, else the lower: disturbance only
 * ever adds time. The device's speed is that of the first table.
 * @param names what to call the tables in messages, as many as tables
 * @throws HalpError HALP_TABLE_DEVICE where they are of different devices
 */
export function mergeTables(tables: readonly LatencyTable[], names: readonly string[] = []): MergedTable {
  const [first, ...others] = tables;
  if (!first) throw new HalpError("HALP_TABLE_EMPTY", "There is no table to unite. Give two or more.");
  const entries = new Map(first.entries);
  const speeds = [1];
  let conflicts = 0;
  for (const [i, { device, entries: more }] of others.entries()) {
    if (device.fingerprint !== first.device.fingerprint)
      throw new HalpError(
        "HALP_TABLE_DEVICE",
        `${names[i + 1] ?? "One table"} is of another device than ${names[0] ?? "the first"}: ` +
          `${describe(device)}, not ${describe(first.device)}. Only tables of one device can be united.`,
        { ...(names[i + 1] === undefined ? {} : { file: names[i + 1] as string }) },
      );
    const known = first.device.referenceNs > 0 && device.referenceNs > 0;
    const speed = known ? driftOf(first.device, device.referenceNs) : 1;
    speeds.push(speed);
    for (const [key, entry] of more) {
      const scaled = atSpeed(entry, speed);
      const before = entries.get(key);
      if (before) conflicts++;
      entries.set(key, before ? better(before, scaled) : scaled);
    }
  }
  return { table: { device: first.device, entries }, conflicts, speeds };
}

function describe({ cpu, runtime, threads, precision, flags, cores }: TableDevice): string {
  const processor = flags.length > 0 ? `${cpu} (${cores} cores, ${flags.length} features)` : cpu;
  return `${processor}, ${runtime.name} ${runtime.version} ${runtime.provider}, ${threads} thread(s), ${precision}`;
}

function atSpeed(e: TableEntry, speed: number): TableEntry {
  if (speed === 1) return e;
  const { min, q1, median, q3, count } = e.samples;
  const times = (v: number): number => Math.round(v * speed);
  const samples = { min: times(min), q1: times(q1), median: times(median), q3: times(q3), count };
  return { ...e, ns: times(e.ns), samples };
}

function better(a: TableEntry, b: TableEntry): TableEntry {
  if (a.unchecked !== b.unchecked) return a.unchecked ? b : a;
  if (a.samples.count !== b.samples.count) return a.samples.count > b.samples.count ? a : b;
  return b.ns < a.ns ? b : a;
}
