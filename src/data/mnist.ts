import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { arrayDataset } from "./array-dataset.js";
import { memoryStore } from "./array-store.js";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { missingError } from "./errors.js";
import { parseIdx } from "./idx.js";
import { openLabels } from "./label-array.js";
import { namesInFolder, readBytes } from "./read-bytes.js";

/** Names of MNIST and its kin (Fashion-MNIST, KMNIST, EMNIST), packed or not, with `-idx3` or `.idx3`. */
export const idxName = /^(.*?)(images|labels)([-.]idx\d-ubyte)?(\.gz)?$/;

/**
 * Images in IDX: a folder with `train-images-idx3-ubyte`, `t10k-images-idx3-ubyte` and their labels (plain or .gz), or one
 * such file, its labels beside it or given by `labels`. Held in memory unpacked: 47 MB for MNIST's training images.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openIdx(spec: DatasetSpec): Promise<Dataset> {
  const file = await imagesFile(spec);
  const labelsPath = spec.labels ?? (await labelsBeside(file));
  const array = parseIdx(await readBytes(file, spec.limits), file);
  const labels = labelsPath === undefined ? undefined : await openLabels(labelsPath, spec);
  return arrayDataset(`IDX images in ${file}`, file, memoryStore(array), labels, spec, {});
}

async function imagesFile(spec: DatasetSpec): Promise<string> {
  const names = await namesInFolder(spec.path);
  if (!names) return spec.path;
  const split = spec.split ?? "test";
  const prefix = split === "train" ? /(^|[-_])train[-_.]/ : /(^|[-_])(t10k|test)[-_.]/;
  const found = names.filter((name) => idxName.exec(name)?.[2] === "images" && prefix.test(name)).sort();
  if (found[0] === undefined) {
    const wanted = split === "train" ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte";
    throw missingError(spec.path, `has no IDX images for the split "${split}" (${wanted}, plain or .gz).`);
  }
  return join(spec.path, found[0]);
}

/** The labels of `train-images-idx3-ubyte.gz` are `train-labels-idx1-ubyte`, packed or not. */
async function labelsBeside(file: string): Promise<string | undefined> {
  const parts = idxName.exec(basename(file));
  if (!parts) return undefined;
  const wanted = `${parts[1]}labels`;
  const names = await readdir(dirname(file));
  const found = names.filter((name) => {
    const other = idxName.exec(name);
    return other !== null && `${other[1]}${other[2]}` === wanted;
  });
  return found.length === 0 ? undefined : join(dirname(file), found.sort()[0]!);
}
