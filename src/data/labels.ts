import { parseJson } from "../json.js";
import { formatError, labelError, shapeError } from "./errors.js";
import { looksLikeIdx, parseIdx } from "./idx.js";
import { parseNpy } from "./npy.js";
import { convertInto, type NumberArray } from "./numbers.js";
import { readBytes, textOf } from "./read-bytes.js";

/**
 * Every label is a whole number in [0, classes).
 * @param classes undefined: only negative labels and fractions are refused
 * @throws HalpError HALP_LABEL_RANGE naming the first offender
 */
export function checkLabels(labels: ArrayLike<number>, classes: number | undefined, file: string): Int32Array {
  const top = classes ?? 2 ** 31;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label! < 0 || label! >= top) {
      const range = classes === undefined ? "whole numbers from 0 on" : `whole numbers from 0 to ${classes - 1}`;
      throw labelError(file, `labels are ${range}; label ${i} is ${label}.`);
    }
  }
  return Int32Array.from(labels);
}

/** Labels out of an array of shape [N] or [N, 1]. */
export function labelsOfArray(array: NumberArray, classes: number | undefined, file: string): Int32Array {
  const { shape } = array;
  if (shape.length === 0 || shape.slice(1).some((d) => d !== 1)) {
    throw shapeError(
      file,
      `labels have the shape [N], one class index a sample; got [${shape.join(", ")}]${
        shape.length === 2 ? " (one-hot rows? give their argmax)" : ""
      }.`,
    );
  }
  const numbers = new Float64Array(shape[0]!);
  convertInto(array.bytes, array.type, array.littleEndian, numbers, 0);
  return checkLabels(numbers, classes, file);
}

/**
 * A file of labels: .npy, IDX (also gzipped), a JSON array, or text with a whole number a line.
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE
 */
export async function readLabels(path: string, classes: number | undefined): Promise<Int32Array> {
  const bytes = await readBytes(path);
  if (bytes[0] === 0x93) return labelsOfArray(parseNpy(bytes, path), classes, path);
  if (looksLikeIdx(bytes)) return labelsOfArray(parseIdx(bytes, path), classes, path);
  const text = textOf(bytes, path).trim();
  if (text.startsWith("[")) {
    let values: unknown;
    try {
      values = parseJson(text);
    } catch (cause) {
      throw formatError(path, `not a JSON array of labels (${(cause as Error).message}).`, cause);
    }
    return checkLabels(values as number[], classes, path);
  }
  const lines = text.split(/\s+/).filter((line) => line !== "");
  const bad = lines.find((line) => !/^-?\d+$/.test(line));
  if (bad !== undefined || lines.length === 0) {
    throw formatError(
      path,
      `labels are read from .npy, IDX, a JSON array or a text file with a whole number a line; ${
        bad === undefined ? "it is empty" : `got "${bad.slice(0, 40)}"`
      }.`,
    );
  }
  return checkLabels(lines.map(Number), classes, path);
}

/** @throws HalpError HALP_DATA_SHAPE where there is not one label for each sample */
export function checkLabelCount(labels: Int32Array | { readonly count: number }, samples: number, file: string): void {
  const count = labels instanceof Int32Array ? labels.length : labels.count;
  if (count === samples) return;
  throw shapeError(file, `there are ${count} labels for ${samples} samples; there must be one for each.`);
}
