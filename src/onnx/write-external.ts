/** Where the elements of external tensors go when a model is written. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import type { Model, Tensor } from "../graph/ir.js";
import { byteLengthOf, deriveTensor, isLazy } from "../graph/lazy-tensor.js";
import { elementsLater, encodeModelPieces, inlined } from "./encode.js";
import { mapTensors, tensorsOf } from "./map-tensors.js";
import { externalRange, staysInside } from "./read-external.js";
import { expectedBytes } from "./tensor-size.js";
import { bytesOf, type Piece } from "./wire.js";
import type { Segment } from "./write-files.js";

/** A model and the files it refers to, by location relative to the model's folder. */
export interface ExternalPlan {
  readonly model: Model;
  readonly files: ReadonlyMap<string, readonly Segment[]>;
}

/** Padding between tensors that is still called padding. */
const MAX_PADDING = 65536;

/**
 * Every external tensor at the place in the file that it came from. Undefined where that would leave large holes (weights
 * were cut since), write outside the folder, or overwrite a file of that name with other contents.
 */
export async function keepExternalData(model: Model, folder: string): Promise<ExternalPlan | undefined> {
  const files = new Map<string, Segment[]>();
  for (const t of tensorsOf(model)) {
    if (t.storage !== "external") continue;
    requireRead(t);
    const { location, offset, length } = externalRange(t);
    if (!staysInside(location) || (length ?? byteLengthOf(t)) !== byteLengthOf(t)) return undefined;
    const segments = files.get(location) ?? [];
    segments.push({ offset, bytes: elements(t) });
    files.set(location, segments);
  }
  const missing = new Map<string, readonly Segment[]>();
  for (const [location, segments] of files) {
    if (hasHoles(segments)) return undefined;
    const there = await compareFile(join(folder, location), segments);
    if (there === "other") return undefined;
    if (there === "none") missing.set(location, segments);
  }
  return { model, files: missing };
}

const elements = (t: Tensor): Piece => (isLazy(t) ? elementsLater(t) : t.bytes);
const locationOf = (t: Tensor): string => t.external?.entries.find((e) => e.key === "location")?.value ?? "";

function hasHoles(segments: readonly Segment[]): boolean {
  let end = 0;
  for (const s of segments.toSorted((a, b) => a.offset - b.offset)) {
    if (s.offset - end > MAX_PADDING) return true;
    end = Math.max(end, s.offset + s.bytes.byteLength);
  }
  return false;
}

/** Whether a file of that name is there, and holds these very bytes at these places. */
async function compareFile(path: string, segments: readonly Segment[]): Promise<"none" | "same" | "other"> {
  const handle = await open(path, "r").catch((e: NodeJS.ErrnoException) => {
    if (e.code === "ENOENT") return undefined;
    throw new HalpError("HALP_OUTPUT_UNWRITABLE", `Cannot read "${path}", which the model's weights would go to.`, {
      file: path,
      cause: e,
    });
  });
  if (!handle) return "none";
  try {
    const buffer = new Uint8Array(2 ** 20);
    for (const { offset, bytes: piece } of segments) {
      const bytes = bytesOf(piece);
      for (let at = 0; at < bytes.byteLength; ) {
        const { bytesRead } = await handle.read(
          buffer,
          0,
          Math.min(buffer.byteLength, bytes.byteLength - at),
          offset + at,
        );
        const same =
          bytesRead > 0 && Buffer.compare(buffer.subarray(0, bytesRead), bytes.subarray(at, at + bytesRead)) === 0;
        if (!same) return "other";
        at += bytesRead;
      }
    }
    return "same";
  } finally {
    await handle.close();
  }
}

/** Large initialisers one after the other in one new file, and with them whatever was external before. */
export function packExternalData(model: Model, location: string, threshold: number): ExternalPlan {
  const segments: Segment[] = [];
  let end = 0;
  const packed = mapTensors(model, (t, place) => {
    if (t.storage === "external") requireRead(t);
    else if (t.strings || place === "attribute" || byteLengthOf(t) < threshold) return t;
    // Pages for what a runtime may map, cache lines for the rest.
    const alignment = byteLengthOf(t) >= 2 ** 20 ? 4096 : 64;
    const offset = Math.ceil(end / alignment) * alignment;
    segments.push({ offset, bytes: elements(t) });
    end = offset + byteLengthOf(t);
    const entries = Object.entries({ location, offset: `${offset}`, length: `${byteLengthOf(t)}` });
    return deriveTensor(t, {
      storage: "external",
      external: { entries: entries.map(([key, value]) => ({ key, value })) },
    });
  });
  return { model: packed, files: new Map(segments.length === 0 ? [] : [[location, segments]]) };
}

/**
 * A model whose large weights lie in one file beside it: what to write, piece by piece.
 * @param location name of the weights' file
 * @param threshold weights of fewer bytes stay in the model
 */
export function packedModel(
  model: Model,
  location: string,
  threshold: number,
): {
  readonly pieces: readonly Uint8Array[];
  readonly segments: readonly { readonly offset: number; read(): Uint8Array }[];
} {
  const { model: packed, files } = packExternalData(model, location, threshold);
  return {
    pieces: encodeModelPieces(packed).map(bytesOf),
    segments: (files.get(location) ?? []).map(({ offset, bytes }) => ({ offset, read: () => bytesOf(bytes) })),
  };
}

/** The model with all weights in itself. */
export function inlineExternalData(model: Model): Model {
  return mapTensors(model, (t) => {
    if (t.storage !== "external") return t;
    requireRead(t);
    return inlined(t);
  });
}

function requireRead(tensor: Tensor): void {
  if (byteLengthOf(tensor) > 0 || expectedBytes(tensor) === 0) return;
  throw new HalpError(
    "HALP_EXTERNAL_DATA_MISSING",
    `The elements of tensor "${tensor.name}" lie in "${locationOf(tensor)}" and were not read; read the model with readModel.`,
    { name: tensor.name },
  );
}
