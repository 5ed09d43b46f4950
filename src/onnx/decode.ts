import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { HalpError } from "../errors.js";
import type { Model, OpsetImport, StringEntry, Tensor } from "../graph/ir.js";
import {
  type DecodeContext,
  type DecodeLimits,
  defaultLimits,
  formatError,
  type Mutable,
  remembered,
} from "./decode-context.js";
import { decodeGraph } from "./decode-graph.js";
import { decodeEntry } from "./entry.js";
import { MODEL, OPSET } from "./schema.js";
import { decodeText } from "./text.js";
import { concat, MalformedMessage, readMessage } from "./wire.js";

export interface DecodeOptions {
  /** Name of the file, for messages. */
  readonly file?: string;
  readonly limits?: DecodeLimits;
}

/**
 * Reads an ONNX model. Raw weights, and typed ones that lie packed in the file, are views on `bytes`: keep it unchanged
 * while the model lives. Tensors with external data have no bytes yet; `readModel` finds them.
 * @throws HalpError HALP_ONNX_FORMAT (no ONNX model, or a broken one), HALP_ONNX_TRUNCATED, HALP_ONNX_DEPTH, HALP_ONNX_LIMIT
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  return decodeModelWith(bytes, options);
}

export function decodeModelWith(
  source: Uint8Array,
  options: DecodeOptions,
  resolveExternal?: (tensor: Tensor) => Uint8Array,
): Model {
  // A plain view: `slice` of a Buffer would not copy.
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const { file } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const context: DecodeContext = { file, limits, resolveExternal, copies: [], objects: 0 };
  if (bytes.byteLength === 0) throw formatError(context, "The file is empty; expected an ONNX model.");
  const seen = { irVersion: false };
  try {
    return decodeModelMessage(bytes, context, seen);
  } catch (e) {
    if (!(e instanceof MalformedMessage)) throw e;
    const at = e.within.byteOffset - bytes.byteOffset + e.position;
    if (seen.irVersion && e.pastEnd && e.within === bytes)
      throw new HalpError(
        "HALP_ONNX_TRUNCATED",
        `The ONNX model ends after ${bytes.byteLength} bytes, in the middle of a field: the file is cut off. Copy or download it again.`,
        { ...(file === undefined ? {} : { file }), cause: e },
      );
    const what = seen.irVersion ? "The ONNX model is broken" : "This is not an ONNX model";
    throw formatError(context, `${what}: no readable protobuf field at byte ${at} (${e.message}).`);
  }
}

function version(reader: BinaryReader, of: string, context: DecodeContext): number {
  const n = Number(reader.int64());
  if (n < 0 || n > 10_000) throw formatError(context, `No ONNX model has ${of} version ${n}.`);
  return n;
}

function decodeModelMessage(bytes: Uint8Array, context: DecodeContext, seen: { irVersion: boolean }): Model {
  return remembered(bytes, context, () => {
    const opsets: OpsetImport[] = [];
    const metadata: StringEntry[] = [];
    const model: Mutable<Omit<Model, "graph">> = { irVersion: 0, opsets, metadata };
    const graph: Uint8Array[] = [];
    const extra = readMessage(bytes, (tag, r) => {
      switch (tag) {
        case MODEL.irVersion:
          model.irVersion = version(r, "format", context);
          seen.irVersion = model.irVersion > 0;
          return true;
        case MODEL.producerName:
          model.producerName = decodeText(r.bytes());
          return true;
        case MODEL.producerVersion:
          model.producerVersion = decodeText(r.bytes());
          return true;
        case MODEL.domain:
          model.domain = decodeText(r.bytes());
          return true;
        case MODEL.modelVersion:
          model.modelVersion = BigInt(r.int64());
          return true;
        case MODEL.docString:
          model.docString = decodeText(r.bytes());
          return true;
        case MODEL.graph:
          graph.push(r.bytes());
          return true;
        case MODEL.opsetImport:
          opsets.push(decodeOpset(r.bytes(), context));
          return true;
        case MODEL.metadataProps:
          metadata.push(decodeEntry(r.bytes()));
          return true;
        default:
          return false;
      }
    });
    if (graph.length === 0) {
      const kind = seen.irVersion
        ? "The ONNX model holds no graph; it may be cut off."
        : "This is not an ONNX model: it holds no graph.";
      throw formatError(context, kind);
    }
    if (opsets.length === 0 && model.irVersion >= 3)
      throw formatError(context, "The ONNX model names no operator set (opset_import); it may be cut off.");
    if (extra) model.extra = extra;
    return { ...model, graph: decodeGraph(concat(graph), context, 1) };
  });
}

function decodeOpset(bytes: Uint8Array, context: DecodeContext): OpsetImport {
  return remembered(bytes, context, () => {
    const opset: Mutable<OpsetImport> = { domain: "", version: 0 };
    const extra = readMessage(bytes, (tag, r) => {
      if (tag === OPSET.domain) opset.domain = decodeText(r.bytes());
      else if (tag === OPSET.version) opset.version = version(r, "operator set", context);
      else return false;
      return true;
    });
    if (extra) opset.extra = extra;
    return opset;
  });
}
