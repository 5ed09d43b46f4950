/** Small models that tell what the runtime does on this device, and what watching it costs. */
import { attr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import { sizeOf } from "../graph/tensors.js";
import { encodeModel } from "../onnx/index.js";
import {
  createSession,
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

/** A chain of cheap nodes of several kinds, run with and without the profiler, in two lengths: slope and intercept. */
export function calibrate(threads: number): Calibration {
  const mixed = slope(threads, chain);
  const idle = slope(threads, idleChain);
  return { nodeNs: mixed.profilerNs, runNs: mixed.runNs, idleNs: idle.perNode };
}

/** Differences between a long and a short chain, so that what happens once a run falls out. */
function slope(
  threads: number,
  make: (length: number) => Uint8Array,
): { perNode: number; profilerNs: number; runNs: number } {
  const runs = 60;
  const feeds = { x: randomTensor("float32", [1, 16, 4, 4], 1) };
  const chains = [6, 26].map((length) => ({
    model: make(length),
    wall: Number.POSITIVE_INFINITY,
    profiled: Number.POSITIVE_INFINITY,
    nodes: 0,
  }));
  // By turns, the best of which counts: a disturbance only ever adds, and does not pass for a difference.
  for (let turn = 0; turn < 10; turn++)
    for (const one of chains) {
      using session = createSession(one.model, { threads });
      const wall = Array.from({ length: runs }, () => {
        const start = process.hrtime.bigint();
        session.run(feeds);
        return Number(process.hrtime.bigint() - start);
      });
      one.wall = Math.min(one.wall, lowerMean(wall));
      const { kernels } = profileModel(one.model, feeds, { threads, warmUps: 5, runs: () => runs });
      one.nodes = kernels.length;
      const profiled = Array.from({ length: runs }, (_, i) => kernels.reduce((sum, k) => sum + (k.ns[i] ?? 0), 0));
      one.profiled = Math.min(one.profiled, lowerMean(profiled));
    }
  const [short, long] = chains;
  if (!short || !long) throw new Error("unreachable: two lengths are measured");
  const steps = long.nodes - short.nodes;
  const perNode = (long.wall - short.wall) / steps;
  return {
    perNode,
    profilerNs: Math.max(0, (long.profiled - short.profiled) / steps - perNode),
    runNs: Math.max(0, short.wall - perNode * short.nodes),
  };
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
