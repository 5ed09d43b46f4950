import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { arrayDataset } from "./array-dataset.js";
import { memoryStore, npyStore } from "./array-store.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { formatError, missingError } from "./errors.js";
import { labelsFrom, openLabels } from "./label-array.js";
import { parseNpy } from "./npy.js";
import type { NumberArray } from "./numbers.js";
import { namesInFolder, readBytes } from "./read-bytes.js";
import { type UnpackLimits, unpackZip } from "./unpack.js";

/** Which array holds the samples, most telling name first; NumPy names what it was not told a name for arr_0. */
function sampleNames(split: "train" | "test"): readonly string[] {
  return [`x_${split}`, `X_${split}`, `${split}_x`, `${split}_images`, "x", "X", "images", "arr_0"];
}

/** The name of the labels that belong to a name of samples. */
function labelName(samples: string): string {
  if (samples === "arr_0") return "arr_1";
  return samples.replace("images", "labels").replace(/(^|_)[xX](?=_|$)/, "$1y");
}

/**
 * Samples in an .npy file, its labels in `labels` or beside it (x_test.npy: y_test.npy), or a folder with such files.
 * Only the samples asked for are read from disk.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openNpy(spec: DatasetSpec): Promise<Dataset> {
  const file = await samplesFile(spec);
  const stem = basename(file, ".npy");
  const beside = `${labelName(stem)}.npy`;
  const names = await readdir(dirname(file)).catch((): string[] => []);
  const labelFile =
    spec.labels ?? (beside !== basename(file) && names.includes(beside) ? join(dirname(file), beside) : undefined);
  const labels = labelFile === undefined ? undefined : await openLabels(labelFile, spec);
  return arrayDataset(`array ${file}`, file, await npyStore(file), labels, spec, {});
}

async function samplesFile(spec: DatasetSpec): Promise<string> {
  const names = await namesInFolder(spec.path);
  if (!names) return spec.path;
  const wanted = sampleNames(spec.split ?? "test").map((name) => `${name}.npy`);
  const found = wanted.find((name) => names.includes(name));
  if (!found) throw missingError(spec.path, `has none of ${wanted.join(", ")}.`);
  return join(spec.path, found);
}

/**
 * Samples and labels in one .npz archive: `x_test` and `y_test` (or `x` and `y`, `images` and `labels`, `arr_0` and `arr_1`).
 * Held in memory unpacked; other arrays of the archive are not unpacked.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_DATA_LIMIT, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openNpz(spec: DatasetSpec): Promise<Dataset> {
  const file = spec.path;
  const archive = await readBytes(file, spec.limits);
  const names: string[] = [];
  unpackZip(archive, file, (name) => {
    names.push(name);
    return false;
  });
  const wanted = sampleNames(spec.split ?? "test").filter((name) => names.includes(`${name}.npy`));
  const samples = wanted[0] ?? (names.length === 1 ? names[0]!.replace(/\.npy$/, "") : undefined);
  if (samples === undefined) {
    throw missingError(
      file,
      `holds the arrays ${names.join(", ")}; the samples are looked for under ${sampleNames(spec.split ?? "test").join(", ")}.`,
    );
  }
  const own = labelName(samples);
  const take = new Set([samples, own].map((name) => `${name}.npy`));
  const arrays = unpackZip(archive, file, (name) => take.has(name), spec.limits);
  const bytes = arrays.get(`${samples}.npy`);
  if (!bytes) throw formatError(file, `"${samples}" is no .npy array, or its place in the archive is broken.`);
  const x = parseNpy(bytes, `${file}(${samples})`);
  const y = own === samples ? undefined : arrays.get(`${own}.npy`);
  const labels = spec.labels
    ? await openLabels(spec.labels, spec)
    : y && labelsFrom(parseNpy(y, `${file}(${own})`), spec, `${file}(${own})`);
  return arrayDataset(`array ${samples} of ${file}`, file, memoryStore(x), labels, spec, {});
}

/**
 * All arrays of an .npz archive, by the names that `numpy.savez` was given.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_LIMIT
 */
export async function readNpz(file: string, limits: UnpackLimits = {}): Promise<Map<string, NumberArray>> {
  const arrays = unpackZip(await readBytes(file, limits), file, (name) => name.endsWith(".npy"), limits);
  return new Map(
    [...arrays].map(([name, bytes]) => [name.slice(0, -4), parseNpy(bytes, `${file}(${name.slice(0, -4)})`)]),
  );
}
