/** Small models that tell what the runtime does on this device, and what watching it costs. */
import { attr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import { sizeOf } from "../graph/tensors.js";
import { encodeModel } from "../onnx/index.js";
import {
  createSession,
  type Feeds,
  lowerMean,
  optimizedModel,
  type Profile,
  profileModel,
  randomTensor,
} from "../runtime/index.js";
import { type ConfigNode, type LayerConfig, layoutDomain } from "./config.js";
import type { RuntimeTraits } from "./traits.js";

/** All in nanoseconds. */
export interface Calibration {
  /** What the profiler adds to each kernel's time, less what running a node costs outside its kernel. */
  readonly nodeNs: number;
  /** What a run costs apart from its nodes. */
  readonly runNs: number;
  /** What a node that does next to nothing (a Reshape) takes in a run without the profiler. */
  readonly idleNs: number;
}

/**
 * A layer measured in every bank, by which a drift of the machine's speed shows: a convolution three times in a row. Only
 * the last counts: by then weights and activations are in the caches, whatever else the bank holds. As large
 * as it is, it leaves the layers' weights in the second cache rather than the first, as the rest of a network does.
 */
export const referenceLayer: LayerConfig = {
  opset: 13,
  inputs: [{ dtype: "float32", dims: [1, 64, 28, 28], layout: "plain" }],
  constants: [
    { dtype: "float32", dims: [64, 64, 3, 3] },
    { dtype: "float32", dims: [64] },
  ],
  nodes: [referenceConv("i0"), referenceConv("n0"), referenceConv("n1")],
  results: [{ value: "n2", layout: "plain" }],
};

function referenceConv(input: string): ConfigNode {
  return {
    opType: "Conv",
    domain: "",
    attributes: { pads: ["ints", [1, 1, 1, 1]], kernel_shape: ["ints", [3, 3]] },
    inputs: [input, "c0", "c1"],
    outputs: 1,
  };
}

/** Time of the counting part of the reference layer: the kernel that makes the value of this name. */
export function referenceNs(profile: Profile, prefix: string): number {
  const names = new Set([`${prefix}n2_0_nchwc`, `${prefix}node2`]);
  const kernel = profile.kernels.find((k) => names.has(k.name));
  return kernel ? lowerMean(kernel.ns) : Number.NaN;
}

function convolve(g: GraphBuilder, x: string, from: number, to: number): string {
  const dims = [to, from, 1, 1];
  const data = randomTensor("float32", dims, to).data as Float32Array;
  const w = g.initializer({
    name: g.freshName("w"),
    dtype: "float32",
    dtypeCode: 1,
    dims,
    storage: "raw",
    bytes: new Uint8Array(data.buffer, data.byteOffset, 4 * sizeOf(dims)),
  });
  return g.node("Conv", [x, w], { kernel_shape: attr.ints([1, 1]) });
}

/** Finds the size of a block by the padding of a convolution with one channel more than no block has. */
export function probeTraits(): RuntimeTraits {
  const g = new GraphBuilder();
  const outputs = 1;
  g.output(convolve(g, g.input("x", [1, 64, 8, 8]), 64, outputs));
  const { graph } = optimizedModel(g.model({ opset: 13 }));
  const conv = graph.nodes.find((n) => n.opType === "Conv" && n.domain === layoutDomain);
  const weights = graph.initializers.find((t) => t.name === conv?.inputs[1]);
  return { blockSize: weights?.dims[0] ?? 1 };
}

/**
 * Chains of cheap nodes of several kinds, with and without the profiler, and of nodes that do next to nothing; each in two
 * lengths, so that what happens once a run falls out of their difference.
 */
export function calibrate(threads: number): Calibration {
  const [short, long] = [chainOf(chain, 6), chainOf(chain, 26)];
  const [shortIdle, longIdle] = [chainOf(idleChain, 6), chainOf(idleChain, 26)];
  const feeds = { x: randomTensor("float32", [1, 16, 4, 4], 1) };
  // By turns, the best of which counts: a disturbance only ever adds, and does not pass for a difference.
  for (let turn = 0; turn < 10; turn++) {
    for (const one of [short, long, shortIdle, longIdle])
      one.wallNs = Math.min(one.wallNs, wallNs(one, feeds, threads));
    for (const one of [short, long]) one.profiledNs = Math.min(one.profiledNs, profiledNs(one, feeds, threads));
  }
  const steps = nodesOf(long) - nodesOf(short);
  const perNode = (long.wallNs - short.wallNs) / steps;
  return {
    nodeNs: Math.max(0, (long.profiledNs - short.profiledNs) / steps - perNode),
    runNs: Math.max(0, short.wallNs - perNode * nodesOf(short)),
    idleNs: (longIdle.wallNs - shortIdle.wallNs) / (nodesOf(longIdle) - nodesOf(shortIdle)),
  };
}

interface Chain {
  readonly model: Uint8Array;
  /** Of a run, at best so far. */
  wallNs: number;
  /** The sum over its nodes by the profiler's clock, likewise. */
  profiledNs: number;
}

const runsATurn = 60;

function chainOf(make: (length: number) => Uint8Array, length: number): Chain {
  return { model: make(length), wallNs: Number.POSITIVE_INFINITY, profiledNs: Number.POSITIVE_INFINITY };
}

/** As the runtime made them. */
const nodesOf = ({ model }: Chain): number => optimizedModel(model).graph.nodes.length;

function wallNs({ model }: Chain, feeds: Feeds, threads: number): number {
  using session = createSession(model, { threads });
  const wall = Array.from({ length: runsATurn }, () => {
    const start = process.hrtime.bigint();
    session.run(feeds);
    return Number(process.hrtime.bigint() - start);
  });
  return lowerMean(wall);
}

function profiledNs({ model }: Chain, feeds: Feeds, threads: number): number {
  const { kernels } = profileModel(model, feeds, { threads, warmUps: 5, runs: () => runsATurn });
  return lowerMean(Array.from({ length: runsATurn }, (_, i) => kernels.reduce((sum, { ns }) => sum + (ns[i] ?? 0), 0)));
}

/** Reshapes with the cheapest of nodes between them, else the runtime would make one of them all. */
function idleChain(length: number): Uint8Array {
  const g = new GraphBuilder();
  let y = g.input("x", [1, 16, 4, 4]);
  for (let i = 0; i < 4 * length; i++) {
    const shape = i % 2 === 0 ? [256, 1] : [1, 16, 4, 4];
    y = g.node("Reshape", [g.node("Neg", [y]), g.int64(shape)]);
  }
  g.output(g.node("ReduceMax", [y], { keepdims: attr.int(0) }));
  return encodeModel(g.model({ opset: 13 }));
}

function chain(length: number): Uint8Array {
  const g = new GraphBuilder();
  const x = g.input("x", [1, 16, 4, 4]);
  let y = x;
  for (let i = 0; i < length; i++) {
    y = convolve(g, y, 16, 16);
    y = g.node("LeakyRelu", [g.node("Abs", [y])], { alpha: attr.float(0.5) });
    y = g.node("Mul", [g.node("Add", [y, x]), g.float32(0.01)]);
  }
  g.output(g.node("ReduceMax", [y], { keepdims: attr.int(0) }));
  return encodeModel(g.model({ opset: 13 }));
}
