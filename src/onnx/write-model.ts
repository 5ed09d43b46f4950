import { basename, dirname, join } from "node:path";
import type { Model } from "../graph/ir.js";
import { byteLengthOf } from "../graph/lazy-tensor.js";
import { encodeModelPieces, MAX_MODEL_BYTES } from "./encode.js";
import { tensorsOf } from "./map-tensors.js";
import { inlineExternalData, keepExternalData, packExternalData } from "./write-external.js";
import { type Segment, writeFiles } from "./write-files.js";

export interface WriteOptions {
  /**
   * Where weights go. Left out: where they came from, and to a file of their own where the model would take more than
   * 2 GiB. `false`: all into the model file. `true` or a threshold in bytes (default 1024): initialisers of that size and
   * above into `<model file>.data` beside it.
   */
  readonly externalData?: boolean | { readonly threshold?: number };
}

/** Size from which on weights go to a file of their own, in bytes. */
const DEFAULT_THRESHOLD = 1024;

/**
 * Writes a model, whole or not at all.
 * @throws HalpError HALP_OUTPUT_UNWRITABLE, HALP_ONNX_TOO_LARGE, HALP_EXTERNAL_DATA_MISSING (external data never read)
 */
export async function writeModel(model: Model, path: string, options: WriteOptions = {}): Promise<void> {
  const { externalData } = options;
  const threshold = (typeof externalData === "object" ? externalData.threshold : undefined) ?? DEFAULT_THRESHOLD;
  const packed = () => packExternalData(model, `${basename(path)}.data`, threshold);

  let plan: { model: Model; files: ReadonlyMap<string, readonly Segment[]> };
  if (externalData === false) plan = { model: inlineExternalData(model), files: new Map() };
  else if (externalData) plan = packed();
  else {
    plan = (await keepExternalData(model, dirname(path))) ?? packed();
    const inline = tensorsOf(plan.model).reduce((n, t) => n + (t.storage === "external" ? 0 : byteLengthOf(t)), 0);
    if (inline > MAX_MODEL_BYTES) plan = packed();
  }
  const segments: Segment[] = [];
  let offset = 0;
  for (const bytes of encodeModelPieces(plan.model)) {
    segments.push({ offset, bytes });
    offset += bytes.byteLength;
  }
  const external = [...plan.files].map(([location, s]) => ({ path: join(dirname(path), location), segments: s }));
  await writeFiles([...external, { path, segments }]);
}
