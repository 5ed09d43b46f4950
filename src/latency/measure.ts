/** Filling a table: only what is missing, each distinct layer once. */
import { HalpError } from "../errors.js";
import { type Pin, watchConditions } from "../runtime/index.js";
import type { LayerConfig } from "./config.js";
import { layerKey } from "./config.js";
import { countedAs } from "./convolution.js";
import { type BankOptions, openCpuMeter } from "./cpu-meter.js";
import { openCudaMeter } from "./cuda-meter.js";
import { type DeviceChoice, deviceFingerprint, deviceKind, type TableDevice } from "./device.js";
import type { GpuOptions, Item, Meter, MeterOptions, RemoteMeter } from "./meter.js";
import { openOrtCudaMeter } from "./ort-cuda-meter.js";
import { Patience } from "./patience.js";
import type { LatencyTable, TableEntry } from "./table.js";
import { appendJournal, beginJournal, journalPath, readJournal } from "./table-file.js";

/** How the device is measured; the same for a table's begin and for all that is added to it. */
export interface DeviceOptions {
  /** Default the CPU. */
  readonly device?: DeviceChoice;
  /** Cores that measuring threads are pinned to. Default "auto". */
  readonly pin?: Pin;
  /**
   * Milliseconds to wait, over all that is measured, for other work on this machine to pause; 0 takes what comes. Default
   * 20,000, and three tenths of the time that passes. CPU only.
   */
  readonly patienceMs?: number;
  /** For GPUs. */
  readonly gpu?: GpuOptions;
  /** Measures on another machine, whatever {@link device} says. */
  readonly remote?: RemoteMeter;
  readonly signal?: AbortSignal;
  readonly onWarning?: (message: string) => void;
}

export interface CreateOptions extends DeviceOptions {
  /** Default 1. */
  readonly threads?: number;
  /** Where measurements are kept between runs; without it they live as long as the table. */
  readonly cacheDir?: string;
}

export interface MeasureMissingOptions extends BankOptions {
  readonly signal?: AbortSignal;
  /** Measurements done, of how many: each layer is measured twice. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly onWarning?: (message: string) => void;
}

/** A table that can be filled on this machine. */
export interface OwnTable extends LatencyTable {
  readonly entries: Map<string, TableEntry>;
  /** Where new entries are appended. */
  readonly journal?: string;
  /** How its device is measured. */
  readonly options?: DeviceOptions;
  readonly patience?: Patience;
}

/** Entries whose interquartile range, or whose two measurements, differ by more than this part are measured once more. */
const wideSpread = 0.12;
/** Below this a spread says only that the clock counts whole microseconds. */
const clockNs = 15_000;

/**
 * A table for this machine: empty, or with what was measured before. Finds out what the runtime does here and what
 * watching it costs, which takes about a second; from the cache no time.
 * @throws HalpError HALP_RUNTIME_MISSING, HALP_CHILD_ENDED, HALP_WRITE, HALP_PIN; of GPUs HALP_CUDA_LIBRARY, HALP_CUDA,
 *   HALP_CUDNN, HALP_ADDON_MISSING, HALP_PROVIDER_MISSING
 */
export async function createLatencyTable(options: CreateOptions = {}): Promise<OwnTable> {
  const choice = options.device ?? { kind: "cpu" };
  const threads = choice.kind === "cpu" ? (options.threads ?? 1) : 1;
  const keep = (device: TableDevice, entries: LatencyTable["entries"], journal: string | undefined): OwnTable => ({
    device,
    entries: new Map(entries),
    ...(journal === undefined ? {} : { journal }),
    options,
    patience: new Patience(options.patienceMs),
  });
  const cached = (fingerprint: string) => {
    const journal = options.cacheDir === undefined ? undefined : journalPath(options.cacheDir, fingerprint);
    return { journal, known: journal === undefined ? undefined : readJournal(journal, fingerprint) };
  };
  if (choice.kind === "cpu" && !options.remote) {
    // The CPU's fingerprint needs no process to be started.
    const { journal, known } = cached(deviceFingerprint(threads));
    if (known) return keep(known.device, known.entries, journal);
  }
  using meter = await (options.remote
    ? options.remote({ ...meterOptions(threads, options), ...patienceOf(options) })
    : openMeter(choice, meterOptions(threads, options)));
  const { journal, known } = cached(meter.fingerprint);
  if (known) return keep(known.device, known.entries, journal);
  const device = await meter.describe();
  if (journal !== undefined) beginJournal(journal, device);
  return keep(device, new Map(), journal);
}

/** Whether what the table lacks can be measured on this machine. CPU tables only: a GPU's has to be asked for. */
export function isThisMachine(device: TableDevice): boolean {
  return deviceKind(device) === "cpu" && device.fingerprint === deviceFingerprint(device.threads);
}

/**
 * Measures the layers that the table lacks, many in one model, in a child process. What is done is in the table (and in
 * its journal) even when the rest is interrupted.
 * @returns the number of layers measured
 * @throws HalpError HALP_TABLE_DEVICE where the table is of another device, HALP_CHILD_ENDED, HALP_RUNTIME_LOAD,
 *   HALP_WRITE, HALP_PIN; of GPUs HALP_CUDA, HALP_CUDNN; the signal's reason on abort
 */
export async function measureMissing(
  table: OwnTable,
  configs: Iterable<LayerConfig>,
  options: MeasureMissingOptions = {},
): Promise<number> {
  const { device } = table;
  const wanted = new Map<string, LayerConfig>();
  // A run that was killed may have left layers that were measured once.
  const unchecked = new Map<string, LayerConfig>();
  for (const c of configs) {
    const counted = countedAs(device, c);
    if (!counted) continue;
    const key = layerKey(counted);
    const entry = table.entries.get(key);
    if (!entry) wanted.set(key, counted);
    if (!entry || (entry.unchecked && table.options)) unchecked.set(key, counted);
  }
  if (unchecked.size === 0) return 0;
  const warn = options.onWarning ?? (() => {});
  using meter = await meterFor(table, { ...options, onWarning: warn });
  if (meter?.fingerprint !== device.fingerprint)
    throw new HalpError(
      "HALP_TABLE_DEVICE",
      `The latency table was measured on ${device.cpu} with ${device.runtime.name} ${device.runtime.version}; ` +
        `this machine is another, so ${wanted.size} missing layer(s) cannot be added to it here. Measure on that device.`,
    );
  const endWatch = table.options?.remote ? () => {} : watchConditions(device.threads, warn);
  let done = 0;
  const total = wanted.size + unchecked.size;
  const uncertain = new Map<string, LayerConfig>();
  const pass = async (list: readonly Item[], isCheck: boolean): Promise<void> => {
    for (const group of meter.groupsOf(list)) {
      const entries = await meter.measure(device, group);
      const kept = entries.map(([key, entry]): [string, TableEntry] => {
        const before = table.entries.get(key);
        if (isCheck && before && (isWide(entry) || disagree(before, entry))) uncertain.set(key, entry.config);
        return [key, before ? settled(before, entry) : { ...entry, unchecked: true }];
      });
      for (const [key, entry] of kept) table.entries.set(key, entry);
      if (table.journal !== undefined) appendJournal(table.journal, kept);
      done += kept.length;
      options.onProgress?.(Math.min(done, total), total);
    }
  };
  // Each layer at two times and in two companies: what disturbed one is unlikely to disturb the other.
  await pass([...wanted], false);
  await pass(scattered([...unchecked]), true);
  await pass([...uncertain], false);
  endWatch();
  const odd = [...wanted.keys()].filter((k) => table.entries.get(k)?.layoutAsExpected === false);
  if (odd.length > 0)
    warn(`The runtime laid out ${odd.length} of ${wanted.size} layers otherwise than foreseen, first: ${odd[0]}`);
  return wanted.size;
}

/** Undefined for a table that is of no device here. */
async function meterFor(table: OwnTable, options: MeasureMissingOptions): Promise<Meter | undefined> {
  const { device } = table;
  const { remote } = table.options ?? {};
  const { signal, onWarning, bankMs, bankLayers } = options;
  const controls = { ...(signal ? { signal } : {}), ...(onWarning ? { onWarning } : {}) };
  const bank = {
    ...(bankMs === undefined ? {} : { bankMs }),
    ...(bankLayers === undefined ? {} : { bankLayers }),
  };
  if (remote)
    return remote({
      ...meterOptions(device.threads, { ...table.options, ...controls }),
      ...patienceOf(table.options ?? {}),
      ...bank,
    });
  const kind = deviceKind(device);
  if (kind === "imported" || (kind === "cpu" && !isThisMachine(device))) return undefined;
  // A GPU's table from a file does not know how to reach the GPU from here.
  const choice: DeviceChoice | undefined = kind === "cpu" ? { kind } : table.options?.device;
  if (!choice) return undefined;
  return openMeter(choice, {
    ...meterOptions(device.threads, { ...table.options, ...controls }),
    ...(table.patience ? { patience: table.patience } : {}),
    ...bank,
  });
}

function patienceOf({ patienceMs }: DeviceOptions): Pick<DeviceOptions, "patienceMs"> {
  return patienceMs === undefined ? {} : { patienceMs };
}

function meterOptions(threads: number, options: DeviceOptions): MeterOptions {
  const { signal, onWarning } = options;
  return {
    threads,
    pin: options.pin ?? "auto",
    gpu: options.gpu ?? {},
    ...(signal ? { signal } : {}),
    ...(onWarning ? { onWarning } : {}),
  };
}

/** @throws HalpError as {@link createLatencyTable} */
export function openMeter(choice: DeviceChoice, options: MeterOptions & BankOptions): Promise<Meter> {
  switch (choice.kind) {
    case "cpu":
      return openCpuMeter(options);
    case "cuda":
      return openCudaMeter(choice.index, options);
    case "ort-cuda":
      return openOrtCudaMeter(choice.index, options);
  }
}

/**
 * One entry of two measurements: their mean where they agree; else the lower, for disturbance only ever adds time. So, too, where
 * they are too short to tell: these are what disturbance adds most to.
 */
function settled(a: TableEntry, b: TableEntry): TableEntry {
  const { unchecked: _, ...lower } = a.ns <= b.ns ? a : b;
  return disagree(a, b) || Math.max(a.ns, b.ns) <= clockNs ? lower : { ...lower, ns: Math.round((a.ns + b.ns) / 2) };
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
