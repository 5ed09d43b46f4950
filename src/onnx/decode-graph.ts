import { HalpError } from "../errors.js";
import type { Attribute, Graph, Node, Tensor, ValueInfo } from "../graph/ir.js";
import { type DecodeContext, formatError, type Mutable, remembered } from "./decode-context.js";
import { decodeTensor } from "./decode-tensor.js";
import { ATTRIBUTE, type AttributeKind, attributeTypes, GRAPH, NODE, VALUE_INFO } from "./schema.js";
import { decodeText } from "./text.js";
import { decodeType } from "./value-type.js";
import { concat, packed, readMessage, readScalars } from "./wire.js";

/** @param depth 1 for the model's own graph, 2 for the bodies of its nodes, and so on */
export function decodeGraph(bytes: Uint8Array, context: DecodeContext, depth: number): Graph {
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
    const type: Uint8Array[] = [];
    const extra = readMessage(bytes, (tag, r) => {
      if (tag === VALUE_INFO.name) value.name = decodeText(r.bytes());
      else if (tag === VALUE_INFO.type) type.push(r.bytes());
      else if (tag === VALUE_INFO.docString) value.docString = decodeText(r.bytes());
      else return false;
      return true;
    });
    if (extra) value.extra = extra;
    return type.length > 0 ? { ...value, ...decodeType(concat(type)) } : value;
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
  const tensor: Uint8Array[] = [];
  const graph: Uint8Array[] = [];
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
        tensor.push(r.bytes());
        return true;
      case ATTRIBUTE.g:
        found.add("graph");
        graph.push(r.bytes());
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
            if (tensor.length > 0) return { kind, value: decodeTensor(concat(tensor), context), ...withMeta };
            break;
          case "graph":
            if (graph.length > 0) return { kind, value: decodeGraph(concat(graph), context, depth + 1), ...withMeta };
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
