/** What `halp prune` left in its run folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import type { LayerTimes, NetworkLayers } from "../latency/index.js";
import type { LayerRecord, PruneResult } from "../pipeline/index.js";

export interface Run {
  readonly folder: string;
  readonly result: PruneResult;
  /** Null where the run ended before its layers were measured, or was made by a halp that did not keep them. */
  readonly layers: LayerRecord | null;
}

/**
 * @throws HalpError HALP_RUN_MISSING where the folder holds no finished run; HALP_RUN_CORRUPT where a file of it cannot be
 *   what halp wrote
 */
export function readRun(folder: string): Run {
  const result = readDocument(folder, "result.json", "halp.result/1");
  if (result === undefined)
    throw new HalpError(
      "HALP_RUN_MISSING",
      `There is no result.json in ${folder}: no run of halp prune has ended there. Give the folder of --run; by default it is .halp/runs/NAME.`,
      { file: folder },
    );
  if (!isResult(result)) throw corrupt(join(folder, "result.json"), "figures are missing");
  const layers = readDocument(folder, "layers.json", "halp.layers/1");
  if (layers !== undefined && !isLayerRecord(layers)) throw corrupt(join(folder, "layers.json"), "times are missing");
  return { folder, result, layers: layers ?? null };
}

function corrupt(file: string, why: string, cause?: unknown): HalpError {
  return new HalpError("HALP_RUN_CORRUPT", `${file} is not as halp prune writes it: ${why}. Run halp prune again.`, {
    file,
    cause,
  });
}

/** Undefined where there is no such file. */
function readDocument(folder: string, name: string, format: string): object | undefined {
  const file = join(folder, name);
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw corrupt(file, message, cause);
  }
  if (!isObject(document) || document.format !== format) throw corrupt(file, `it is no ${format}`);
  return document;
}

const isObject = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === "object" && x !== null && !Array.isArray(x);
const isNumber = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);
const isText = (x: unknown): x is string => typeof x === "string";
const isPair = (x: unknown): boolean => isObject(x) && isNumber(x.dense) && isNumber(x.pruned);

const figures = [
  ...["budgetRatio", "predictedRatio", "measuredRatio", "spread", "maskedError", "outputError", "importanceKept"],
  ...["steps", "rounds"],
];

function isResult(x: object): x is PruneResult {
  const r = x as Readonly<Record<string, unknown>>;
  return (
    figures.every((name) => isNumber(r[name])) &&
    (r.heldAgainst === "measured" || r.heldAgainst === "predicted") &&
    isPair(r.latencyNs) &&
    isPair(r.parameters) &&
    (r.accuracy === null || isPair(r.accuracy)) &&
    isText(r.output) &&
    Array.isArray(r.warnings) &&
    r.warnings.every(isText) &&
    Array.isArray(r.groups) &&
    r.groups.every((g) => isObject(g) && isText(g.name) && isNumber(g.dense) && isNumber(g.kept))
  );
}

function isLayerRecord(x: object): x is LayerRecord {
  const { dense, pruned } = x as Readonly<Record<string, unknown>>;
  return [dense, pruned].every(isNetworkLayers);
}

function isNetworkLayers(x: unknown): x is NetworkLayers {
  return isObject(x) && isTime(x.unattributedNs) && Array.isArray(x.layers) && x.layers.every(isLayer);
}

function isLayer(x: unknown): x is LayerTimes {
  return isObject(x) && isText(x.name) && isText(x.operators) && isTime(x.predictedNs) && isTime(x.measuredNs);
}

const isTime = (x: unknown): x is number | null => x === null || isNumber(x);
