import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { HalpError } from "../errors.js";
import type { Attribute, Graph, Model, Node, OpsetImport, StringEntry, Tensor, ValueInfo } from "../graph/ir.js";
import { type DecodeContext, type DecodeLimits, formatError, remembered } from "./decode-context.js";
import { decodeEntry, decodeTensor } from "./decode-tensor.js";
import { ATTRIBUTE, type AttributeKind, attributeTypes, GRAPH, MODEL, NODE, OPSET, VALUE_INFO } from "./schema.js";
import { decodeText } from "./text.js";
import { decodeType } from "./value-type.js";
import { concat, MalformedMessage, packed, readMessage, readScalars } from "./wire.js";

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
  const limits = { graphDepth: 32, objects: 10_000_000, ...options.limits };
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

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function version(reader: BinaryReader, of: string, context: DecodeContext): number {
  const n = Number(reader.int64());
  if (n < 0 || n > 10_000) throw formatError(context, `No ONNX model has ${of} version ${n}.`);
  return n;
}

/** A single message given in pieces means all the pieces' fields. */
const joined = (a: Uint8Array | undefined, b: Uint8Array): Uint8Array => (a ? concat([a, b]) : b);

function decodeModelMessage(bytes: Uint8Array, context: DecodeContext, seen: { irVersion: boolean }): Model {
  return remembered(bytes, context, () => {
    const opsets: OpsetImport[] = [];
    const metadata: StringEntry[] = [];
    const model: Mutable<Omit<Model, "graph">> = { irVersion: 0, opsets, metadata };
    let graph: Uint8Array | undefined;
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
          graph = joined(graph, r.bytes());
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
    if (!graph) {
      const kind = seen.irVersion
        ? "The ONNX model holds no graph; it may be cut off."
        : "This is not an ONNX model: it holds no graph.";
      throw formatError(context, kind);
    }
    if (opsets.length === 0 && model.irVersion >= 3)
      throw formatError(context, "The ONNX model names no operator set (opset_import); it may be cut off.");
    if (extra) model.extra = extra;
    return { ...model, graph: decodeGraph(graph, context, 1) };
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

function decodeGraph(bytes: Uint8Array, context: DecodeContext, depth: number): Graph {
  if (depth > context.limits.graphDepth)
    throw new HalpError(
      "HALP_ONNX_DEPTH",
      `The model nests graphs more than ${context.limits.graphDepth} deep; raise limits.graphDepth to read it.`,
      context.file === undefined ? {} : { file: context.file },
    );
  return remembered(bytes, context, () => {
    const nodes: Node[] = [];
    const inputs: ValueInfo[] = [];
    const outputs: ValueInfo[] = [];
    const valueInfos: ValueInfo[] = [];
    const initializers: Tensor[] = [];
    const graph: Mutable<Graph> = { name: "", nodes, inputs, outputs, valueInfos, initializers };
    const extra = readMessage(bytes, (tag, r) => {
      switch (tag) {
        case GRAPH.node:
          nodes.push(decodeNode(r.bytes(), context, depth));
          return true;
        case GRAPH.name:
          graph.name = decodeText(r.bytes());
          return true;
        case GRAPH.initializer:
          initializers.push(decodeTensor(r.bytes(), context));
          return true;
        case GRAPH.docString:
          graph.docString = decodeText(r.bytes());
          return true;
        case GRAPH.input:
          inputs.push(decodeValueInfo(r.bytes(), context));
          return true;
        case GRAPH.output:
          outputs.push(decodeValueInfo(r.bytes(), context));
          return true;
        case GRAPH.valueInfo:
          valueInfos.push(decodeValueInfo(r.bytes(), context));
          return true;
        default:
          return false;
      }
    });
    if (extra) graph.extra = extra;
    return graph;
  });
}

function decodeNode(bytes: Uint8Array, context: DecodeContext, depth: number): Node {
  return remembered(bytes, context, () => {
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes = new Map<string, Attribute>();
    const node: Mutable<Node> = { name: "", opType: "", domain: "", inputs, outputs, attributes };
    const extra = readMessage(bytes, (tag, r) => {
      switch (tag) {
        case NODE.input:
          inputs.push(decodeText(r.bytes()));
          return true;
        case NODE.output:
          outputs.push(decodeText(r.bytes()));
          return true;
        case NODE.name:
          node.name = decodeText(r.bytes());
          return true;
        case NODE.opType:
          node.opType = decodeText(r.bytes());
          return true;
        case NODE.attribute: {
          const [name, attribute] = decodeAttribute(r.bytes(), context, depth);
          if (attributes.has(name)) throw formatError(context, `Node "${node.name}" gives attribute "${name}" twice.`);
          attributes.set(name, attribute);
          return true;
        }
        case NODE.docString:
          node.docString = decodeText(r.bytes());
          return true;
        case NODE.domain:
          node.domain = decodeText(r.bytes());
          return true;
        default:
          return false;
      }
    });
    if (extra) node.extra = extra;
    return node;
  });
}

function decodeValueInfo(bytes: Uint8Array, context: DecodeContext): ValueInfo {
  return remembered(bytes, context, () => {
    const value: Mutable<ValueInfo> = { name: "" };
    let type: Uint8Array | undefined;
    const extra = readMessage(bytes, (tag, r) => {
      if (tag === VALUE_INFO.name) value.name = decodeText(r.bytes());
      else if (tag === VALUE_INFO.type) type = joined(type, r.bytes());
      else if (tag === VALUE_INFO.docString) value.docString = decodeText(r.bytes());
      else return false;
      return true;
    });
    if (extra) value.extra = extra;
    return type ? { ...value, ...decodeType(type) } : value;
  });
}

const kindOfType = new Map(
  Object.entries(attributeTypes).map(([kind, type]) => [type as number, kind as AttributeKind]),
);

/** An attribute that holds one value of one kind; whatever else is said in it stays opaque. */
function decodeAttribute(bytes: Uint8Array, context: DecodeContext, depth: number): [name: string, Attribute] {
  let name = "";
  let docString: string | undefined;
  let type: number | undefined;
  let other = false;
  let float = 0;
  let int = 0n;
  let string: Uint8Array = new Uint8Array(0);
  let tensor: Uint8Array | undefined;
  let graph: Uint8Array | undefined;
  const floats: number[] = [];
  const ints: bigint[] = [];
  const strings: Uint8Array[] = [];
  const graphs: Uint8Array[] = [];
  const found = new Set<AttributeKind>();
  const extra = readMessage(bytes, (tag, r) => {
    switch (tag) {
      case ATTRIBUTE.name:
        name = decodeText(r.bytes());
        return true;
      case ATTRIBUTE.docString:
        docString = decodeText(r.bytes());
        return true;
      case ATTRIBUTE.type:
        type = r.int32();
        return true;
      case ATTRIBUTE.f:
        found.add("float");
        float = r.float();
        return true;
      case ATTRIBUTE.i:
        found.add("int");
        int = BigInt(r.int64());
        return true;
      case ATTRIBUTE.s:
        found.add("string");
        string = r.bytes();
        return true;
      case ATTRIBUTE.t:
        found.add("tensor");
        tensor = joined(tensor, r.bytes());
        return true;
      case ATTRIBUTE.g:
        found.add("graph");
        graph = joined(graph, r.bytes());
        return true;
      case ATTRIBUTE.floats:
      case packed(ATTRIBUTE.floats):
        found.add("floats");
        return readScalars(tag, r, (reader) => reader.float(), floats);
      case ATTRIBUTE.ints:
      case packed(ATTRIBUTE.ints):
        found.add("ints");
        return readScalars(tag, r, (reader) => BigInt(reader.int64()), ints);
      case ATTRIBUTE.strings:
        found.add("strings");
        strings.push(r.bytes());
        return true;
      case ATTRIBUTE.graphs:
        found.add("graphs");
        graphs.push(r.bytes());
        return true;
      case ATTRIBUTE.refAttrName:
      case ATTRIBUTE.tensors:
      case ATTRIBUTE.typeProto:
      case ATTRIBUTE.typeProtos:
      case ATTRIBUTE.sparseTensor:
      case ATTRIBUTE.sparseTensors:
        other = true;
        return false;
      default:
        return false;
    }
  });
  const meta = {
    ...(docString === undefined ? {} : { docString }),
    ...(extra ? { extra } : {}),
  };
  const withMeta = Object.keys(meta).length > 0 ? { meta } : {};
  // Files of IR version 1 may lack the type; a missing value is the default one.
  const [only] = found;
  const kind = type === undefined ? only : kindOfType.get(type);
  const clear = !other && (found.size === 0 || (found.size === 1 && only === kind));

  const attribute = remembered<Attribute>(
    bytes,
    context,
    () => {
      if (clear)
        switch (kind) {
          case "float":
            return { kind, value: float, ...withMeta };
          case "int":
            return { kind, value: int, ...withMeta };
          case "string":
            return { kind, value: string, ...withMeta };
          case "floats":
            return { kind, value: floats, ...withMeta };
          case "ints":
            return { kind, value: ints, ...withMeta };
          case "strings":
            return { kind, value: strings, ...withMeta };
          case "tensor":
            if (tensor) return { kind, value: decodeTensor(tensor, context), ...withMeta };
            break;
          case "graph":
            if (graph) return { kind, value: decodeGraph(graph, context, depth + 1), ...withMeta };
            break;
          case "graphs":
            return { kind, value: graphs.map((g) => decodeGraph(g, context, depth + 1)), ...withMeta };
          default:
        }
      return { kind: "opaque", value: bytes };
    },
    name,
  );
  return [name, attribute];
}
