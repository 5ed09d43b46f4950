import { open } from "node:fs/promises";
import { basename, extname } from "node:path";
import { openCifar10Binary, openCifar10Png } from "./cifar10.js";
import type { Dataset, DatasetKind, DatasetSpec } from "./dataset.js";
import { formatError, optionError } from "./errors.js";
import { isUrl } from "./fetch-bytes.js";
import { looksLikeIdx } from "./idx.js";
import { openImageFolder } from "./image-folder.js";
import { openImageList } from "./image-list.js";
import { idxName, openIdx } from "./mnist.js";
import { openModule } from "./module.js";
import { openNpy, openNpz } from "./numpy.js";
import { namesInFolder } from "./read-bytes.js";

const readers: Readonly<Record<DatasetKind, (spec: DatasetSpec) => Promise<Dataset>>> = {
  images: openImageFolder,
  list: openImageList,
  cifar10: openCifar10Binary,
  "cifar10-png": openCifar10Png,
  idx: openIdx,
  npy: openNpy,
  npz: openNpz,
  module: openModule,
};

/**
 * Opens what lies at `spec.path`. Headers, sizes and label files are checked here; samples are read by `batches()`.
 * @throws HalpError HALP_DATA_MISSING (nothing there, or a part is absent), HALP_DATA_FORMAT (truncated, broken, not known),
 * HALP_DATA_SHAPE (samples of another shape than wanted, counts that differ), HALP_LABEL_RANGE, HALP_DATA_OPTION; exit code 2
 */
export async function openDataset(spec: DatasetSpec): Promise<Dataset> {
  const kind = spec.kind ?? "auto";
  if (kind !== "auto" && !Object.hasOwn(readers, kind)) {
    throw optionError(`The kind of data is one of auto, ${Object.keys(readers).join(", ")}; got ${kind}.`);
  }
  return readers[kind === "auto" ? await detectKind(spec.path) : kind](spec);
}

/**
 * What lies at a path, by names first and first bytes second. A folder that is nothing else is a folder of images.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT
 */
export async function detectKind(path: string): Promise<DatasetKind> {
  if (isUrl(path) || /\.txt$/i.test(path)) return "list";
  const folder = await namesInFolder(path);
  return folder ? kindOfFolder(folder) : kindOfFile(path);
}

function kindOfFolder(names: readonly string[]): DatasetKind {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (has(/^(data_batch_\d|test_batch)\.bin$/) || has(/^cifar-10-batches-bin$/)) return "cifar10";
  if (has(/^(data_batch_\d|test_batch)\.png$/)) return "cifar10-png";
  if (names.some((name) => idxName.exec(name)?.[3] !== undefined)) return "idx";
  if (has(/^(x|X|images|[xX]_(train|test)|(train|test)_(x|images))\.npy$/)) return "npy";
  return "images";
}

async function kindOfFile(path: string): Promise<DatasetKind> {
  const name = basename(path);
  switch (extname(path).toLowerCase()) {
    case ".npy":
      return "npy";
    case ".npz":
      return "npz";
    case ".js":
    case ".mjs":
    case ".cjs":
      return "module";
    case ".bin":
      return "cifar10";
  }
  if (/^(data_batch_\d|test_batch)\.png$/.test(name)) return "cifar10-png";
  if (idxName.test(name)) return "idx";
  const handle = await open(path);
  try {
    const start = new Uint8Array(4);
    await handle.read(start, 0, 4, 0);
    if (looksLikeIdx(start)) return "idx";
  } finally {
    await handle.close();
  }
  throw formatError(
    path,
    "halp cannot tell what data this is. It reads a folder or a list (.txt) of images, CIFAR-10, IDX (MNIST), .npy, .npz and JavaScript modules; name the kind if it is one of these.",
  );
}
