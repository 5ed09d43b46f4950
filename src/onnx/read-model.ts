import { readFile } from "node:fs/promises";
import { HalpError } from "../errors.js";
import type { Model } from "../graph/ir.js";
import { type DecodeOptions, decodeModel, decodeModelWith } from "./decode.js";
import { tensorsOf } from "./map-tensors.js";
import { readExternal } from "./read-external.js";

/**
 * Reads an ONNX file and the external data beside it. Weights are views on the bytes read.
 * @throws HalpError HALP_FILE_MISSING, HALP_FILE_UNREADABLE, HALP_ONNX_* (see `decodeModel`), HALP_EXTERNAL_DATA_*
 */
export async function readModel(path: string, options: Omit<DecodeOptions, "file"> = {}): Promise<Model> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    const [code, what] =
      cause.code === "ENOENT" || cause.code === "ENOTDIR"
        ? ["HALP_FILE_MISSING", "There is no file"]
        : ["HALP_FILE_UNREADABLE", `Cannot read (${cause.code ?? cause.message})`];
    throw new HalpError(code, `${what} "${path}"; expected an ONNX model.`, { file: path, cause });
  });
  const named = { ...options, file: path };
  const model = decodeModel(bytes, named);
  const external = tensorsOf(model).filter((t) => t.storage === "external");
  if (external.length === 0) return model;
  // Decoded once more, now that the bytes are there: cheap, and every object keeps the memory of its source.
  return decodeModelWith(bytes, named, await readExternal(external, path));
}
