import { HalpError } from "../errors.js";
import type { Attribute, Graph, Model, Node, OpsetImport, Tensor, ValueInfo } from "../graph/ir.js";
import { byteLengthOf, deriveTensor, isLazy } from "../graph/lazy-tensor.js";
import { encodeEntry } from "./entry.js";
import { mapTensors } from "./map-tensors.js";
import { ATTRIBUTE, attributeTypes, GRAPH, MODEL, NODE, OPSET, TENSOR, typedField, VALUE_INFO } from "./schema.js";
import { sourceOf } from "./sources.js";
import { decodeText } from "./text.js";
import { encodeType } from "./value-type.js";
import { concat, type LazyBytes, MessageWriter, type Piece, packed, readMessage } from "./wire.js";

/** Protobuf's own limit on a message. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/**
 * Writes a model. Parts that are the very objects that were read come out as their source bytes, others in the canonical
 * order. External weights that were read (`readModel`) are taken in, so that the bytes stand alone; those that were not
 * (`decodeModel`) stay references.
 * @throws HalpError HALP_ONNX_TOO_LARGE above 2 GiB: then weights must go to external data, as `writeModel` does.
 */
export function encodeModel(model: Model): Uint8Array {
  return concat(encodeModelPieces(inlineReadData(model)));
}

/** External weights become raw ones where their bytes are at hand. */
function inlineReadData(model: Model): Model {
  return mapTensors(model, (t) => (t.storage === "external" && byteLengthOf(t) > 0 ? inlined(t) : t));
}

/** The tensor with its elements in the model. */
export function inlined(tensor: Tensor): Tensor {
  return deriveTensor(tensor, { storage: "raw", external: undefined });
}

/** The model in pieces, weights as views: to be written one after the other. External tensors stay references. */
export function encodeModelPieces(model: Model): readonly Piece[] {
  const pieces = encodeModelMessage(model);
  const size = pieces.reduce((n, p) => n + p.byteLength, 0);
  if (size > MAX_MODEL_BYTES)
    throw new HalpError(
      "HALP_ONNX_TOO_LARGE",
      `The model takes ${size} bytes, more than the ${MAX_MODEL_BYTES} that protobuf allows; write it with external data.`,
    );
  return pieces;
}

type Pieces = readonly Piece[];

/** The source, while it still holds; else what `encode` makes. */
function orSource<T extends object>(encode: (value: T) => Pieces): (value: T) => Pieces {
  return (value) => {
    const source = sourceOf(value);
    return source ? [source] : encode(value);
  };
}

const encodeModelMessage = orSource((model: Model) => {
  const w = new MessageWriter(model.extra);
  w.int(MODEL.irVersion, model.irVersion);
  if (model.producerName !== undefined) w.string(MODEL.producerName, model.producerName);
  if (model.producerVersion !== undefined) w.string(MODEL.producerVersion, model.producerVersion);
  if (model.domain !== undefined) w.string(MODEL.domain, model.domain);
  if (model.modelVersion !== undefined) w.int(MODEL.modelVersion, model.modelVersion);
  if (model.docString !== undefined) w.string(MODEL.docString, model.docString);
  w.message(MODEL.graph, encodeGraph(model.graph));
  for (const o of model.opsets) w.message(MODEL.opsetImport, encodeOpset(o));
  for (const e of model.metadata) w.message(MODEL.metadataProps, encodeEntry(e));
  return w.finish();
});

const encodeOpset = orSource((opset: OpsetImport) => {
  const w = new MessageWriter(opset.extra);
  w.string(OPSET.domain, opset.domain);
  w.int(OPSET.version, opset.version);
  return w.finish();
});

const encodeGraph = orSource((graph: Graph) => {
  const w = new MessageWriter(graph.extra);
  for (const n of graph.nodes) w.message(GRAPH.node, encodeNode(n));
  w.string(GRAPH.name, graph.name);
  for (const t of graph.initializers) w.message(GRAPH.initializer, encodeTensor(t));
  if (graph.docString !== undefined) w.string(GRAPH.docString, graph.docString);
  for (const v of graph.inputs) w.message(GRAPH.input, encodeValueInfo(v));
  for (const v of graph.outputs) w.message(GRAPH.output, encodeValueInfo(v));
  for (const v of graph.valueInfos) w.message(GRAPH.valueInfo, encodeValueInfo(v));
  return w.finish();
});

const encodeNode = orSource((node: Node) => {
  const w = new MessageWriter(node.extra);
  for (const name of node.inputs) w.string(NODE.input, name);
  for (const name of node.outputs) w.string(NODE.output, name);
  if (node.name !== "") w.string(NODE.name, node.name);
  w.string(NODE.opType, node.opType);
  for (const [name, a] of node.attributes) w.message(NODE.attribute, encodeAttribute(name, a));
  if (node.docString !== undefined) w.string(NODE.docString, node.docString);
  if (node.domain !== "") w.string(NODE.domain, node.domain);
  return w.finish();
});

function encodeAttribute(name: string, a: Attribute): Pieces {
  const source = sourceOf(a, name);
  if (source) return [source];
  if (a.kind === "opaque") return withName(a.value, name);
  const w = new MessageWriter(a.meta?.extra);
  w.string(ATTRIBUTE.name, name);
  switch (a.kind) {
    case "float":
      w.float(ATTRIBUTE.f, a.value);
      break;
    case "int":
      w.int(ATTRIBUTE.i, a.value);
      break;
    case "string":
      w.bytes(ATTRIBUTE.s, a.value);
      break;
    case "tensor":
      w.message(ATTRIBUTE.t, encodeTensor(a.value));
      break;
    case "graph":
      w.message(ATTRIBUTE.g, encodeGraph(a.value));
      break;
    case "floats":
      for (const v of a.value) w.float(ATTRIBUTE.floats, v);
      break;
    case "ints":
      for (const v of a.value) w.int(ATTRIBUTE.ints, v);
      break;
    case "strings":
      for (const v of a.value) w.bytes(ATTRIBUTE.strings, v);
      break;
    case "graphs":
      for (const v of a.value) w.message(ATTRIBUTE.graphs, encodeGraph(v));
      break;
  }
  if (a.meta?.docString !== undefined) w.string(ATTRIBUTE.docString, a.meta.docString);
  w.int(ATTRIBUTE.type, attributeTypes[a.kind]);
  return w.finish();
}

/** An attribute known by its bytes alone, under another name if need be: of a field given twice the last counts. */
function withName(attribute: Uint8Array, name: string): Pieces {
  let given = "";
  readMessage(attribute, (tag, r) => {
    if (tag !== ATTRIBUTE.name) return false;
    given = decodeText(r.bytes());
    return true;
  });
  if (given === name) return [attribute];
  const renaming = new MessageWriter();
  renaming.string(ATTRIBUTE.name, name);
  return [attribute, ...renaming.finish()];
}

const encodeValueInfo = orSource((value: ValueInfo) => {
  const w = new MessageWriter(value.extra);
  w.string(VALUE_INFO.name, value.name);
  const type = encodeType(value);
  if (type) w.message(VALUE_INFO.type, type);
  if (value.docString !== undefined) w.string(VALUE_INFO.docString, value.docString);
  return w.finish();
});

const encodeTensor = orSource((tensor: Tensor) => {
  const w = new MessageWriter(tensor.extra);
  for (const d of tensor.dims) w.int(TENSOR.dims, d);
  w.int(TENSOR.dataType, tensor.dtypeCode);
  const typed = tensor.storage === "typed" ? typedField(tensor.dtypeCode) : undefined;
  const elements = typed && byteLengthOf(tensor) > 0 ? tensor.bytes : undefined;
  if (elements && typed?.field === "floatData") w.bytes(packed(TENSOR.floatData), elements);
  if (elements && typed?.field === "int32Data") {
    const unsigned = tensor.dtypeCode !== 3 && tensor.dtypeCode !== 5 && tensor.dtypeCode !== 6;
    w.message(packed(TENSOR.int32Data), packVarints(elements, typed.width, unsigned));
  }
  for (const s of tensor.strings ?? []) w.bytes(TENSOR.stringData, s);
  if (elements && typed?.field === "int64Data") w.message(packed(TENSOR.int64Data), packVarints(elements, 8, false));
  if (tensor.name !== "") w.string(TENSOR.name, tensor.name);
  if (tensor.storage === "raw" && !tensor.strings)
    w.bytes(TENSOR.rawData, isLazy(tensor) ? elementsLater(tensor) : tensor.bytes);
  if (elements && typed?.field === "doubleData") w.bytes(packed(TENSOR.doubleData), elements);
  if (elements && typed?.field === "uint64Data")
    w.message(packed(TENSOR.uint64Data), packVarints(elements, typed.width, true));
  if (tensor.docString !== undefined) w.string(TENSOR.docString, tensor.docString);
  if (tensor.storage === "external") {
    for (const e of tensor.external?.entries ?? []) w.message(TENSOR.externalData, encodeEntry(e));
    w.int(TENSOR.dataLocation, 1);
  }
  return w.finish();
});

/** The elements of a lazy tensor, read when they are written. */
export function elementsLater(tensor: Tensor): LazyBytes {
  return { byteLength: byteLengthOf(tensor), read: () => tensor.bytes };
}

/** Little-endian elements as packed varints, as a message without tags. */
function packVarints(bytes: Uint8Array, width: number, unsigned: boolean): Pieces {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: number[] = [];
  for (let at = 0; at + width <= bytes.byteLength; at += width) {
    const low = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
    let v = width === 8 ? view.getBigUint64(at, true) : BigInt(low);
    if (!unsigned) v = BigInt.asUintN(64, BigInt.asIntN(8 * width, v));
    for (; v > 0x7fn; v >>= 7n) out.push(Number(v & 0x7fn) | 0x80);
    out.push(Number(v));
  }
  return [Uint8Array.from(out)];
}
