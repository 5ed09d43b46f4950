/**
 * Which activations the runtime keeps in blocks of channels, under given widths. These are the rules of ONNX Runtime's
 * NCHWc transformer, found by giving it small graphs and reading what it made of them; a table checks them again for
 * every layer that it measures, see `layoutAsExpected` of its entries.
 */
import { floatAttr, intAttr, intsAttr, stringAttr } from "../graph/attributes.js";
import { type Node, normalDomain, type Tensor } from "../graph/ir.js";
import { float32Of } from "../graph/tensors.js";
import type { Layout } from "./config.js";
import { canonical, type Network, type Segment } from "./network.js";
import { leadOf, Origins } from "./origins.js";
import { isPerChannel } from "./segments.js";
import { channelAlignment } from "./traits.js";

/** Functions of single elements that run on blocks as they are. */
const onBlocks = new Set(["Relu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Gelu", "QuickGelu"]);

/** Widths to look at a network under. */
export interface Widths {
  /** Dims of an activation or constant; undefined: as they are in the network. */
  readonly dimsOf: (value: string) => readonly number[] | undefined;
  /** The node with its attributes under these widths; by default as it is. */
  readonly nodeOf?: ((node: Node) => Node) | undefined;
}

/** Layout that each activation is read in (by slot: `node index:input index`) and that each result is made in. */
export interface LayoutPlan {
  readonly reads: ReadonlyMap<string, Layout>;
  readonly makes: ReadonlyMap<string, Layout>;
}

/** What the runtime lets write over its operand where it knows that the extents are equal. */
const mayOverwrite = new Set([
  ...["Add", "Sub", "Mul", "Div"],
  ...["Clip", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "Softplus", "Tanh"],
  ...["Abs", "Neg", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Softmax", "LogSoftmax"],
]);

/** Answers for one network under one set of widths; remembers what it has worked out. */
export class Layouts {
  readonly #network: Network;
  readonly #widths: Widths;
  readonly #plans = new Map<Segment, LayoutPlan>();
  readonly #origins: Origins;

  constructor(network: Network, widths: Widths) {
    this.#network = network;
    this.#widths = widths;
    this.#origins = new Origins(network, this);
  }

  dims(value: string): readonly number[] {
    return this.#widths.dimsOf(value) ?? this.#network.analyzed.types.get(value)?.dims ?? [];
  }
  node(node: Node): Node {
    return this.#widths.nodeOf?.(node) ?? node;
  }
  /** The value of a constant as it is in the network; its dims may be others under the widths. */
  constant(name: string): Tensor | undefined {
    return this.#network.analyzed.constants.get(name);
  }
  canonical(name: string): string {
    return canonical(this.#network.aliases, name);
  }

  /** How a value lies in memory when it has just been made. */
  made(value: string): Layout {
    const producer = this.#network.producerOf.get(value);
    return producer ? (this.plan(producer).makes.get(value) ?? "plain") : "plain";
  }

  plan(segment: Segment): LayoutPlan {
    let plan = this.#plans.get(segment);
    if (!plan) {
      plan = this.#work(segment);
      this.#plans.set(segment, plan);
    }
    return plan;
  }

  /** Layouts in which a value is wanted by those who read it. */
  wanted(value: string): Set<Layout> {
    const wanted = new Set<Layout>();
    if (this.#network.results.has(value)) wanted.add("plain");
    for (const reader of this.#network.readersOf.get(value) ?? []) {
      const { reads } = this.plan(reader);
      reader.nodes.forEach((n, ni) => {
        n.inputs.forEach((name, i) => {
          if (this.canonical(name) === value) wanted.add(reads.get(`${ni}:${i}`) ?? "plain");
        });
      });
    }
    return wanted;
  }

  /** Whether a convolution is of the blocked kind and has its input in blocks too. */
  readsBlocked(conv: Node): boolean {
    return this.#blockedConv(conv) === "blocked";
  }

  /**
   * Axes along which the runtime cannot tell extents, where it decides by them: it adds two activations in a roundabout way
   * then, and writes no result over its operand, which takes an activation function twice as long.
   */
  openAxes(segment: Segment): readonly number[] {
    const { openAxes } = this.#network;
    if (openAxes.length === 0) return [];
    const joined = this.#joinOf(segment);
    if (!joined) {
      const [only, second] = segment.nodes;
      const x = this.canonical(only?.inputs[0] ?? "");
      if (only === undefined || second !== undefined || !mayOverwrite.has(only.opType) || this.#constant(x)) return [];
      return this.plan(segment).reads.size > 0 ? [] : openAxes.filter((axis) => this.dims(x)[axis] !== 1 || axis === 0);
    }
    const [a, b] = joined;
    const open = openAxes.filter((axis) => this.dims(b)[axis] !== 1 || axis === 0);
    const blocked = [...this.plan(segment).makes.values()].some((l) => l === "blocked");
    if (!blocked) return open;
    const origin = (v: string | Node, axis: number): string =>
      typeof v === "string" ? this.#origins.of(v, axis) : this.#origins.ofConv(v, axis);
    return open.filter((axis) => origin(a, axis) !== origin(b, axis));
  }

  /** Two of the activations that a segment adds or multiplies; one of them may be its own convolution. */
  #joinOf(segment: Segment): readonly [string | Node, string] | undefined {
    const own = new Set(segment.nodes.flatMap((n) => n.outputs));
    for (const n of segment.nodes) {
      if (n.opType !== "Add" && n.opType !== "Mul" && n.opType !== "Sum") continue;
      const values = n.inputs.map((i) => this.canonical(i)).filter((v) => !this.#constant(v));
      const [outside, second] = values.filter((v) => !own.has(v));
      if (values.length < 2 || outside === undefined) continue;
      const lead = leadOf(segment);
      return second === undefined && lead.opType === "Conv" ? [lead, outside] : [second ?? outside, outside];
    }
    return undefined;
  }

  #work(segment: Segment): LayoutPlan {
    const reads = new Map<string, Layout>();
    const makes = new Map<string, Layout>();
    const plain: LayoutPlan = { reads, makes };
    if (this.#network.traits.blockSize <= 1 || segment.nodes.length === 0 || segment.unmeasurable) return plain;
    const lead = this.node(leadOf(segment));
    const at = segment.nodes[0]?.opType === "Pad" && lead.opType !== "Pad" ? 1 : 0;
    if (normalDomain(lead.domain) !== "" && lead.opType !== "QuickGelu") return plain;
    const allBlocked = (): LayoutPlan => {
      segment.nodes.forEach((n, ni) => {
        n.inputs.forEach((name, i) => {
          if (name !== "" && !this.#constant(name)) reads.set(`${ni}:${i}`, "blocked");
        });
      });
      for (const o of segment.outputs) makes.set(o, "blocked");
      return plain;
    };
    // A chain led by a convolution of the blocked kind: blocked to its end, unless something plain is added.
    const led = (taken: Layout, slot = 0): LayoutPlan => {
      reads.set(`0:${slot}`, taken);
      const add = segment.nodes.findIndex((n) => n.opType === "Add" && n.inputs.every((i) => !this.#constant(i)));
      if (add > at) {
        const before = segment.nodes[add - 1]?.outputs[0] ?? "";
        const side = this.canonical(segment.nodes[add]?.inputs[0] ?? "") === before ? 1 : 0;
        const other = this.canonical(segment.nodes[add]?.inputs[side] ?? "");
        if (this.made(other) !== "blocked" || !this.#sameShape(before, other)) return plain;
        reads.set(`${add}:${side}`, "blocked");
      }
      // Once it has become blocked, a convolution takes in only activations that can run on blocks.
      const last = segment.nodes.at(-1)?.opType ?? "";
      const late = add > at || lead.opType !== "Conv";
      if (late && segment.nodes.length > at + 1 && last !== "Add" && !onBlocks.has(last)) return plain;
      for (const o of segment.outputs) makes.set(o, "blocked");
      return plain;
    };
    const x = this.canonical(lead.inputs[0] ?? "");
    const follows = (): boolean => !this.#constant(x) && this.made(x) === "blocked" && this.dims(x).length === 4;

    switch (lead.opType) {
      case "Conv": {
        const taken = this.#blockedConv(lead);
        if (!taken) return plain;
        if (at === 1) reads.set("1:0", taken);
        return led(taken);
      }
      case "MaxPool":
      case "AveragePool":
        return this.#wholeBlocks(x) && lead.outputs.filter((o) => o !== "").length === 1 ? allBlocked() : plain;
      case "GlobalMaxPool":
      case "GlobalAveragePool":
        return this.#wholeBlocks(x) && follows() ? allBlocked() : plain;
      case "BatchNormalization":
        return follows() && lead.inputs.slice(1).every((i) => this.#fixed(i)) ? led("blocked") : plain;
      case "Add":
      case "Sum":
      case "Mul": {
        const names = lead.inputs.map((i) => this.canonical(i));
        const activations = names.filter((n) => !this.#constant(n));
        if (!activations.every((a) => this.made(a) === "blocked")) return plain;
        const constants = names.filter((n) => this.#constant(n));
        if (constants.length === 0)
          return activations.every((a) => this.#sameShape(activations[0] ?? "", a)) ? allBlocked() : plain;
        const scales = lead.opType === "Mul" && constants.length === 1 && isPerChannel(this.dims(constants[0] ?? ""));
        return scales ? led("blocked", this.#constant(x) ? 1 : 0) : plain;
      }
      case "Concat": {
        const axis = intAttr(lead, "axis", 1);
        const values = lead.inputs.map((i) => this.canonical(i));
        const fits = (v: string): boolean => !this.#constant(v) && this.made(v) === "blocked" && this.#wholeBlocks(v);
        return (axis === 1 || axis === -3) && values.every(fits) ? allBlocked() : plain;
      }
      case "Resize":
      case "Upsample":
        return follows() && this.#wholeScales(lead) ? allBlocked() : plain;
      case "Transpose":
        // To channels last: the runtime unpacks the blocks in that order at once.
        if (follows() && intsAttr(lead, "perm")?.join() === "0,2,3,1") reads.set("0:0", "blocked");
        return plain;
      default:
        return onBlocks.has(lead.opType) && follows() ? allBlocked() : plain;
    }
  }

  #constant(name: string): boolean {
    return this.#network.analyzed.constants.has(name);
  }
  #fixed(name: string): boolean {
    return this.#constant(name) && !this.#network.overridable.has(name);
  }
  #wholeBlocks(value: string): boolean {
    const dims = this.dims(value);
    return dims.length === 4 && (dims[1] ?? 0) % this.#network.traits.blockSize === 0;
  }
  #sameShape(a: string, b: string): boolean {
    const [da, db] = [this.dims(a), this.dims(b)];
    return da.length === db.length && da.every((d, i) => d === db[i]);
  }

  /** The layout in which a convolution of the blocked kind reads its input; undefined for one of the plain kind. */
  #blockedConv(conv: Node): Layout | undefined {
    const weights = conv.inputs[1] ?? "";
    const dims = this.dims(weights);
    const [outputs = 0, inputs = 0] = dims;
    if (!this.#fixed(weights) || dims.length !== 4) return undefined;
    const block = this.#network.traits.blockSize;
    const groups = groupsOf(this.dims(this.canonical(conv.inputs[0] ?? "")), dims);
    if (groups > 1) {
      if (outputs % channelAlignment !== 0) return undefined;
      if (inputs === 1 && outputs === groups) return "blocked";
      const whole = inputs % block === 0 && outputs % groups === 0 && (outputs / groups) % block === 0;
      return whole ? "blocked" : undefined;
    }
    // Few input channels: read plain, written in blocks.
    if (inputs < block) return "plain";
    return inputs % channelAlignment === 0 ? "blocked" : undefined;
  }

  /** Scalings by whole numbers in height and width, in the modes that the runtime has in blocks. */
  #wholeScales(node: Node): boolean {
    const scaling = this.#scales(node);
    const whole = scaling.length === 4 && scaling[0] === 1 && scaling[1] === 1;
    if (!whole || !scaling.every((s) => Number.isInteger(s) && s >= 1)) return false;
    const mode = stringAttr(node, "mode", "nearest");
    if (node.opType === "Upsample") return mode === "nearest" || mode === "linear";
    const coordinates = stringAttr(node, "coordinate_transformation_mode", "half_pixel");
    if (mode === "nearest")
      return coordinates === "asymmetric" && stringAttr(node, "nearest_mode", "round_prefer_floor") === "floor";
    const known = coordinates === "asymmetric" || coordinates === "half_pixel" || coordinates === "align_corners";
    return mode === "linear" && known && floatAttr(node, "antialias", 0) === 0;
  }
  #scales(node: Node): readonly number[] {
    const name = node.opType === "Upsample" || node.inputs.length === 2 ? node.inputs[1] : node.inputs[2];
    const given = name ? this.#network.analyzed.constants.get(name) : undefined;
    if (given?.dtype === "float32" && given.dims[0] === 4) return [...float32Of(given)];
    const from = this.dims(this.canonical(node.inputs[0] ?? ""));
    return this.dims(node.outputs[0] ?? "").map((d, i) => d / (from[i] ?? 1));
  }
}

/** Groups of a convolution, from the dims of its input and weights: right under any widths. */
export function groupsOf(input: readonly number[], weights: readonly number[]): number {
  return Math.max(1, Math.round((input[1] ?? 1) / (weights[1] ?? 1)));
}
