import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Dataset, DatasetSpec } from "./dataset.js";
import { fileError, labelError, missingError } from "./errors.js";
import { imageDataset } from "./image-samples.js";
import { type Labels, openLabels } from "./label-array.js";
import { checkLabelCount } from "./labels.js";

const imageExtensions = new Set([".png", ".jpg", ".jpeg"]);
const splitFolders = { train: ["train", "training"], test: ["test", "val", "validation", "testing"] } as const;

interface ImageList {
  readonly files: readonly string[];
  readonly labels?: Labels;
  readonly classNames?: readonly string[];
}

/**
 * Images in one folder for each class (classes in the order of their names, as torchvision's ImageFolder numbers them),
 * or in one flat folder, unlabelled unless `labels` gives a label for each file in the order of names. Subfolders
 * `train` and `test` (or `val`, `validation`) are the splits. In its own order the classes take turns, so
 * that a limit sees them all. Files are decoded batch by batch; nothing is kept.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE, HALP_DATA_OPTION
 */
export async function openImageFolder(spec: DatasetSpec): Promise<Dataset> {
  const folder = await splitFolder(spec.path, spec.split ?? "test");
  const { files, labels, classNames } = await listImages(folder, spec);
  return await imageDataset(
    {
      name: `images in ${folder}`,
      size: files.length,
      nameOf: (index) => files[index] as string,
      read: async (index) => files[index] as string,
      ...(labels ? { labels } : {}),
      ...(classNames ? { classNames } : {}),
    },
    spec,
  );
}

async function splitFolder(path: string, split: "train" | "test"): Promise<string> {
  const names = new Set((await listFolder(path)).filter((e) => e.isDirectory()).map((e) => e.name));
  const found = splitFolders[split].find((name) => names.has(name));
  if (found) return join(path, found);
  const other = splitFolders[split === "train" ? "test" : "train"].find((name) => names.has(name));
  if (other && names.size <= 2) {
    throw missingError(
      path,
      `has a folder ${other} but none for the split "${split}" (${splitFolders[split].join(", ")}).`,
    );
  }
  return path;
}

async function listImages(folder: string, spec: DatasetSpec): Promise<ImageList> {
  const entries = await listFolder(folder);
  const flat = imagesOf(entries.filter((e) => e.isFile()).map((e) => e.name)).map((name) => join(folder, name));
  if (flat.length > 0) {
    if (!spec.labels) return { files: flat };
    const labels = await openLabels(spec.labels, spec);
    checkLabelCount(labels, flat.length, spec.labels);
    return { files: flat, labels };
  }
  const classes: { name: string; files: string[] }[] = [];
  const folders = byName(entries.filter((e) => e.isDirectory() && !e.name.startsWith(".")).map((e) => e.name));
  for (const name of folders) {
    const inside = await readdir(join(folder, name), { recursive: true });
    const files = imagesOf(inside).map((file) => join(folder, name, file));
    if (files.length === 0) throw missingError(join(folder, name), "a class folder without a PNG or JPEG image in it.");
    classes.push({ name, files });
  }
  if (classes.length === 0) throw missingError(folder, "holds no PNG or JPEG images, and no folders with some.");
  if (spec.classes !== undefined && classes.length > spec.classes) {
    throw labelError(folder, `has ${classes.length} class folders, the network tells ${spec.classes} classes apart.`);
  }
  return takeTurns(classes);
}

/** First image of each class, second of each class, and so on. */
function takeTurns(classes: readonly { readonly name: string; readonly files: readonly string[] }[]): ImageList {
  const files: string[] = [];
  const labels: number[] = [];
  const rounds = Math.max(...classes.map((c) => c.files.length));
  for (let round = 0; round < rounds; round++) {
    for (const [label, { files: own }] of classes.entries()) {
      const file = own[round];
      if (file === undefined) continue;
      files.push(file);
      labels.push(label);
    }
  }
  return { files, labels: Int32Array.from(labels), classNames: classes.map((c) => c.name) };
}

async function listFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (cause) {
    throw fileError(path, cause);
  }
}

/** By code unit, so that class numbers do not depend on the locale. */
function byName(names: string[]): string[] {
  return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function imagesOf(names: readonly string[]): string[] {
  return byName(names.filter((name) => imageExtensions.has(extname(name).toLowerCase())));
}
