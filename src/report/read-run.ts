/** What `halp prune` left in its run folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import { isObject, parseJson } from "../json.js";
import {
  type DeviceRecord,
  type EpochLine,
  isEpochLine,
  type LayerRecord,
  type PruneResult,
  runFiles,
  type SearchRecord,
} from "../pipeline/index.js";
import { type Problem, parseProblem } from "../solver/index.js";
import { isDeviceRecord, isLayerRecord, isResult, isSearchRecord } from "./checks.js";

/** All but the result is null where the run did not come so far, or was made by a halp that did not keep it. */
export interface Run {
  readonly folder: string;
  readonly result: PruneResult;
  readonly layers: LayerRecord | null;
  readonly search: SearchRecord | null;
  /** What {@link search} solved; null with `--mode uniform`. */
  readonly problem: Problem | null;
  readonly device: DeviceRecord | null;
  /** The resolved options. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** Of the training, one for each epoch; empty where there was none. */
  readonly log: readonly EpochLine[];
}

/**
 * @throws HalpError HALP_RUN_MISSING where the folder holds no finished run; HALP_RUN_CORRUPT where a file of it cannot be
 *   what halp wrote
 */
export function readRun(folder: string): Run {
  const result = requireDocument(folder, runFiles.result, "halp.result/1");
  if (!isResult(result)) throw corrupt(join(folder, runFiles.result), "figures are missing");
  const checked = <T>(
    name: string,
    format: string,
    is: (x: Readonly<Record<string, unknown>>) => boolean,
    what: string,
  ) => {
    const document = readDocument(folder, name, format);
    if (document !== null && !is(document)) throw corrupt(join(folder, name), `${what} are missing`);
    return document as T | null;
  };
  return {
    folder,
    result,
    layers: checked<LayerRecord>(runFiles.layers, "halp.layers/1", isLayerRecord, "times"),
    search: checked<SearchRecord>(runFiles.search, "halp.search/1", isSearchRecord, "figures"),
    problem: readProblem(folder),
    device: checked<DeviceRecord>(runFiles.device, "halp.device/1", isDeviceRecord, "facts"),
    config: readDocument(folder, runFiles.config, "halp.config/1"),
    log: readLog(folder),
  };
}

function missing(folder: string, name: string): HalpError {
  return new HalpError(
    "HALP_RUN_MISSING",
    `There is no ${name} in ${folder}: no run of halp prune has ended there. Give the folder of --run; by default it is .halp/runs/NAME.`,
    { file: folder },
  );
}

/** A file of a run that cannot be what halp wrote. */
export function corrupt(file: string, why: string, cause?: unknown): HalpError {
  return new HalpError("HALP_RUN_CORRUPT", `${file} is not as halp prune writes it: ${why}. Run halp prune again.`, {
    file,
    cause,
  });
}

/** Null where there is no such file. */
function read<T>(file: string, parse: (text: string) => T): T | null {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw corrupt(file, message, cause);
  }
}

/** Null where there is no such file. */
function readDocument(folder: string, name: string, format: string): Readonly<Record<string, unknown>> | null {
  const file = join(folder, name);
  const document = read(file, parseJson);
  if (document === null) return null;
  if (!isObject(document) || document.format !== format) throw corrupt(file, `it is no ${format}`);
  return document;
}

/**
 * A document that every run that has ended has.
 * @throws HalpError HALP_RUN_MISSING where it is not there, HALP_RUN_CORRUPT where it is of another format
 */
export function requireDocument(folder: string, name: string, format: string): Readonly<Record<string, unknown>> {
  const document = readDocument(folder, name, format);
  if (document === null) throw missing(folder, name);
  return document;
}

function readProblem(folder: string): Problem | null {
  return read(join(folder, runFiles.problem), parseProblem);
}

function readLog(folder: string): readonly EpochLine[] {
  const file = join(folder, runFiles.log);
  const lines = read(file, (text) => text.split("\n").flatMap((l) => (l === "" ? [] : [parseJson(l)])));
  if (lines !== null && !lines.every(isEpochLine)) throw corrupt(file, "a line is no epoch's");
  return (lines ?? []) as readonly EpochLine[];
}
