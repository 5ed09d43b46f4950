/** `halp.table/1`: a table as one JSON file, and as a journal that survives being killed. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HalpError } from "../errors.js";
import { parseJson } from "../json.js";
import { type LayerConfig, layerKey } from "./config.js";
import type { TableClock, TableDevice } from "./device.js";
import type { LatencyTable, TableEntry } from "./table.js";

export const tableFormat = "halp.table/1";
export const journalFormat = "halp.journal/1";

interface FileEntry extends TableEntry {
  readonly key: string;
}

/** Writes what was measured as `halp.table/1`, whole or not at all. @throws HalpError HALP_WRITE */
export function saveTable(table: LatencyTable, path: string): void {
  const measured = [...table.entries].filter(([, e]) => !e.estimated);
  const entries = measured.map(([key, e]) => ({ key, ...e })).sort((a, b) => (a.key < b.key ? -1 : 1));
  const text = `{"format":"${tableFormat}","device":${JSON.stringify(table.device)},"entries":[\n${entries
    .map((e) => JSON.stringify(e))
    .join(",\n")}\n]}\n`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.part`, text);
    renameSync(`${path}.part`, path);
  } catch (cause) {
    throw new HalpError("HALP_WRITE", `The latency table could not be written to ${path}: ${String(cause)}`, {
      file: path,
      cause,
    });
  }
}

/**
 * Reads a table.
 * @throws HalpError HALP_READ where there is no such file, HALP_TABLE_CORRUPT where it is no JSON or an entry is damaged,
 *   HALP_TABLE_FORMAT where it is something else
 */
export function openTable(path: string): LatencyTable {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new HalpError("HALP_READ", `The latency table ${path} could not be read: ${String(cause)}`, {
      file: path,
      cause,
    });
  }
  let file: unknown;
  try {
    file = parseJson(text);
  } catch (cause) {
    throw new HalpError(
      "HALP_TABLE_CORRUPT",
      `${path} is not valid JSON, so it is no complete latency table. Write it again with: halp profile MODEL -o TABLE`,
      { file: path, cause },
    );
  }
  const { format, device, entries } = (file ?? {}) as Record<string, unknown>;
  if (format !== tableFormat || !Array.isArray(entries))
    throw new HalpError(
      "HALP_TABLE_FORMAT",
      `${path} is not a latency table: expected "format": "${tableFormat}", came ${JSON.stringify(format)}.`,
      { file: path },
    );
  if (!isTableDevice(device)) throw corrupt(path, "its device is incomplete");
  const known = new Map<string, TableEntry>();
  for (const e of entries) {
    const entry = entryOf(e);
    if (!entry)
      throw corrupt(path, `the entry ${JSON.stringify(e).slice(0, 200)} does not fit its key or lacks numbers`);
    known.set(entry.key, withoutKey(entry));
  }
  return { device, entries: known };
}

function corrupt(path: string, why: string): HalpError {
  return new HalpError("HALP_TABLE_CORRUPT", `The latency table ${path} is damaged: ${why}.`, { file: path });
}

function withoutKey({ key: _, ...entry }: FileEntry): TableEntry {
  return entry;
}

const clocks = new Set<TableClock>(["kernel-profile", "cuda-events", "wall-differences", "imported"]);

/** Whether it says what a table needs to say of its device. */
export function isTableDevice(d: unknown): d is TableDevice {
  const device = d as Partial<TableDevice> | undefined;
  return (
    typeof device?.fingerprint === "string" &&
    typeof device.threads === "number" &&
    Number.isInteger(device.traits?.blockSize) &&
    clocks.has(device.clock as TableClock) &&
    Number.isFinite(device.calibration?.nodeNs) &&
    Number.isFinite(device.calibration?.runNs)
  );
}

const isLatency = (ns: unknown): boolean => typeof ns === "number" && Number.isFinite(ns) && ns >= 0;

/** The entry, if it is whole and its configuration is what its key says. */
function entryOf(e: unknown): FileEntry | undefined {
  const entry = e as Partial<FileEntry> | null;
  if (typeof entry?.key !== "string" || !isLatency(entry.ns) || !isLatency(entry.samples?.median)) return undefined;
  try {
    return layerKey(entry.config as LayerConfig) === entry.key ? (entry as FileEntry) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is an entry of a table, whole and of the configuration that its key says. */
export function isTableEntry(key: unknown, entry: unknown): entry is TableEntry {
  return typeof entry === "object" && entry !== null && entryOf({ ...entry, key }) !== undefined;
}

/** Where measurements of a device are kept between runs. */
export function journalPath(cacheDir: string, fingerprint: string): string {
  return join(cacheDir, `${fingerprint}.table.jsonl`);
}

/**
 * Reads a journal: one JSON document a line, the device first. Lines that a killed run left torn are passed over and will
 * be measured again. Undefined where there is none for this device.
 */
export function readJournal(path: string, fingerprint: string): LatencyTable | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  let device: TableDevice | undefined;
  const entries = new Map<string, TableEntry>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    let value: Record<string, unknown>;
    try {
      value = parseJson(line) as Record<string, unknown>;
    } catch {
      continue;
    }
    if (value.format === journalFormat && isTableDevice(value.device)) {
      device ??= value.device;
      continue;
    }
    const entry = entryOf(value);
    if (entry) entries.set(entry.key, withoutKey(entry));
  }
  return device?.fingerprint === fingerprint ? { device, entries } : undefined;
}

/** Begins a journal. @throws HalpError HALP_WRITE */
export function beginJournal(path: string, device: TableDevice): void {
  write(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify({ format: journalFormat, device })}\n`);
  });
}

/** Adds entries to a journal, in one write. @throws HalpError HALP_WRITE */
export function appendJournal(path: string, entries: Iterable<readonly [string, TableEntry]>): void {
  // A line may have been torn before: begin on a new one.
  const lines = Array.from(entries, ([key, e]) => `\n${JSON.stringify({ key, ...e })}`).join("");
  if (lines !== "") write(path, () => appendFileSync(path, `${lines}\n`));
}

function write(path: string, action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw new HalpError("HALP_WRITE", `The measurements could not be kept in ${path}: ${String(cause)}`, {
      file: path,
      cause,
    });
  }
}
