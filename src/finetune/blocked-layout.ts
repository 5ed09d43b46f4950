/**
 * Keeps a training graph in ONNX Runtime's blocked layout from one convolution to the next. The runtime does so itself where
 * weights are constant; where they are fed, each convolution in blocks has its input rearranged and its output rearranged
 * back. What lies between (batch norms, activations, sums of branches, and the gradients of all) is written here to
 * work on blocks, and the rearranging goes.
 */

import type { ValueType } from "../graph/analysis.js";
import { attr, floatAttr, intAttr, intsAttr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Dim, Model, Node, Tensor } from "../graph/ir.js";
import { opsetOf } from "../graph/ir.js";
import { float32Of, integersOf, sizeOf } from "../graph/tensors.js";
import { linksOf, namesInside, namesOf, removeDeadNodes } from "../graph/topology.js";
import {
  blockedDomain as domain,
  productsOfBlocks,
  reduceBlocks,
  scaleBlocks,
  toBlocks,
  wholeBlocks,
} from "../operators/blocks.js";
import { emitter } from "../operators/emit.js";
import type { FindOperator } from "../operators/spec.js";
import { slidingWindow } from "../operators/window.js";
import { inferNode } from "./infer-node.js";

/** Images in blocks. */
interface Blocks {
  readonly name: string;
  /** As they are without blocks: [batch, channels, rows, columns]. */
  readonly dims: readonly number[];
}

/** Of one value, element by element. What fills up the last block need not stay 0, but finite: its weights are 0. */
const unary = new Set(["Clip", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh"]);
const binary = new Set(["Add", "Mul", "Sub"]);

/**
 * @param block channels of a block on this machine
 * @param types of values of the graph, as far as they are known
 */
export function keepBlocks(
  model: Model,
  block: number,
  types: ReadonlyMap<string, ValueType>,
  findOperator: FindOperator,
): Model {
  if (!model.graph.nodes.some((n) => n.domain === domain)) return model;
  const graph = new BlockedGraph(model, block, types, findOperator).result();
  return { ...model, graph: removeDeadNodes(graph) };
}

class BlockedGraph {
  readonly #model: Model;
  readonly #block: number;
  readonly #findOperator: FindOperator;
  readonly #builder: GraphBuilder;
  readonly #types: Map<string, ValueType>;
  readonly #constants: ReadonlyMap<string, Tensor>;
  readonly #links: ReturnType<typeof linksOf>;
  readonly #outputs: ReadonlySet<string>;
  /** Values that are there in blocks. */
  readonly #blocks = new Map<string, Blocks>();
  /** Nodes by output that are added when something asks for it. */
  readonly #deferred = new Map<string, Node>();
  /** Outputs of nodes that went, and what stands for them. */
  readonly #standIns = new Map<string, string>();

  constructor(model: Model, block: number, types: ReadonlyMap<string, ValueType>, findOperator: FindOperator) {
    const { graph } = model;
    this.#model = model;
    this.#block = block;
    this.#findOperator = findOperator;
    this.#types = new Map(types);
    for (const { name, dims, dtype } of [...graph.initializers, ...graph.inputs])
      if (dtype && isStatic(dims)) this.#types.set(name, { dims, dtype });
    this.#constants = new Map(graph.initializers.map((t) => [t.name, t]));
    this.#links = linksOf(graph.nodes);
    this.#outputs = new Set(graph.outputs.map((o) => o.name));
    this.#builder = new GraphBuilder(namesOf(graph));
    for (const tensor of graph.initializers) this.#builder.initializer(tensor);
  }

  result(): Model["graph"] {
    const { graph } = this.#model;
    const inference = { findOperator: this.#findOperator, opset: opsetOf(this.#model), constants: this.#constants };
    for (const node of graph.nodes) {
      inferNode(node, this.#types, inference);
      if (!this.#keep(node)) this.#add(node);
    }
    for (const name of this.#outputs) this.#need(name);
    const { nodes, initializers } = this.#builder.graph();
    return { ...graph, nodes, initializers };
  }

  /** Adds a node, and before it what it reads. */
  #add(node: Node): void {
    for (const name of namesInside(node)) this.#need(name);
    this.#builder.add({ ...node, inputs: node.inputs.map((name) => this.#get(name)) });
  }

  /** What stands for a value, made by now. */
  #get(name: string): string {
    const found = this.#standIn(name);
    this.#need(found);
    return found;
  }

  #standIn(name: string): string {
    return this.#standIns.get(name) ?? name;
  }

  #need(name: string): void {
    const node = this.#deferred.get(name);
    if (!node) return;
    this.#deferred.delete(name);
    this.#add(node);
  }

  /** Emits nodes of its own, which read what is there already. */
  get #e() {
    return emitter({ builder: this.#builder, opset: opsetOf(this.#model) });
  }

  #dims(name: string): readonly number[] | undefined {
    const type = this.#types.get(name);
    return type?.dtype === "float32" ? type.dims : undefined;
  }

  #setDims(name: string, dims: readonly number[]): void {
    this.#types.set(name, { dtype: "float32", dims });
  }

  #sole(name: string): boolean {
    return !this.#outputs.has(name) && this.#links.consumersOf.get(name)?.length === 1;
  }

  /** From now on the value is there in blocks, and without them where something asks for that. */
  #setBlocks(value: string, name: string, dims: readonly number[]): void {
    this.#blocks.set(value, { name, dims });
    const [, channels = 1] = dims;
    this.#setDims(value, dims);
    this.#setDims(name, dims.with(1, wholeBlocks(channels, this.#block)));
    this.#deferred.set(value, {
      ...{ name: "", opType: "ReorderOutput", domain, inputs: [name], outputs: [value] },
      attributes: new Map([["channels", attr.int(channels)]]),
    });
  }

  /** Undefined where the value is no images of known dims. */
  #inBlocks(value: string): Blocks | undefined {
    const known = this.#blocks.get(value);
    if (known) return known;
    const dims = this.#dims(value);
    if (dims?.length !== 4) return undefined;
    const blocks = { name: toBlocks(this.#e, this.#get(value), dims[1] as number), dims };
    this.#blocks.set(value, blocks);
    return blocks;
  }

  /** The node's work done in blocks; false where it is to be added as it is. */
  #keep(node: Node): boolean {
    if (node.domain === domain) return this.#keepOwn(node);
    const { opType } = node;
    const [x = "", y = ""] = node.inputs;
    if (opType === "FusedMatMul") return this.#rowProducts(node);
    const known = this.#blocks.get(x);
    if (opType === "Identity" && known) {
      // Two names from now on: what reads the new one alone must not take the node that makes both into itself.
      if (!this.#sole(x)) this.#need(known.name);
      this.#setBlocks(node.outputs[0] as string, known.name, known.dims);
      return true;
    }
    if (opType === "Reshape" && known && isRows(this.#dims(node.outputs[0] as string), known.dims)) {
      this.#deferred.set(node.outputs[0] as string, node);
      return true;
    }
    if (unary.has(opType) && known) return this.#unary(node, known);
    if (binary.has(opType) && (known ?? this.#blocks.get(y))) return this.#binary(node);
    if (opType === "BatchNormalization" && known && node.outputs.length === 1) return this.#normalize(node, known);
    if ((opType === "ReduceMean" || opType === "ReduceSum") && known) return this.#reduce(node, known);
    return false;
  }

  #keepOwn(node: Node): boolean {
    const [x = ""] = node.inputs;
    const [out = ""] = node.outputs;
    if (node.opType === "ReorderInput") {
      const source = this.#unpadded(x);
      const known = this.#blocks.get(source);
      const dims = known?.dims ?? this.#dims(source);
      if (dims?.length !== 4) return false;
      this.#setDims(out, dims.with(1, wholeBlocks(dims[1] as number, this.#block)));
      if (known) this.#handOn(known.name, out);
      else this.#blocks.set(source, { name: out, dims });
      return known !== undefined;
    }
    const from = this.#dims(this.#standIn(x));
    if (from?.length !== 4) return false;
    const [batch = 1, , ...large] = from;
    if (node.opType === "Conv") {
      const [channels] = this.#dims(node.inputs[1] as string) ?? [];
      if (channels === undefined) return false;
      const { output } = slidingWindow(node, large, intsAttr(node, "kernel_shape") ?? []);
      this.#setDims(out, [batch, channels, ...output]);
      const inputs = node.inputs.map((name) => this.#standIn(name));
      this.#deferred.set(out, { ...node, inputs });
      return true;
    }
    if (node.opType === "ReorderOutput") {
      this.#setBlocks(out, this.#standIn(x), [batch, intAttr(node, "channels", 1), ...large]);
      return true;
    }
    return false;
  }

  /** What was filled up with channels of zeros, as the blocks do. */
  #unpadded(name: string): string {
    const pad = this.#links.producerOf.get(name);
    if (pad?.opType !== "Pad" || pad.inputs.length > 2) return name;
    const [x = "", by = ""] = pad.inputs;
    const constant = this.#constants.get(by);
    const pads = constant ? integersOf(constant) : (intsAttr(pad, "pads") ?? []);
    const isFilledUp = pads.length === 8 && pads.every((n, i) => (i === 5 ? n >= 0 && n < 4 : n === 0));
    return isFilledUp && floatAttr(pad, "value", 0) === 0 ? x : name;
  }

  #unary(node: Node, x: Blocks): boolean {
    const [value = ""] = node.inputs;
    const out = node.outputs[0] as string;
    const affine = this.#deferred.get(x.name);
    if (node.opType === "Relu" && affine && this.#sole(value) && !affine.attributes.has("activation")) {
      this.#replaceDeferred(
        x.name,
        { ...affine, attributes: new Map([...affine.attributes, ["activation", attr.string("Relu")]]) },
        out,
        x.dims,
      );
      return true;
    }
    const name = this.#builder.freshName(`${out} in blocks`);
    this.#add({ ...node, name: "", inputs: [x.name, ...node.inputs.slice(1)], outputs: [name] });
    this.#setBlocks(out, name, x.dims);
    return true;
  }

  #replaceDeferred(before: string, node: Node, value: string, dims: readonly number[]): void {
    const name = this.#builder.freshName(`${value} in blocks`);
    this.#deferred.delete(before);
    this.#deferred.set(name, { ...node, outputs: [name] });
    this.#setBlocks(value, name, dims);
  }

  #binary(node: Node): boolean {
    const [a = "", b = ""] = node.inputs;
    const out = node.outputs[0] as string;
    const [left, right] = [this.#dims(a), this.#dims(b)];
    if (!left || !right) return false;
    const [images, other] = this.#blocks.has(a) && left.length === 4 && sizeOf(left) >= sizeOf(right) ? [a, b] : [b, a];
    const dims = this.#dims(images) as readonly number[];
    const otherDims = this.#dims(other) as readonly number[];
    const add = (inputs: readonly string[]) => {
      const name = this.#builder.freshName(`${out} in blocks`);
      this.#add({ ...node, name: "", inputs, outputs: [name] });
      this.#setBlocks(out, name, dims);
      return true;
    };
    if (sizeOf(otherDims) === 1 && otherDims.length <= 4) {
      const x = this.#blocks.get(images);
      return x !== undefined && add(images === a ? [x.name, other] : [other, x.name]);
    }
    if (dims.length !== 4) return false;
    if (node.opType === "Mul" && isPerChannel(otherDims, dims) && this.#blocks.has(images)) {
      const factor = this.#e.reshape(this.#get(other), [dims[1] as number]);
      this.#affine(out, this.#blocks.get(images) as Blocks, factor, undefined);
      return true;
    }
    if (otherDims.join() !== dims.join()) return false;
    const [x, y] = [this.#inBlocks(a), this.#inBlocks(b)];
    if (!x || !y) return false;
    if (node.opType === "Add")
      for (const [value, own, sum] of [
        [a, x, y],
        [b, y, x],
      ] as const) {
        const affine = this.#deferred.get(own.name);
        if (!affine || !this.#sole(value) || affine.inputs.length > 3 || affine.attributes.has("activation")) continue;
        const [input = "", weight = "", bias = ""] = affine.inputs;
        this.#replaceDeferred(own.name, { ...affine, inputs: [input, weight, bias, sum.name] }, out, dims);
        return true;
      }
    return add([x.name, y.name]);
  }

  /**
   * Each channel times a factor, plus a number: a convolution of each channel with one tap. It is deferred: what is
   * added to it, and a Relu of it, are done by the same operator.
   * @param factor [channels] @param addend the same
   */
  #affine(value: string, x: Blocks, factor: string, addend: string | undefined): void {
    const name = this.#builder.freshName(`${value} in blocks`);
    const { attributes, inputs } = scaleBlocks(this.#e, x.name, factor, addend, x.dims[1] as number, this.#block);
    const node = { name: "", opType: "Conv", domain, inputs, outputs: [name] };
    this.#deferred.set(name, { ...node, attributes: new Map(Object.entries(attributes)) });
    this.#setBlocks(value, name, x.dims);
  }

  #normalize(node: Node, x: Blocks): boolean {
    const [scale = "", bias = "", mean = "", variance = ""] = node.inputs.slice(1).map((name) => this.#get(name));
    const e = this.#e;
    const epsilon = floatAttr(node, "epsilon", 1e-5);
    const isConstant = (name: string, number: number) => {
      const tensor = this.#constants.get(name);
      return tensor?.dtype === "float32" && float32Of(tensor).every((v) => v === number);
    };
    let [factor, addend] = [scale, bias];
    if (epsilon !== 0 || !isConstant(variance, 1) || !isConstant(mean, 0)) {
      factor = e.div(scale, e.op("Sqrt", [e.add(variance, e.scalar(epsilon))]));
      addend = e.sub(bias, e.mul(mean, factor));
    }
    this.#affine(node.outputs[0] as string, x, factor, addend);
    return true;
  }

  /** Over all but the channels. */
  #reduce(node: Node, x: Blocks): boolean {
    const constant = this.#constants.get(node.inputs[1] ?? "");
    const axes = constant ? integersOf(constant) : intsAttr(node, "axes");
    if (axes?.join() !== "0,2,3" || intAttr(node, "keepdims", 1) !== 0) return false;
    this.#need(x.name);
    this.#handOn(reduceBlocks(this.#e, node.opType, x.name, x.dims, this.#block), node.outputs[0] as string);
    return true;
  }

  /** Lets a value stand for an output. */
  #handOn(value: string, output: string): void {
    this.#standIns.set(output, value);
    if (!this.#outputs.has(output)) return;
    this.#need(value);
    this.#builder.nodes("Identity", [value], { outputs: [output] });
  }

  /** Products of rows, each a channel of a sample: [batch, channels, 1, 1]. */
  #rowProducts(node: Node): boolean {
    const [a, b] = node.inputs.map((name) => this.#links.producerOf.get(name));
    if (a?.opType !== "Reshape" || b?.opType !== "Reshape") return false;
    if (intAttr(node, "transA", 0) !== 0 || intAttr(node, "transB", 0) !== 1 || floatAttr(node, "alpha", 1) !== 1)
      return false;
    const [left = "", right = ""] = [a.inputs[0], b.inputs[0]];
    if (!this.#blocks.has(left) && !this.#blocks.has(right)) return false;
    const dims = this.#dims(left);
    if (dims?.length !== 4 || this.#dims(right)?.join() !== dims.join()) return false;
    if (![a, b].every((r) => isRows(this.#dims(r.outputs[0] as string), dims))) return false;
    const [x, y] = [this.#inBlocks(left) as Blocks, this.#inBlocks(right) as Blocks];
    for (const { name } of [x, y]) this.#need(name);
    this.#handOn(productsOfBlocks(this.#e, x.name, y.name, dims, this.#block), node.outputs[0] as string);
    return true;
  }
}

/** Whether no extent is known by name only. */
function isStatic(dims: readonly Dim[] | undefined): dims is readonly number[] {
  return dims?.every((d) => typeof d === "number") ?? false;
}

/** Whether dims are those of images with each channel's positions in a row: [batch, channels, 1, positions]. */
function isRows(
  dims: readonly number[] | undefined,
  [batch, channels, rows = 1, columns = 1]: readonly number[],
): boolean {
  return dims?.join() === [batch, channels, 1, rows * columns].join();
}

/** [channels, 1, 1], or the same with an axis of samples. */
function isPerChannel(dims: readonly number[], [, channels]: readonly number[]): boolean {
  return [`${channels},1,1`, `1,${channels},1,1`].includes(dims.join());
}
