/** What ONNX asks of every model, whatever its operators mean. */

import { HalpError } from "../errors.js";
import type { Graph, Model, Node, Tensor } from "../graph/ir.js";
import { byteLengthOf } from "../graph/lazy-tensor.js";
import { sizeOf } from "../graph/tensors.js";
import { formatError } from "./decode-context.js";
import { GRAPH, SPARSE_TENSOR, TENSOR } from "./schema.js";
import { expectedBytes } from "./tensor-size.js";
import { decodeText } from "./text.js";
import { MalformedMessage, readMessage } from "./wire.js";

/**
 * Checks that every value is defined once and before it is read, and that tensors hold as many elements as they say.
 * @throws HalpError HALP_ONNX_MISSING_VALUE (a weight or an input that nothing defines), HALP_ONNX_NOT_SORTED,
 * HALP_ONNX_DUPLICATE_VALUE, HALP_ONNX_TENSOR_SIZE, HALP_ONNX_FORMAT (a node without operator), HALP_ONNX_NAME (such as
 * "__proto__")
 */
export function validateModel(model: Model, options: { readonly file?: string } = {}): void {
  validateGraph(model.graph, new Set(), options);
}

interface Where {
  readonly file?: string;
}

function validateGraph(graph: Graph, outer: ReadonlySet<string>, where: Where): void {
  const own = new Set<string>();
  for (const t of graph.initializers) {
    define(own, t.name, `initialiser "${t.name}"`, where);
    validateTensor(t, where);
  }
  for (const name of sparseInitializers(graph, where)) own.add(name);
  const inputs = new Set<string>();
  for (const { name } of graph.inputs) {
    // An initialiser may be an input as well: it is the input's default.
    define(inputs, name, `input "${name}"`, where);
    own.add(name);
  }
  const toCome = new Set(graph.nodes.flatMap((n) => n.outputs));
  for (const node of graph.nodes) {
    validateNode(node, own, outer, toCome, where);
    for (const name of node.outputs)
      if (name !== "") define(own, name, `output "${name}" of ${described(node)}`, { ...where, ...inNode(node) });
  }
  for (const { name } of graph.outputs)
    if (!own.has(name) && !outer.has(name))
      throw new HalpError(
        "HALP_ONNX_MISSING_VALUE",
        `Nothing defines the output "${name}" of graph "${graph.name}"; export the model again.`,
        { ...where, name },
      );
}

function validateNode(
  node: Node,
  own: ReadonlySet<string>,
  outer: ReadonlySet<string>,
  toCome: ReadonlySet<string>,
  where: Where,
): void {
  const here = { ...where, ...inNode(node) };
  if (node.opType === "")
    throw new HalpError("HALP_ONNX_FORMAT", `${described(node)} names no operator; export the model again.`, here);
  checkName(node.name, "a node", here);
  checkName(node.opType, "an operator", here);
  for (const name of node.attributes.keys()) checkName(name, "an attribute", here);
  for (const [slot, name] of node.inputs.entries()) {
    if (name === "" || own.has(name) || outer.has(name)) continue;
    if (toCome.has(name))
      throw new HalpError(
        "HALP_ONNX_NOT_SORTED",
        `${described(node)} reads "${name}" before it is made; the nodes of a graph must be sorted.`,
        { ...here, name },
      );
    throw new HalpError(
      "HALP_ONNX_MISSING_VALUE",
      `${described(node)} reads "${name}" (input ${slot}), which is neither an input nor an initialiser of the model nor made by a node: a weight is missing. Export the model again.`,
      { ...here, name },
    );
  }
  for (const a of node.attributes.values()) {
    if (a.kind === "tensor") validateTensor(a.value, here);
    const graphs = a.kind === "graph" ? [a.value] : a.kind === "graphs" ? a.value : [];
    for (const g of graphs) validateGraph(g, new Set([...outer, ...own]), where);
  }
}

function validateTensor(tensor: Tensor, where: Where): void {
  const has = tensor.strings ? tensor.strings.length : byteLengthOf(tensor);
  const wants = tensor.strings ? sizeOf(tensor.dims) : expectedBytes(tensor);
  if (wants === undefined || wants === has) return;
  throw new HalpError(
    "HALP_ONNX_TENSOR_SIZE",
    `Tensor "${tensor.name}" of type ${tensor.dtype} and dimensions [${tensor.dims.join(", ")}] should hold ${wants} ${tensor.strings ? "strings" : "bytes"}, but holds ${has}${tensor.storage === "external" && has === 0 ? ": its external data was not read" : ""}.`,
    { ...where, name: tensor.name },
  );
}

/** What every object of JavaScript has: as a key it would be taken for that, here or in the runtime. */
const reserved: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

function checkName(name: string, what: string, where: Where): void {
  if (reserved.has(name))
    throw new HalpError(
      "HALP_ONNX_NAME",
      `The model calls ${what} "${name}", which cannot be a name here; rename it.`,
      {
        ...where,
        name,
      },
    );
}

function define(defined: Set<string>, name: string, what: string, where: Where): void {
  checkName(name, "a value", where);
  if (defined.has(name))
    throw new HalpError(
      "HALP_ONNX_DUPLICATE_VALUE",
      `The ${what} is defined twice; every name may stand for one value only.`,
      {
        ...where,
        name,
      },
    );
  defined.add(name);
}

/** The IR keeps sparse initialisers as they came; their names count all the same. */
function sparseInitializers(graph: Graph, where: Where): string[] {
  const names: string[] = [];
  const within = (bytes: Uint8Array, wanted: number, found: (bytes: Uint8Array) => void) =>
    readMessage(bytes, (tag, r) => {
      if (tag !== wanted) return false;
      found(r.bytes());
      return true;
    });
  try {
    within(graph.extra ?? new Uint8Array(0), GRAPH.sparseInitializer, (sparse) =>
      within(sparse, SPARSE_TENSOR.values, (tensor) =>
        within(tensor, TENSOR.name, (name) => {
          names.push(decodeText(name));
        }),
      ),
    );
  } catch (e) {
    if (!(e instanceof MalformedMessage)) throw e;
    throw formatError(where, `A sparse initialiser of graph "${graph.name}" is broken (${e.message}).`);
  }
  return names;
}

const described = (node: Node): string => `${node.opType || "?"} node "${node.name || (node.outputs[0] ?? "")}"`;
const inNode = (node: Node) => ({ node: node.name || (node.outputs[0] ?? ""), opType: node.opType });
