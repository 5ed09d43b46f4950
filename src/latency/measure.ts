/** Filling a table: only what is missing, each distinct layer once. */
import { HalpError } from "../errors.js";
import { type Child, type Samples, spawnChild } from "../runtime/index.js";
import type { RawLayer } from "./attribute.js";
import { layerBytes } from "./bank.js";
import type { BankReply, BankTask, ProbeReply } from "./bank-child.js";
import { type LayerConfig, layerKey } from "./config.js";
import { describeDevice, deviceFingerprint, fingerprintOf, type TableDevice } from "./device.js";
import type { LatencyTable, TableEntry } from "./table.js";
import { appendJournal, beginJournal, journalPath, readJournal } from "./table-file.js";

export interface CreateOptions {
  /** Default 1. */
  readonly threads?: number;
  /** Where measurements are kept between runs; without it they live as long as the table. */
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
}

export interface MeasureMissingOptions {
  readonly signal?: AbortSignal;
  /** Measurements done, of how many: each layer is measured twice. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly onWarning?: (message: string) => void;
  /** Milliseconds of runs per bank, twice. Default 40. */
  readonly bankMs?: number;
  /** Layers in a bank at most. Default 12. */
  readonly bankLayers?: number;
}

/** A table that can be filled on this machine. */
export interface OwnTable extends LatencyTable {
  readonly entries: Map<string, TableEntry>;
  /** Where new entries are appended. */
  readonly journal?: string;
}

/**
 * Few, so that a bank's memory fits the caches as a network's does: with four times as many, layers of a small network
 * read 30 % too slow.
 */
const defaultBankLayers = 12;
const bankBytes = 192 * 2 ** 20;
/** Entries whose interquartile range, or whose two measurements, differ by more than this part are measured once more. */
const wideSpread = 0.12;
/** Below this a spread says only that the clock counts whole microseconds. */
const clockNs = 15_000;
/** A change of the reference layer beyond this is taken for a drift of the machine, and taken out. */
const driftLimit = 0.05;

const entryPoint = new URL("./bank-child.js", import.meta.url);

/**
 * A table for this machine: empty, or with what was measured before. Finds out what the runtime does here and what
 * watching it costs, which takes about a second; from the cache no time.
 * @throws HalpError HALP_RUNTIME_MISSING, HALP_CHILD_ENDED, HALP_WRITE
 */
export async function createLatencyTable(options: CreateOptions = {}): Promise<OwnTable> {
  const threads = options.threads ?? 1;
  const fingerprint = deviceFingerprint(threads);
  const journal = options.cacheDir === undefined ? undefined : journalPath(options.cacheDir, fingerprint);
  const known = journal === undefined ? undefined : readJournal(journal, fingerprint);
  if (known && journal !== undefined) return { device: known.device, entries: new Map(known.entries), journal };

  using child = spawnChild(entryPoint, options.signal ? { signal: options.signal } : {});
  const probed = await child.request<ProbeReply>("probe", { threads });
  const probe: BankTask = { configs: [], threads, targetNs: 2e8, minRuns: 30, maxRuns: 200 };
  const { referenceNs } = await child.request<BankReply>("measure", probe);
  const machine = describeDevice();
  const { cpu, flags, cores, arch, platform, node } = machine;
  const device: TableDevice = {
    fingerprint: fingerprintOf(machine, `onnxruntime-node ${probed.runtimeVersion} cpu`, threads),
    cpu,
    flags,
    cores,
    arch,
    platform,
    node,
    runtime: { name: "onnxruntime-node", version: probed.runtimeVersion, provider: "cpu" },
    threads,
    precision: "float32",
    clock: "kernel-profile",
    traits: probed.traits,
    calibration: probed.calibration,
    referenceNs,
  };
  if (journal !== undefined) beginJournal(journal, device);
  return { device, entries: new Map(), ...(journal === undefined ? {} : { journal }) };
}

/**
 * Measures the layers that the table lacks, many in one model, in a child process. What is done is in the table (and in
 * its journal) even when the rest is interrupted.
 * @returns the number of layers measured
 * @throws HalpError HALP_TABLE_DEVICE where the table is of another device, HALP_CHILD_ENDED, HALP_RUNTIME_LOAD,
 *   HALP_WRITE; the signal's reason on abort
 */
export async function measureMissing(
  table: OwnTable,
  configs: Iterable<LayerConfig>,
  options: MeasureMissingOptions = {},
): Promise<number> {
  const wanted = new Map<string, LayerConfig>();
  for (const c of configs) {
    const key = layerKey(c);
    if (!table.entries.has(key)) wanted.set(key, c);
  }
  if (wanted.size === 0) return 0;
  const here = deviceFingerprint(table.device.threads);
  if (here !== table.device.fingerprint)
    throw new HalpError(
      "HALP_TABLE_DEVICE",
      `The latency table was measured on ${table.device.cpu} with ${table.device.runtime.name} ${table.device.runtime.version}; ` +
        `this machine is another, so ${wanted.size} missing layer(s) cannot be added to it here. Measure on that device.`,
    );

  using child = spawnChild(entryPoint, options.signal ? { signal: options.signal } : {});
  let done = 0;
  const total = 2 * wanted.size;
  const uncertain = new Map<string, LayerConfig>();
  const pass = async (list: readonly (readonly [string, LayerConfig])[], isCheck: boolean): Promise<void> => {
    for (const bank of banksOf(list, options.bankLayers)) {
      const entries = await measureBank(child, table.device, bank, (options.bankMs ?? 40) * 1e6);
      const kept = entries.map(([key, entry]): [string, TableEntry] => {
        const before = table.entries.get(key);
        if (isCheck && before && (isWide(entry) || disagree(before, entry))) uncertain.set(key, entry.config);
        return [key, before ? settled(before, entry) : entry];
      });
      for (const [key, entry] of kept) table.entries.set(key, entry);
      if (table.journal !== undefined) appendJournal(table.journal, kept);
      done += kept.length;
      options.onProgress?.(Math.min(done, total), total);
    }
  };
  // Each layer at two times and in two companies: what disturbed one is unlikely to disturb the other.
  const all = [...wanted];
  await pass(all, false);
  await pass(scattered(all), true);
  await pass([...uncertain], false);
  const odd = [...wanted.keys()].filter((k) => table.entries.get(k)?.layoutAsExpected === false);
  if (odd.length > 0)
    options.onWarning?.(
      `The runtime laid out ${odd.length} of ${wanted.size} layers otherwise than foreseen, first: ${odd[0]}`,
    );
  return wanted.size;
}

/**
 * One entry of two measurements: their mean where they agree; else the lower, for disturbance only ever adds time.
 */
function settled(a: TableEntry, b: TableEntry): TableEntry {
  const lower = a.ns <= b.ns ? a : b;
  return disagree(a, b) ? lower : { ...lower, ns: Math.round((a.ns + b.ns) / 2) };
}

function disagree(a: TableEntry, b: TableEntry): boolean {
  return Math.max(a.ns, b.ns) > clockNs && Math.abs(a.ns - b.ns) > wideSpread * Math.min(a.ns, b.ns);
}

/** The same items, neighbours far apart. */
function scattered<T>(items: readonly T[]): T[] {
  const stride = Math.max(1, Math.round(Math.sqrt(items.length)));
  return Array.from({ length: stride }, (_, s) => items.filter((_, i) => i % stride === s)).flat();
}

function isWide(e: TableEntry): boolean {
  return e.samples.median > clockNs && e.samples.q3 - e.samples.q1 > wideSpread * e.samples.median;
}

/** Layers in banks of one opset version, of bounded number and size. */
export function banksOf<T extends readonly [string, LayerConfig]>(
  list: readonly T[],
  bankLayers = defaultBankLayers,
): T[][] {
  const byOpset = new Map<number, T[]>();
  for (const item of list) {
    const { opset } = item[1];
    byOpset.set(opset, [...(byOpset.get(opset) ?? []), item]);
  }
  const banks: T[][] = [];
  for (const [, items] of byOpset) {
    let bank: T[] = [];
    let bytes = 0;
    for (const item of items) {
      const size = layerBytes(item[1]);
      if (bank.length > 0 && (bank.length >= bankLayers || bytes + size > bankBytes)) {
        banks.push(bank);
        bank = [];
        bytes = 0;
      }
      bank.push(item);
      bytes += size;
    }
    if (bank.length > 0) banks.push(bank);
  }
  return banks;
}

async function measureBank(
  child: Child,
  device: TableDevice,
  bank: readonly (readonly [string, LayerConfig])[],
  targetNs: number,
): Promise<[string, TableEntry][]> {
  const task: BankTask = {
    configs: bank.map(([, c]) => c),
    threads: device.threads,
    targetNs,
    minRuns: 8,
    maxRuns: 40,
  };
  const reply = await child.request<BankReply>("measure", task);
  const speed = device.referenceNs / reply.referenceNs;
  const drift = Math.abs(speed - 1) > driftLimit ? speed : 1;
  // What the profiler costs depends on how cold the layers leave the caches: it is taken from the same bank.
  const { nodeNs: tight, idleNs } = device.calibration;
  const nodeNs = reply.idleNs === undefined ? tight : Math.max(0, reply.idleNs - idleNs);
  return bank.map(([key, config], i) => {
    const raw = reply.layers[i] as RawLayer;
    return [key, entryFrom(config, raw, nodeNs, drift)];
  });
}

function entryFrom(config: LayerConfig, raw: RawLayer, nodeNs: number, drift: number): TableEntry {
  const net = (v: number): number => Math.round(Math.max(0, v - raw.kernels * nodeNs) * drift);
  const { min, q1, median, q3, count } = raw.samples;
  const samples: Samples = { min: net(min), q1: net(q1), median: net(median), q3: net(q3), count };
  const ns = net(raw.lower);
  if (!Number.isFinite(ns))
    throw new HalpError(
      "HALP_MEASURE_FAILED",
      `The runtime's profile holds no time for the layer ${layerKey(config)}. Run again; where it stays so, freeze the group of this layer and report it.`,
      { name: layerKey(config), exitCode: 1 },
    );
  return { config, ns, samples, kernels: raw.kernels, layoutAsExpected: raw.layoutAsExpected };
}
