/**
 * Tables of other tools, in the key form of the HALP paper: convolutions by
 * `batch_cin_cout_fmap_k_stride_groups`, in milliseconds. `fmap` is the extent of the input, height and width alike.
 */
import { readFileSync } from "node:fs";
import { HalpError } from "../errors.js";
import { parseJson } from "../json.js";
import { lowerMean, summarize } from "../runtime/index.js";
import { layerKey } from "./config.js";
import { type ConvShape, convConfig, keyedShape } from "./convolution.js";
import { fingerprintOf, type TableDevice } from "./device.js";
import type { LatencyTable, TableEntry } from "./table.js";
import { plainTraits } from "./traits.js";

export const importedKeyForm = "batch_cin_cout_fmap_k_stride_groups";

interface Row {
  /** Where it stands, for messages. */
  readonly place: string;
  readonly key: string;
  /** Milliseconds; several where each is a sample. */
  readonly ms: readonly number[];
}

/**
 * Reads such a table: a JSON object of keys to milliseconds (a number, or a list of samples), or CSV with the key and the
 * milliseconds on each line (or the seven numbers of the key in columns of their own), with or without a line of titles.
 * @param deviceName what the device is called; tables of one name can be united
 * @throws HalpError HALP_READ, HALP_IMPORT_FORMAT
 */
export function importTable(path: string, deviceName: string): LatencyTable {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new HalpError("HALP_READ", `${path} could not be read: ${String(cause)}`, { file: path, cause });
  }
  const refuse = (why: string): HalpError =>
    new HalpError(
      "HALP_IMPORT_FORMAT",
      `${why} Expected are keys of the form ${importedKeyForm} with milliseconds: a JSON object {"1_64_128_56_3_1_1": 0.35}, or CSV lines 1_64_128_56_3_1_1,0.35`,
      { file: path },
    );
  const rows = /^\s*[{[]/.test(text) ? rowsOfJson(text, refuse) : rowsOfCsv(text);
  const entries = new Map<string, TableEntry>();
  for (const { place, key, ms } of rows) {
    const shape = shapeOf(key);
    if (!shape) throw refuse(`${place}: "${key}" is no such key.`);
    if (ms.length === 0 || ms.some((v) => !Number.isFinite(v) || v < 0))
      throw refuse(`${place}: the time of "${key}" is not a number of milliseconds.`);
    const config = convConfig(shape);
    const layer = layerKey(config);
    if (entries.has(layer)) throw refuse(`${place}: "${key}" is there twice.`);
    const ns = ms.map((v) => 1e6 * v);
    const { min, q1, median, q3, count } = summarize(ns);
    entries.set(layer, {
      config,
      ns: Math.round(lowerMean(ns)),
      samples: { min, q1, median, q3, count },
      kernels: 1,
      layoutAsExpected: true,
    });
  }
  if (entries.size === 0) throw refuse("There is no entry.");
  return { device: importedDevice(deviceName), entries };
}

function importedDevice(name: string): TableDevice {
  return {
    fingerprint: fingerprintOf(["imported", name]),
    cpu: name,
    flags: [],
    cores: 0,
    arch: "unknown",
    platform: "unknown",
    node: process.version,
    runtime: { name: "imported", version: "1", provider: "unknown" },
    threads: 1,
    precision: "unknown",
    clock: "imported",
    traits: plainTraits,
    calibration: { nodeNs: 0, runNs: 0, idleNs: 0 },
    referenceNs: 0,
  };
}

function shapeOf(key: string): ConvShape | undefined {
  if (!/^\d+(_\d+){6}$/.test(key)) return undefined;
  const numbers = key.split("_").map(Number);
  const [batch = 0, inChannels = 0, outChannels = 0, extent = 0, k = 0, s = 0, groups = 0] = numbers;
  if (numbers.some((v) => v < 1 || v > 2 ** 31) || inChannels % groups !== 0 || outChannels % groups !== 0)
    return undefined;
  return keyedShape({
    batch,
    inChannels,
    outChannels,
    inHeight: extent,
    inWidth: extent,
    kernel: [k, k],
    stride: [s, s],
    padding: [0, 0],
    dilation: [1, 1],
    groups,
    bias: false,
    residual: false,
    relu: false,
  });
}

function rowsOfJson(text: string, refuse: (why: string) => HalpError): Row[] {
  let file: unknown;
  try {
    file = parseJson(text);
  } catch (cause) {
    throw refuse(`It is no valid JSON (${(cause as Error).message}).`);
  }
  if (typeof file !== "object" || file === null || Array.isArray(file)) throw refuse("It holds no JSON object.");
  return Object.entries(file).map(([key, value]) => ({
    place: "JSON",
    key: key.trim(),
    ms: (Array.isArray(value) ? value : [value]).map((v) => (typeof v === "number" ? v : Number.NaN)),
  }));
}

function rowsOfCsv(text: string): Row[] {
  const lines = text
    .split(/\r?\n/)
    .map((line, i) => ({ cells: line.split(/[,;\t]/).map(unquote), place: `line ${i + 1}` }));
  const filled = lines.filter(({ cells }) => cells.some((c) => c !== "") && !cells[0]?.startsWith("#"));
  // A line of titles has no digit.
  const rows = filled.filter(({ cells }, i) => i > 0 || cells.some((c) => /^\d/.test(c)));
  return rows.map(({ cells, place }) => {
    const inColumns = cells.length >= 8 && !cells[0]?.includes("_");
    const [key = "", ...times] = inColumns ? [cells.slice(0, 7).join("_"), ...cells.slice(7)] : cells;
    const ms = times.filter((c) => c !== "").map(Number);
    return { place, key, ms };
  });
}

function unquote(cell: string): string {
  return cell.trim().replace(/^"(.*)"$/, "$1");
}
