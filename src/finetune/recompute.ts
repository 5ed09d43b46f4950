/**
 * Less memory for more time: of what the forward pass leaves for the backward pass, only what crosses a few places is kept.
 * The rest is computed again from there, piece by piece, when the gradient has come so far (Chen et al. 2016, arXiv 1604.06174).
 */
import type { ValueType } from "../graph/analysis.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Graph, Node } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { namesInside, namesOf } from "../graph/topology.js";
import { emitter } from "../operators/emit.js";
import type { FindOperator } from "../operators/spec.js";
import { inferNode } from "./infer-node.js";

export interface RecomputeOptions {
  /** Forward and backward, and what else a step does. */
  readonly graph: Graph;
  /** How many of the nodes, the first ones, are the forward pass. */
  readonly forward: number;
  readonly types: ReadonlyMap<string, ValueType>;
  /** Inputs of the graph that are learnt. */
  readonly learnt: readonly string[];
  /** Their gradients. */
  readonly gradients: readonly string[];
  readonly findOperator: FindOperator;
  readonly opset: number;
}

/** Values so much smaller than the largest are kept wherever they are. */
const small = 1 / 64;
/** Of so many stretches that leave equally much, the place where least crosses is looked at. */
const stretches = 256;
/** Of the memory without, what has to be left at most: otherwise the graph stays as it is. */
const worthwhile = 0.9;

/** The same graph, which comes to the same numbers; but for rounding, since the runtime may fuse other nodes. */
export function recomputeForward(options: RecomputeOptions): Graph {
  const { graph } = options;
  const pass = readForward(options);
  const cuts = chooseCuts(pass);
  if (cuts.length === 0) return graph;
  const kept = new Set([...pass.kept, ...cuts.flatMap((cut) => crossing(pass, cut))]);
  const builder = new GraphBuilder(namesOf(graph));
  for (const tensor of graph.initializers) builder.initializer(tensor);
  for (const node of graph.nodes.slice(0, options.forward)) builder.add(node);
  const late = graph.nodes.slice(options.forward);
  /** What stands for values of the forward pass, from the first node on that reads one. */
  const standIns = new Map<string, string>();
  const pieces = cuts.map((to, i) => ({ from: i === 0 ? 0 : (cuts[i - 1] as number) + 1, to, made: false }));
  /** Gradients of what is learnt, in the order in which they are there. */
  let gate: string | undefined;
  const gradients = new Set(options.gradients);
  for (const node of late) {
    for (const piece of pieces) {
      const reads = node.inputs.some((name) => {
        const at = pass.madeAt.get(name) ?? -1;
        return at >= piece.from && at <= piece.to && !kept.has(name);
      });
      if (!reads || piece.made) continue;
      piece.made = true;
      if (gate !== undefined) computeAgain(options, builder, { ...piece, gate, kept, needed: pass.late }, standIns);
    }
    builder.add({ ...node, inputs: node.inputs.map((name) => standIns.get(name) ?? name) });
    gate = node.outputs.find((name) => gradients.has(name)) ?? gate;
  }
  const { nodes, initializers } = builder.graph();
  return { ...graph, nodes, initializers };
}

/** The forward pass, and what it leaves. */
interface Forward {
  readonly count: number;
  /** Number of the node that makes a value, and of the last that reads it on the way forward. */
  readonly madeAt: ReadonlyMap<string, number>;
  readonly readUntil: ReadonlyMap<string, number>;
  /** Values that are read afterwards. */
  readonly late: ReadonlySet<string>;
  /** Values that are not computed twice. */
  readonly kept: ReadonlySet<string>;
  /** Undefined of what is no float32, or a piece of one operator's work. */
  readonly bytesOf: (value: string) => number | undefined;
}

function readForward({ graph, forward, types, findOperator, opset }: RecomputeOptions): Forward {
  const known = new Map(types);
  for (const { name, dims, dtype } of graph.initializers) known.set(name, { dims, dtype });
  const inference = { findOperator, opset, constants: new Map(graph.initializers.map((t) => [t.name, t])) };
  const madeAt = new Map<string, number>();
  const readUntil = new Map<string, number>();
  const kept = new Set(graph.outputs.map((o) => o.name));
  graph.nodes.slice(0, forward).forEach((node, i) => {
    inferNode(node, known, inference);
    const inside = namesInside(node);
    for (const name of [...node.inputs, ...inside]) readUntil.set(name, i);
    for (const name of node.outputs) {
      madeAt.set(name, i);
      // Branches and loops may be long, and have chance in them.
      if (inside.length > 0 || /Random|Bernoulli|Multinomial|Dropout/.test(node.opType)) kept.add(name);
    }
  });
  const bytesOf = (value: string) => {
    const type = known.get(value);
    return type?.dtype === "float32" ? 4 * sizeOf(type.dims) : undefined;
  };
  const largest = [...madeAt.keys()].reduce((most, value) => Math.max(most, bytesOf(value) ?? 0), 0);
  const late = new Set<string>();
  for (const node of graph.nodes.slice(forward)) {
    for (const name of namesInside(node)) kept.add(name);
    for (const name of node.inputs) if (madeAt.has(name)) late.add(name);
  }
  for (const value of madeAt.keys()) if ((bytesOf(value) ?? largest) < small * largest) kept.add(value);
  return { count: forward, madeAt, readUntil, late, kept, bytesOf };
}

/** Values that a cut after a node keeps: they are made by then, and read later on the way forward. */
function crossing({ madeAt, readUntil }: Forward, after: number): string[] {
  return [...madeAt].flatMap(([value, at]) => (at <= after && (readUntil.get(value) ?? -1) > after ? [value] : []));
}

/** Places to cut at, after nodes, with the values that cross. */
function placesOf(pass: Forward) {
  const { count, madeAt, readUntil, late, kept, bytesOf } = pass;
  /** What crosses each place, as the change from the place before: bytes, and how many values of unknown size. */
  const [change, unknown] = [new Float64Array(count), new Int32Array(count)];
  const left = new Float64Array(count);
  for (const [value, made] of madeAt) {
    const read = Math.max(made, readUntil.get(value) ?? -1);
    const bytes = bytesOf(value);
    const [list, amount] = bytes === undefined ? [unknown, 1] : [change, bytes];
    list[made] = (list[made] as number) + amount;
    list[read] = (list[read] as number) - amount;
    if (late.has(value) && !kept.has(value)) left[made] = (left[made] as number) + (bytes ?? 0);
  }
  const everything = left.reduce((a, b) => a + b, 0);
  const least = new Map<number, { readonly at: number; readonly bytes: number }>();
  let [bytes, strangers, soFar] = [0, 0, 0];
  for (let at = 0; at < count - 1; at++) {
    bytes += change[at] as number;
    strangers += unknown[at] as number;
    soFar += left[at] as number;
    const stretch = Math.floor((soFar / everything) * stretches);
    if (strangers === 0 && bytes > 0 && !(bytes > (least.get(stretch)?.bytes ?? bytes)))
      least.set(stretch, { at, bytes });
  }
  return [...least.values()].map(({ at }) => ({ at, values: new Set(crossing(pass, at)) }));
}

/**
 * The nodes after which to cut. Kept is what crosses a cut, and while the gradient goes through a piece also what lies within it: the sum
 * of all kept and the largest piece is made small. Of cuts with pieces up to a size, dynamic programming finds those that keep
 * least (a value that crosses two cuts crosses all between them); sizes are tried from coarse to fine.
 */
function chooseCuts(pass: Forward): number[] {
  const places = placesOf(pass);
  const last = places.length + 1;
  const within = piecesBetween(pass, [-1, ...places.map((p) => p.at), pass.count - 1]);
  /** Bytes that cross the j-th place, and not the i-th before it. */
  const added = table(last, (i, j) =>
    [...(places[j - 1]?.values ?? [])].reduce(
      (n, value) => n + (places[i - 1]?.values.has(value) ? 0 : (pass.bytesOf(value) ?? 0)),
      0,
    ),
  );
  const everything = within(0, last);
  let best: { readonly bytes: number; readonly cuts: number[] } = { bytes: worthwhile * everything, cuts: [] };
  for (let size = everything; size > everything / 1024; size /= Math.SQRT2) {
    const kept = [0];
    const before = [0];
    for (let j = 1; j <= last; j++) {
      kept[j] = Number.POSITIVE_INFINITY;
      for (let i = 0; i < j; i++) {
        const bytes = (kept[i] as number) + added(i, j);
        if (bytes >= (kept[j] as number) || within(i, j) > size) continue;
        kept[j] = bytes;
        before[j] = i;
      }
    }
    if (!Number.isFinite(kept[last])) break;
    const cuts: number[] = [];
    let largest = 0;
    for (let j = last; j > 0; j = before[j] as number) {
      largest = Math.max(largest, within(before[j] as number, j));
      if (j < last) cuts.unshift(places[j - 1]?.at as number);
    }
    const bytes = (kept[last] as number) + largest;
    if (bytes < best.bytes) best = { bytes, cuts };
  }
  return best.cuts;
}

/** Bytes that are left for the backward pass by the nodes between two places, without those that cross the second. */
function piecesBetween({ late, madeAt, readUntil, kept, bytesOf }: Forward, ends: readonly number[]) {
  const left = [...late].flatMap((value) =>
    kept.has(value)
      ? []
      : [{ bytes: bytesOf(value) ?? 0, made: madeAt.get(value) as number, read: readUntil.get(value) ?? -1 }],
  );
  return table(ends.length - 1, (i, j) => {
    const [from, to] = [ends[i] as number, ends[j] as number];
    return left.reduce((n, { bytes, made, read }) => n + (made > from && made <= to && read <= to ? bytes : 0), 0);
  });
}

/** What a function of two numbers up to `last` gives, computed once. */
function table(last: number, of: (i: number, j: number) => number): (i: number, j: number) => number {
  const known = new Map<number, number>();
  return (i, j) => {
    const key = i * (last + 1) + j;
    const found = known.get(key) ?? of(i, j);
    known.set(key, found);
    return found;
  };
}

interface Piece {
  /** First and last node. */
  readonly from: number;
  readonly to: number;
  /** Not before this is there. */
  readonly gate: string;
  readonly kept: ReadonlySet<string>;
  /** What is read of it afterwards. */
  readonly needed: ReadonlySet<string>;
}

/** Adds nodes that compute once more what is needed of a piece, and says what stands for each value. */
function computeAgain(
  { graph, learnt, types, opset }: RecomputeOptions,
  builder: GraphBuilder,
  { from, to, gate, kept, needed }: Piece,
  standIns: Map<string, string>,
): void {
  const wanted = new Set<string>();
  const nodes: Node[] = [];
  for (const node of graph.nodes.slice(from, to + 1).toReversed()) {
    if (!node.outputs.some((name) => !kept.has(name) && (needed.has(name) || wanted.has(name)))) continue;
    nodes.unshift(node);
    for (const name of node.inputs) wanted.add(name);
  }
  const e = emitter({ builder, opset });
  const weights = new Set(learnt);
  const none = e.slice(e.reshape(gate, [-1]), [0], [0], [0]);
  const delayed = new Map<string, string>();
  /** The same numbers, but not before the gate is there: none of its elements are put behind them. */
  const delay = (weight: string): string => {
    const own =
      delayed.get(weight) ?? e.reshape(e.concat([e.reshape(weight, [-1]), none], 0), types.get(weight)?.dims ?? []);
    delayed.set(weight, own);
    return own;
  };
  for (const node of nodes) {
    const follows = node.inputs.some((name) => standIns.has(name));
    // Of values alone that are there: the runtime would compute it at once, and as the one that it has computed.
    if (!follows && !node.inputs.some((name) => weights.has(name))) continue;
    const inputs = node.inputs.map(
      (name) => standIns.get(name) ?? (!follows && weights.has(name) ? delay(name) : name),
    );
    const outputs = node.outputs.map((name) => {
      if (name === "" || kept.has(name)) return name === "" ? "" : builder.freshName(`${name} once more`);
      const own = builder.freshName(`${name} again`);
      standIns.set(name, own);
      return own;
    });
    builder.add({ ...node, name: "", inputs, outputs });
  }
}
