/** Cuts a network into the segments that the runtime runs as one piece. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import { intsAttr, stringAttr } from "../graph/attributes.js";
import { isDynamic } from "../graph/input-dims.js";
import { type Node, normalDomain } from "../graph/ir.js";
import { float32Of, integersOf, sizeOf } from "../graph/tensors.js";
import { aliasesOf, canonical, liveNodes, type Network, readsOf, type Segment } from "./network.js";
import type { RuntimeTraits } from "./traits.js";

/** Activations that the runtime puts into a convolution (ONNX Runtime, ConvActivationFusion). */
const fusedWithConv = new Set(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish"]);
/** Activations that it puts into a Gemm (GemmActivationFusion). */
const fusedWithGemm = new Set(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid"]);

interface Wiring {
  readonly analyzed: AnalyzedGraph;
  readonly aliases: ReadonlyMap<string, string>;
  readonly readersOf: ReadonlyMap<string, readonly Node[]>;
  readonly makerOf: ReadonlyMap<string, Node>;
  readonly results: ReadonlySet<string>;
  readonly taken: Set<Node>;
}

/**
 * All segments of a network, in an order in which they can run. Folded and dead nodes belong to none, nor do Identity
 * and Dropout.
 * @param traits what is known of the runtime on the device; of a table: `table.device.traits`.
 */
export function segmentsOf(analyzed: AnalyzedGraph, traits: RuntimeTraits): readonly Segment[] {
  return networkOf(analyzed, traits).segments;
}

export function networkOf(analyzed: AnalyzedGraph, traits: RuntimeTraits): Network {
  const { graph, constants } = analyzed;
  const live = liveNodes(analyzed);
  const aliases = aliasesOf(live, constants);
  const running = live.filter((n) => !(n.outputs[0] !== undefined && aliases.has(n.outputs[0])));
  const results = new Set(graph.outputs.map((o) => canonical(aliases, o.name)));
  const readersOf = new Map<string, Node[]>();
  const makerOf = new Map<string, Node>();
  for (const n of running) {
    for (const r of readsOf(n)) push(readersOf, canonical(aliases, r), n);
    for (const o of n.outputs) if (o !== "") makerOf.set(o, n);
  }
  const wiring: Wiring = { analyzed, aliases, readersOf, makerOf, results, taken: new Set() };
  const chains = chainsOf(running, wiring);

  const segments: Segment[] = [];
  const producerOf = new Map<string, Segment>();
  const segmentReaders = new Map<string, Segment[]>();
  const initializers = new Set(graph.initializers.map((t) => t.name));
  const network: Network = {
    analyzed,
    traits,
    segments,
    producerOf,
    readersOf: segmentReaders,
    results,
    aliases,
    // Before IR version 4 every initialiser had to be an input, and runtimes take them as constants.
    overridable: new Set(
      analyzed.model.irVersion < 4 ? [] : graph.inputs.map((v) => v.name).filter((n) => initializers.has(n)),
    ),
    openAxes: openAxesOf(analyzed),
  };
  const names = new Set<string>();
  const add = (nodes: readonly Node[], name: string, inputs: string[], outputs: string[]): void => {
    while (names.has(name)) name += "'";
    names.add(name);
    const why = unmeasurable(nodes, inputs, outputs, analyzed);
    const segment: Segment = {
      id: segments.length,
      name,
      nodes,
      inputs,
      outputs,
      network,
      ...(why === undefined ? {} : { unmeasurable: why }),
    };
    segments.push(segment);
    for (const o of outputs) producerOf.set(o, segment);
    for (const i of inputs) push(segmentReaders, i, segment);
  };
  for (const input of graph.inputs)
    if (readersOf.has(input.name) && !constants.has(input.name)) add([], input.name, [], [input.name]);
  for (const nodes of chains) {
    const made = new Set(nodes.flatMap((n) => n.outputs));
    const inside = new Set(nodes);
    const reads = nodes.flatMap((n) => readsOf(n).map((r) => canonical(aliases, r)));
    const inputs = [...new Set(reads.filter((r) => !made.has(r) && !constants.has(r)))];
    const outputs = [...made].filter(
      (o) => o !== "" && (results.has(o) || (readersOf.get(o) ?? []).some((n) => !inside.has(n))),
    );
    const first = nodes[0] as Node;
    add(nodes, first.name || (first.outputs[0] ?? ""), inputs, outputs);
  }
  return network;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Chains in the order of their last nodes: then each stands behind all that it reads. */
function chainsOf(nodes: readonly Node[], w: Wiring): Node[][] {
  const order = new Map(nodes.map((n, i) => [n, i]));
  const chains: Node[][] = [];
  for (const n of nodes) if (isLead(n)) chains.push(chainFrom(n, w));
  for (const n of nodes) if (!w.taken.has(n)) chains.push(chainFrom(n, w));
  const last = (c: Node[]): number => Math.max(...c.map((n) => order.get(n) ?? 0));
  return chains.sort((a, b) => last(a) - last(b));
}

function isLead(n: Node): boolean {
  return normalDomain(n.domain) === "" && (n.opType === "Conv" || n.opType === "Gemm" || n.opType === "MatMul");
}

function chainFrom(start: Node, w: Wiring): Node[] {
  const chain = [start];
  w.taken.add(start);
  const take = (n: Node): void => {
    chain.push(n);
    w.taken.add(n);
  };
  if (normalDomain(start.domain) !== "") return chain;
  let value = start.outputs[0] ?? "";
  const next = (): Node | undefined => {
    const reader = soleReader(value, w);
    return reader && !w.taken.has(reader) && normalDomain(reader.domain) === "" ? reader : undefined;
  };
  const advance = (n: Node): void => {
    take(n);
    value = n.outputs[0] ?? "";
  };
  switch (start.opType) {
    case "Conv": {
      const pad = padBefore(start, w);
      if (pad) {
        chain.unshift(pad);
        w.taken.add(pad);
      }
      for (let n = next(); n && foldsIntoWeights(n, value, w); n = next()) advance(n);
      const add = next();
      if (add && isResidualAdd(add, value, w)) advance(add);
      const act = next();
      if (act && fusedWithConv.has(act.opType) && boundsAreConstant(act, w)) advance(act);
      break;
    }
    case "Gemm":
    case "MatMul": {
      const add = next();
      if (start.opType === "MatMul" && add?.opType === "Add" && constantInput(add, value, w) !== undefined)
        advance(add);
      const act = next();
      if (act && fusedWithGemm.has(act.opType)) advance(act);
      break;
    }
    case "Mul":
    case "BatchNormalization": {
      // In blocks both are convolutions of one pixel and one channel.
      if (start.opType === "Mul" && !start.inputs.some((i) => isPerChannel(w.analyzed.constants.get(i)?.dims ?? [])))
        break;
      const add = next();
      if (add && isResidualAdd(add, value, w)) advance(add);
      const act = next();
      if (act && fusedWithConv.has(act.opType) && boundsAreConstant(act, w)) advance(act);
      break;
    }
    case "Sigmoid": {
      // x * sigmoid(x): the runtime makes one node of it (QuickGeluFusion).
      const mul = next();
      const x = canonical(w.aliases, start.inputs[0] ?? "");
      if (mul?.opType === "Mul" && mul.inputs.some((i) => canonical(w.aliases, i) === x)) advance(mul);
      break;
    }
  }
  return chain;
}

/** The only node that reads a value, and reads it once; undefined where others see the value too. */
function soleReader(value: string, w: Wiring): Node | undefined {
  const readers = w.readersOf.get(value) ?? [];
  return readers.length === 1 && !w.results.has(value) ? readers[0] : undefined;
}

/** A Pad with zeros, in space only, that nothing but the convolution reads. */
function padBefore(conv: Node, w: Wiring): Node | undefined {
  const value = canonical(w.aliases, conv.inputs[0] ?? "");
  const pad = w.makerOf.get(value);
  if (pad?.opType !== "Pad" || pad.domain !== "" || w.taken.has(pad) || soleReader(value, w) !== conv) return undefined;
  if (stringAttr(pad, "mode", "constant") !== "constant" || pad.inputs[3]) return undefined;
  const given = pad.inputs[1] ? w.analyzed.constants.get(pad.inputs[1]) : undefined;
  const pads = given ? integersOf(given) : intsAttr(pad, "pads");
  const fill = pad.inputs[2] ? w.analyzed.constants.get(pad.inputs[2]) : undefined;
  if (pads?.length !== 8 || [0, 1, 4, 5].some((i) => pads[i] !== 0) || pads.some((p) => p < 0)) return undefined;
  if (fill && (fill.dtype !== "float32" || float32Of(fill)[0] !== 0)) return undefined;
  return pad;
}

/** Batch norm and multiplications or additions of constants that become part of weights and bias. */
function foldsIntoWeights(n: Node, value: string, w: Wiring): boolean {
  if (n.opType === "BatchNormalization") return n.inputs.slice(1).every((i) => w.analyzed.constants.has(i));
  if (n.opType !== "Mul" && n.opType !== "Add") return false;
  if (canonical(w.aliases, n.inputs[0] ?? "") !== value) return false;
  const c = w.analyzed.constants.get(n.inputs[1] ?? "");
  return c !== undefined && (isPerChannel(c.dims) || (n.opType === "Mul" && c.dims.length === 0));
}

/** [C, 1, 1] or [1, C, 1, 1], with more than one channel. */
export function isPerChannel(dims: readonly number[]): boolean {
  return dims.length >= 3 && dims.length <= 4 && (dims.at(-3) ?? 1) > 1 && dims.at(-3) === sizeOf(dims);
}

function constantInput(n: Node, value: string, w: Wiring): string | undefined {
  const other = n.inputs.find((i) => canonical(w.aliases, i) !== value);
  return other !== undefined && w.analyzed.constants.has(other) ? other : undefined;
}

/**
 * An addition of an activation of the same shape. Where both sides come from a convolution, the runtime puts it into the
 * first of them that can take it.
 */
function isResidualAdd(n: Node, value: string, w: Wiring): boolean {
  if (n.opType !== "Add" || n.inputs.length !== 2) return false;
  const [a, b] = n.inputs.map((i) => canonical(w.aliases, i)) as [string, string];
  const other = a === value ? b : a;
  if (other === value || w.analyzed.constants.has(other)) return false;
  const dims = w.analyzed.types.get(value)?.dims;
  const otherDims = w.analyzed.types.get(other)?.dims;
  return dims?.length === 4 && otherDims?.length === 4 && dims.every((d, i) => d === otherDims[i]);
}

function boundsAreConstant(n: Node, w: Wiring): boolean {
  return n.inputs.slice(1).every((i) => i === "" || w.analyzed.constants.has(i));
}

/**
 * Batch, height and width, as far as inputs of the network leave them open. A batch with a name is as good as known: the
 * name comes through to all activations, and what has the same name is equal.
 */
function openAxesOf(analyzed: AnalyzedGraph): number[] {
  const open = new Set<number>();
  for (const input of analyzed.graph.inputs) {
    if (analyzed.constants.has(input.name)) continue;
    input.dims?.forEach((d, axis) => {
      const named = typeof d === "string" && d !== "";
      if (isDynamic(d) && ((axis === 0 && !named) || (input.dims?.length === 4 && axis >= 2))) open.add(axis);
    });
  }
  return [...open].sort();
}

function unmeasurable(
  nodes: readonly Node[],
  inputs: readonly string[],
  outputs: readonly string[],
  analyzed: AnalyzedGraph,
): string | undefined {
  for (const n of nodes)
    for (const [, a] of n.attributes)
      if (a.kind === "graph" || a.kind === "graphs") return `${n.opType} contains a graph of its own`;
      else if (a.kind === "opaque") return `${n.opType} has an attribute that halp does not read`;
  for (const v of [...inputs, ...outputs]) {
    const type = analyzed.types.get(v);
    if (!type) return `the shape of "${v}" is not known before the run`;
    if (type.dtype === "string" || type.dtype === "other") return `"${v}" is no numeric tensor`;
  }
  return undefined;
}
