import { readFile, stat } from "node:fs/promises";
import { HalpError } from "../errors.js";
import type { Model, Tensor } from "../graph/ir.js";
import { lazyTensor } from "../graph/lazy-tensor.js";
import { type DecodeOptions, decodeModel, decodeModelWith } from "./decode.js";
import { defaultLimits } from "./decode-context.js";
import { openLazily } from "./lazy-file.js";
import { mapTensors, tensorsOf } from "./map-tensors.js";
import { lazyExternal, readExternal } from "./read-external.js";
import { readSkeleton } from "./skeleton.js";

export interface ReadOptions extends Omit<DecodeOptions, "file"> {
  /**
   * Weights of a model that takes more than `modelBytes` (default 256 MiB, with its external data) stay in their files and are
   * read when they are asked for, those of more than `tensorBytes` (default 1 MiB). The files must not be written to
   * meanwhile; others may take their places.
   */
  readonly lazyAbove?: { readonly modelBytes: number; readonly tensorBytes: number };
}

const defaults = { modelBytes: 2 ** 28, tensorBytes: 2 ** 20 };

/**
 * Reads an ONNX file and the external data beside it. Weights are views on the bytes read; those of a large model stay where
 * they are until they are asked for.
 * @throws HalpError HALP_FILE_MISSING, HALP_FILE_UNREADABLE, HALP_ONNX_* (see `decodeModel`), HALP_EXTERNAL_DATA_*
 */
export async function readModel(path: string, options: ReadOptions = {}): Promise<Model> {
  const { lazyAbove = defaults, ...others } = options;
  const named = { ...others, file: path };
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  const { fileBytes } = { ...defaultLimits, ...options.limits };
  if (size > fileBytes)
    throw new HalpError(
      "HALP_ONNX_LIMIT",
      `The model takes ${size} bytes, more than the ${fileBytes} that are allowed; raise limits.fileBytes to read it.`,
      { file: path },
    );
  const large = size > lazyAbove.modelBytes ? readLarge(path, named, lazyAbove.tensorBytes) : undefined;
  if (large) return large;
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const [code, what] =
      cause.code === "ENOENT" || cause.code === "ENOTDIR"
        ? ["HALP_FILE_MISSING", "There is no file"]
        : ["HALP_FILE_UNREADABLE", `Cannot read (${cause.code ?? cause.message})`];
    throw new HalpError(code, `${what} "${path}"; expected an ONNX model.`, { file: path, cause });
  });
  const model = decodeModel(bytes, named);
  const external = tensorsOf(model).filter((t) => t.storage === "external");
  if (external.length === 0) return model;
  const lazy = await lazyExternal(external, path, lazyAbove);
  if (lazy) return mapTensors(model, lazy);
  // Decoded once more, now that the bytes are there: cheap, and every object keeps the memory of its source.
  return decodeModelWith(bytes, named, await readExternal(external, path));
}

/** Undefined where the file has to be read as a whole. External data is none of its business: weights lie here or there. */
function readLarge(path: string, named: DecodeOptions, above: number): Model | undefined {
  const file = openLazily(path);
  const skeleton = readSkeleton(file, above);
  if (!skeleton || skeleton.ranges.size === 0) return undefined;
  const model = decodeModel(skeleton.bytes, named);
  if (tensorsOf(model).some((t) => t.storage === "external")) return undefined;
  const initializers = model.graph.initializers.map((tensor, i): Tensor => {
    const range = skeleton.ranges.get(i);
    if (!range) return tensor;
    const { bytes: _, ...fields } = tensor;
    return lazyTensor(fields, range.length, () => file.read(range.offset, range.length));
  });
  return { ...model, graph: { ...model.graph, initializers } };
}
