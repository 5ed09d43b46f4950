/** Models as sessions take them: their bytes; or, where they are large, files that the runtime maps into memory. */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import type { Model } from "../graph/ir.js";
import { byteLengthOf } from "../graph/lazy-tensor.js";
import { encodeModel, packedModel, tensorsOf } from "../onnx/index.js";
import { collectGarbage } from "./garbage.js";

/** A model as one ONNX file in memory, or as a file with its weights beside it. */
export type ModelSource = Uint8Array | { readonly path: string };

/** Whether a model is too large for copies of its weights to be made without need. */
export function isLarge(model: Model | ModelSource): boolean {
  if (model instanceof Uint8Array) return false;
  return "path" in model || weightBytes(model) > defaultLimit;
}

/** Of all tensors that a model holds. */
export function weightBytes(model: Model): number {
  return tensorsOf(model).reduce((n, t) => n + byteLengthOf(t), 0);
}

export interface StoredModel extends Disposable {
  readonly source: ModelSource;
}

/** Weights of more bytes go to files: the runtime maps them, where of bytes it makes two copies on the way in. */
const defaultLimit = 2 ** 28;
/** Weights of more bytes lie in a file of their own then. */
const externalAbove = 2 ** 16;

/**
 * A model in a form that can be handed to a session, in this process or another, until it is disposed of. Large models are
 * written to a folder for temporary files (TMPDIR says where), their weights one by one: lazy weights never lie in memory
 * together.
 * @param limit bytes of weights above which files are used
 * @throws HalpError HALP_TEMPORARY_FILE where these cannot be written
 */
export function storeModel(model: Model | ModelSource, limit = defaultLimit): StoredModel {
  if (model instanceof Uint8Array || "path" in model) return { source: model, [Symbol.dispose]: () => {} };
  const size = weightBytes(model);
  if (size <= limit) return { source: encodeModel(model), [Symbol.dispose]: () => {} };
  let folder = "";
  const remove = () => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  };
  try {
    folder = mkdtempSync(join(tmpdir(), "halp-model-"));
    const path = join(folder, "model.onnx");
    const { pieces, segments } = packedModel(model, "weights.data", externalAbove);
    write(join(folder, "weights.data"), segments);
    // A session runs in a child now while this process waits: it would hold the weights that passed through it.
    collectGarbage();
    let offset = 0;
    write(
      path,
      pieces.map((read) => {
        const at = offset;
        offset += read.byteLength;
        return { offset: at, read: () => read };
      }),
    );
    return { source: { path }, [Symbol.dispose]: remove };
  } catch (cause) {
    remove();
    if (cause instanceof HalpError) throw cause;
    throw new HalpError(
      "HALP_TEMPORARY_FILE",
      `Cannot write ${Math.ceil(size / 2 ** 20)} MiB of temporary files to ${tmpdir()} (${cause instanceof Error ? cause.message : cause}). Make room there, or name another folder by TMPDIR.`,
      { cause, exitCode: 1 },
    );
  }
}

function write(path: string, segments: readonly { readonly offset: number; read(): Uint8Array }[]): void {
  const file = openSync(path, "w");
  try {
    for (const { offset, read } of segments) {
      const bytes = read();
      for (let at = 0; at < bytes.byteLength; )
        at += writeSync(file, bytes, at, Math.min(bytes.byteLength - at, 2 ** 30), offset + at);
    }
  } finally {
    closeSync(file);
  }
}
