/** Labels that are numbers of any shape (boxes, masks, values to be regressed to): for losses of the user's own. */
import { parseJson } from "../json.js";
import { type ArrayStore, memoryStore, npyStore } from "./array-store.js";
import type { DatasetSpec } from "./dataset.js";
import { formatError, shapeError } from "./errors.js";
import { looksLikeIdx, parseIdx } from "./idx.js";
import { labelsOfArray, readLabels } from "./labels.js";
import { parseNpy } from "./npy.js";
import { convertInto, type NumberArray, numberBytes } from "./numbers.js";
import { readBytes, textOf } from "./read-bytes.js";

export interface LabelArray {
  /** Of one sample; [] for one number. */
  readonly dims: readonly number[];
  /** Samples that have labels. */
  readonly count: number;
  /** Called once for each pass over the data; what it opens, `close` closes. */
  open(): Promise<LabelReader>;
}

export interface LabelReader {
  /** Writes what labels sample `index` from `offset` on. */
  readInto(index: number, out: Float32Array, offset: number): Promise<void> | void;
  close?(): Promise<void>;
}

/** One class for each sample, or numbers of any shape. */
export type Labels = Int32Array | LabelArray;

/**
 * A file of labels, as the spec wants them: classes from what {@link readLabels} reads; numbers from .npy (read row by row),
 * IDX or JSON (nested arrays).
 * @throws HalpError HALP_DATA_MISSING, HALP_DATA_FORMAT, HALP_DATA_SHAPE, HALP_LABEL_RANGE
 */
export async function openLabels(path: string, { labelsAs, classes }: DatasetSpec): Promise<Labels> {
  if (labelsAs !== "numbers") return readLabels(path, classes);
  if (path.endsWith(".npy")) return labelArray(await npyStore(path), path);
  const bytes = await readBytes(path);
  if (bytes[0] === 0x93) return labelArray(memoryStore(parseNpy(bytes, path)), path);
  if (looksLikeIdx(bytes)) return labelArray(memoryStore(parseIdx(bytes, path)), path);
  return labelArray(memoryStore(parseNested(bytes, path)), path);
}

/** Labels of an array in memory, as the spec wants them. @throws HalpError HALP_DATA_SHAPE, HALP_LABEL_RANGE */
export function labelsFrom(array: NumberArray, { labelsAs, classes }: DatasetSpec, file: string): Labels {
  return labelsAs === "numbers" ? labelArray(memoryStore(array), file) : labelsOfArray(array, classes, file);
}

function labelArray({ shape, type, littleEndian, open }: ArrayStore, file: string): LabelArray {
  const [count, ...dims] = shape;
  if (count === undefined) throw shapeError(file, "labels lie along the first axis of an array; this is one number.");
  const bytesEach = dims.reduce((a, b) => a * b, 1) * numberBytes(type);
  return {
    dims,
    count,
    open: async () => {
      const reader = await open();
      return {
        readInto: (index, out, offset) => {
          const bytes = reader.read(index * bytesEach, bytesEach);
          if (bytes instanceof Uint8Array) convertInto(bytes, type, littleEndian, out, offset);
          else return bytes.then((b) => convertInto(b, type, littleEndian, out, offset));
        },
        ...(reader.close ? { close: reader.close } : {}),
      };
    },
  };
}

/** Numbers in arrays within arrays, all of one length at each depth. */
function parseNested(bytes: Uint8Array, file: string): NumberArray {
  let value: unknown;
  try {
    value = parseJson(textOf(bytes, file));
  } catch (cause) {
    throw formatError(
      file,
      `labels of any shape are read from .npy, IDX or JSON (${(cause as Error).message}).`,
      cause,
    );
  }
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const numbers: number[] = [];
  const visit = (v: unknown, depth: number): void => {
    if (Array.isArray(v) && depth < shape.length && v.length === shape[depth]) {
      for (const each of v) visit(each, depth + 1);
    } else if (typeof v === "number" && depth === shape.length) numbers.push(v);
    else throw shapeError(file, `labels are arrays of numbers, all of the shape [${shape.join(", ")}].`);
  };
  visit(value, 0);
  const data = Float32Array.from(numbers);
  return { type: "float32", littleEndian: isLittleEndian(), shape, bytes: new Uint8Array(data.buffer) };
}

const isLittleEndian = () => new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
