/**
 * A bank: many layers in one model, each between nodes that stand for its neighbours. The makers hand it its inputs in
 * the layout that it has in the network, freshly written, as the layer before would; the readers take one element of each
 * output, so that nothing is dead; what leaves the network in a layer's own place leaves the bank. What the runtime runs between makers and readers is the layer.
 */
import { attr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Attribute, DataType, Model, Node, Tensor } from "../graph/ir.js";
import { dataTypeCode, elementBytes, sizeOf } from "../graph/tensors.js";
import { type Feeds, isRuntimeType, type RuntimeTensor, uniform, zeroTensor } from "../runtime/index.js";
import {
  type ConfigAttribute,
  type ConfigConstant,
  type ConfigInput,
  type LayerConfig,
  layoutDomain,
} from "./config.js";

export interface Bank {
  readonly model: Model;
  readonly feeds: Feeds;
  /** Names of all nodes of layer i begin with this, its makers' with `maker`, its readers' with `reader` behind it. */
  readonly prefixOf: (layer: number) => string;
}

/** Positive and far from zero and infinity: no operator meets NaN or denormal numbers, which can be slow. */
function* positives(seed: number): Generator<number> {
  const next = uniform(seed);
  for (;;) yield 0.5 + next();
}

/** Numbers for weights and inputs: windows on one buffer, since drawing each anew would cost more than measuring. */
class Numbers {
  #buffer = new Float32Array(0);
  readonly #source = positives(1);
  #offset = 0;
  take(count: number): Float32Array {
    // Another window each time: the runtime merges equal constants.
    this.#offset = (this.#offset + 61) % 4093;
    if (this.#buffer.length < this.#offset + count) {
      const grown = new Float32Array(2 * (this.#offset + count));
      grown.set(this.#buffer);
      for (let i = this.#buffer.length; i < grown.length; i++) grown[i] = this.#source.next().value ?? 1;
      this.#buffer = grown;
    }
    return this.#buffer.subarray(this.#offset, this.#offset + count);
  }
}
const numbers = new Numbers();

/** Bytes that a layer's tensors take, makers included. */
export function layerBytes(config: LayerConfig): number {
  const bytes = (t: { dtype: DataType; dims: readonly number[] }): number => elementBytes[t.dtype] * sizeOf(t.dims);
  return 3 * config.inputs.reduce((n, t) => n + bytes(t), 0) + 2 * config.constants.reduce((n, t) => n + bytes(t), 0);
}

/** @param configs all of one opset version; changes of layout go with any. */
export function buildBank(configs: readonly LayerConfig[]): Bank {
  const opset = Math.max(13, ...configs.map((c) => c.opset));
  const version = configs.find((c) => c.opset > 0)?.opset ?? opset;
  const g = new GraphBuilder();
  const feeds: Record<string, RuntimeTensor> = {};
  const domains = new Set<string>();
  const prefixOf = (i: number): string => `L${i}_`;

  configs.forEach((config, i) => {
    const prefix = prefixOf(i);
    const refs = new Map<string, string>([["", ""]]);
    config.inputs.forEach((input, j) => {
      refs.set(`i${j}`, makeInput(g, feeds, input, `${prefix}maker${j}`));
    });
    const layoutOnly = config.nodes.every((n) => n.domain === layoutDomain);
    if (layoutOnly) {
      // The runtime inserts the change of layout itself, between the maker and a reader of the other layout.
      const [input] = config.inputs;
      const value = refs.get("i0") ?? "";
      if (input?.layout === "plain") readBlocked(g, value, input.dims, `${prefix}reader0`);
      else readPlain(g, value, version, `${prefix}reader0`);
      return;
    }
    for (const n of config.nodes) if (n.domain !== "") domains.add(n.domain);
    addLayer(g, config, prefix, refs);
    config.results.forEach((r, j) => {
      const value = refs.get(r.value) ?? "";
      if (r.leaves) g.output(value);
      else readPlain(g, value, version, `${prefix}reader${j}`);
    });
  });
  const model = g.model({ name: "halp_bank", opset: version });
  const imports = [...domains].map((domain) => ({ domain, version: 1 }));
  return { model: { ...model, opsets: [...model.opsets, ...imports] }, feeds, prefixOf };
}

/**
 * Adds a layer's constants and nodes.
 * @param refs what the references of the configuration stand for: its inputs come in, the rest goes in here
 */
export function addLayer(g: GraphBuilder, config: LayerConfig, prefix: string, refs: Map<string, string>): void {
  config.constants.forEach((c, j) => {
    refs.set(`c${j}`, makeConstant(g, c, `${prefix}c${j}`));
  });
  config.nodes.forEach((n, j) => {
    const outputs = Array.from({ length: n.outputs }, (_, k) => `${prefix}n${j}_${k}`);
    outputs.forEach((o, k) => {
      refs.set(k === 0 ? `n${j}` : `n${j}.${k}`, o);
    });
    const node: Node = {
      name: `${prefix}node${j}`,
      opType: n.opType,
      domain: n.domain,
      inputs: n.inputs.map((r) => refs.get(r) ?? ""),
      outputs,
      attributes: new Map(Object.entries(n.attributes).map(([k, a]) => [k, attributeOf(a)])),
    };
    g.add(node);
  });
}

type TensorType = Exclude<DataType, "other">;

/** Adds a network input (shared between equal ones) and returns its name. */
function source(
  g: GraphBuilder,
  feeds: Record<string, RuntimeTensor>,
  dtype: DataType,
  dims: readonly number[],
  open: readonly number[],
): string {
  const name = `x_${dtype}_${dims.join("x")}${open.length > 0 ? `_open${open.join("_")}` : ""}`;
  if (!feeds[name]) {
    g.input(
      name,
      // without a name: what has the same name is known to be equal
      dims.map((d, axis) => (open.includes(axis) ? null : d)),
      dtype as TensorType,
    );
    if (dtype === "float32") feeds[name] = { dtype, dims, data: numbers.take(sizeOf(dims)).slice() };
    else if (isRuntimeType(dtype)) feeds[name] = zeroTensor(dtype, dims);
  }
  return name;
}

/** Adds the nodes that stand for the layer before: they write an input afresh, in its layout. @returns its name */
export function makeInput(
  g: GraphBuilder,
  feeds: Record<string, RuntimeTensor>,
  input: ConfigInput,
  name: string,
): string {
  const { dims, dtype } = input;
  const open = input.open ?? [];
  if (dtype !== "float32" || dims.length === 0 || input.fed) return source(g, feeds, dtype, dims, open);
  const axis = dims.length > 1 ? 1 : 0;
  const extent = dims[axis] ?? 1;
  const thin = dims.map((d, i) => (i === axis ? 1 : d));
  const out = `${name}_out`;
  if (input.layout === "blocked") {
    // From one channel the runtime convolves a plain input into blocks; the activation keeps it from taking more in.
    const w = g.initializer(floats(`${name}_w`, [extent, 1, 1, 1]));
    const x = source(g, feeds, dtype, thin, open);
    const y = g.node("Conv", [x, w], { kernel_shape: attr.ints([1, 1]) }, { name, outputs: [`${name}_conv`] });
    return g.node("Relu", [y], {}, { name: `${name}_act`, outputs: [out] });
  }
  const thinner = extent === 1 ? dims : thin;
  // Never the same constant twice: the runtime would take two makers for one.
  const factor = g.initializer(
    floats(
      `${name}_s`,
      dims.slice(axis).map((_, i) => (i === 0 ? extent : 1)),
    ),
  );
  // A product with a single number would be drawn into a matrix product behind it.
  const opType = extent === 1 ? "Add" : "Mul";
  return g.node(opType, [source(g, feeds, dtype, thinner, open), factor], {}, { name, outputs: [out] });
}

function floats(name: string, dims: readonly number[]): Tensor {
  const data = numbers.take(sizeOf(dims));
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dtype: "float32", dtypeCode: 1, dims, bytes, storage: "raw" };
}

function constantTensor(c: ConfigConstant, name: string): Tensor {
  if (c.dtype === "float32" && !c.values) return floats(name, c.dims);
  const dtypeCodeOf = dataTypeCode[c.dtype as TensorType];
  const bytes = new Uint8Array(elementBytes[c.dtype] * sizeOf(c.dims));
  const view = new DataView(bytes.buffer);
  c.values?.forEach((v, i) => {
    switch (c.dtype) {
      case "float32":
        view.setFloat32(4 * i, v, true);
        break;
      case "int64":
      case "uint64":
        view.setBigInt64(8 * i, v >= Number.MAX_SAFE_INTEGER ? 2n ** 63n - 1n : BigInt(v), true);
        break;
      case "int32":
      case "uint32":
        view.setInt32(4 * i, v, true);
        break;
      case "int16":
      case "uint16":
        view.setInt16(2 * i, v, true);
        break;
      default:
        view.setInt8(i, v);
    }
  });
  return { name, dtype: c.dtype, dtypeCode: dtypeCodeOf, dims: c.dims, bytes, storage: "raw" };
}

function makeConstant(g: GraphBuilder, c: ConfigConstant, name: string): string {
  g.initializer(constantTensor(c, name));
  if (c.overridable) g.input(name, c.dims, c.dtype as TensorType);
  return name;
}

/** Reads one element, plain. */
export function readPlain(g: GraphBuilder, value: string, opset: number, name: string): void {
  const flat = g.node("Reshape", [value, g.int64([-1])], {}, { name, outputs: [`${name}_flat`] });
  const out = `${name}_out`;
  const options = { name: `${name}_slice`, outputs: [out] };
  if (opset < 10)
    g.node("Slice", [flat], { starts: attr.ints([0]), ends: attr.ints([1]), axes: attr.ints([0]) }, options);
  else g.node("Slice", [flat, g.int64([0]), g.int64([1]), g.int64([0])], {}, options);
  g.output(out);
}

/** Reads one pixel of each channel, in blocks. */
function readBlocked(g: GraphBuilder, value: string, dims: readonly number[], name: string): void {
  const channels = dims[1] ?? 1;
  const w = g.initializer(floats(`${name}_w`, [channels, 1, 1, 1]));
  const out = `${name}_out`;
  g.node(
    "Conv",
    [value, w],
    {
      kernel_shape: attr.ints([1, 1]),
      strides: attr.ints([dims[2] ?? 1, dims[3] ?? 1]),
      group: attr.int(channels),
    },
    { name, outputs: [out] },
  );
  g.output(out);
}

function attributeOf(a: ConfigAttribute): Attribute {
  switch (a[0]) {
    case "int":
      return { kind: "int", value: BigInt(a[1]) };
    case "ints":
      return { kind: "ints", value: a[1].map(BigInt) };
    case "float":
      return { kind: "float", value: a[1] };
    case "floats":
      return { kind: "floats", value: a[1] };
    case "string":
      return { kind: "string", value: new TextEncoder().encode(a[1]) };
    case "strings":
      return { kind: "strings", value: a[1].map((s) => new TextEncoder().encode(s)) };
    case "tensor":
      return { kind: "tensor", value: constantTensor(a[1], "") };
  }
}
