/** A step that computes the forward pass again, piece by piece, comes to the same but for rounding, and keeps less. */
import fc from "fast-check";
import t from "tap";
import type { TrainerOptions } from "../../src/finetune/index.js";
import { inferNode } from "../../src/finetune/infer-node.js";
import { recomputeForward } from "../../src/finetune/recompute.js";
import type { ValueType } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { type Model, opsetOf } from "../../src/graph/ir.js";
import { sizeOf } from "../../src/graph/tensors.js";
import { linksOf } from "../../src/graph/topology.js";
import { findOperator } from "../../src/operators/index.js";
import { deepNetwork, patternBatch } from "./networks.js";
import {
  anyDrawn,
  blockSize,
  classifiers,
  drawnNetwork,
  inBlocks,
  most,
  outcome,
  type Subject,
  trainerOf,
} from "./subjects.js";

const again = / again(_\d+)?$/;

interface Outcome {
  readonly numbers: ReadonlyMap<string, Float32Array>;
  readonly nodes: Model["graph"]["nodes"];
}

/** What of a step is not the same, and how many nodes were computed again. */
function compare(subject: Subject, more: Partial<TrainerOptions> = {}) {
  const batch = patternBatch(subject.dims, subject.classes, 3);
  const [expected, found] = [false, true].map((recompute) => {
    using trainer = trainerOf(subject, { ...more, recompute });
    return { numbers: outcome(trainer, batch), nodes: trainer.graph.graph.nodes };
  }) as [Outcome, Outcome];
  // The runtime fuses nodes by who reads them, and a fused node rounds otherwise.
  const greatest = Math.max(...[...expected.numbers.values()].map(most));
  const wrong = [...expected.numbers].flatMap(([name, data]) => {
    const off = most(data.map((v, i) => v - (found.numbers.get(name)?.[i] ?? Number.NaN)));
    return off <= 1e-4 * most(data) + 1e-5 * greatest ? [] : [`${name}: ${off} of ${most(data)}`];
  });
  return { wrong, repeated: found.nodes.filter((n) => n.outputs.some((o) => again.test(o))).length };
}

/** Bytes that float32 values of a graph take at most at a time, in the order of its nodes. */
function peakBytes({ graph, ...model }: Model): number {
  const types = new Map<string, ValueType>();
  for (const { name, dtype = "other", dims } of [...graph.inputs, ...graph.initializers])
    types.set(name, { dtype, dims: (dims ?? []) as number[] });
  const inference = {
    findOperator,
    opset: opsetOf({ graph, ...model }),
    constants: new Map(graph.initializers.map((tensor) => [tensor.name, tensor])),
  };
  const last = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    inferNode(node, types, inference);
    for (const name of node.inputs) last.set(name, i);
  });
  const bytesOf = (name: string) => (types.get(name)?.dtype === "float32" ? 4 * sizeOf(types.get(name)!.dims) : 0);
  let [live, peak] = [0, 0];
  const there = new Set<string>();
  graph.nodes.forEach((node, i) => {
    for (const name of node.outputs) {
      there.add(name);
      live += bytesOf(name);
    }
    peak = Math.max(peak, live);
    for (const name of there)
      if ((last.get(name) ?? i) <= i) {
        there.delete(name);
        live -= bytesOf(name);
      }
  });
  return peak;
}

const deep: Subject = { model: deepNetwork(16), input: "x", dims: [8, 8, 9, 9], classes: 4 };

t.test("a deep network", async (t) => {
  t.same(compare(deep).wrong, []);
  const [whole, pieces] = [false, true].map((recompute) => {
    using trainer = trainerOf(deep, { recompute });
    return trainer.graph;
  }) as [Model, Model];
  const [before, after] = [peakBytes(whole), peakBytes(pieces)];
  t.ok(after < 0.5 * before, `${after} of ${before} bytes`);

  // The runtime may compute a node as soon as what it reads is there: what is computed again has to read something of the backward pass.
  const { producerOf } = linksOf(pieces.graph.nodes);
  const scores = pieces.graph.outputs.at(-1)?.name ?? "";
  const readsEnd = new Map<string, boolean>([[scores, producerOf.has(scores)]]);
  const reads = (name: string): boolean => {
    const known = readsEnd.get(name);
    if (known !== undefined) return known;
    readsEnd.set(name, false);
    const answer = producerOf.get(name)?.inputs.some(reads) ?? false;
    readsEnd.set(name, answer);
    return answer;
  };
  const repeated = pieces.graph.nodes.flatMap((n) => n.outputs).filter((name) => again.test(name));
  t.ok(repeated.length > 20, `${repeated.length}`);
  t.same(
    repeated.filter((name) => !reads(name)),
    [],
  );
});

t.test("networks of many kinds", async (t) => {
  let repeated = 0;
  for (const subject of classifiers()) {
    const result = compare(subject);
    t.same(result.wrong, [], `${subject.name}`);
    repeated += Math.sign(result.repeated);
  }
  t.ok(repeated > 15, `${repeated} networks with something computed again`);
});

t.test("drawn networks, batch norms that keep their statistics, clipped gradients, in blocks", async (t) => {
  let repeated = 0;
  fc.assert(
    fc.property(anyDrawn, fc.boolean(), fc.boolean(), fc.boolean(), (drawn, freezeBatchNorm, clip, blocks) => {
      const result = compare(drawnNetwork(drawn), {
        freezeBatchNorm,
        ...(clip ? { clipNorm: 0.5 } : {}),
        ...(blocks && blockSize !== undefined ? { choose: inBlocks } : {}),
      });
      repeated += Math.sign(result.repeated);
      if (result.wrong.length > 0) throw new Error(result.wrong.join("; "));
    }),
    { numRuns: 40 },
  );
  t.ok(repeated > 10, `${repeated} networks with something computed again`);
});

t.test("chance, and what is small, is not computed again", async (t) => {
  const g = new GraphBuilder();
  const x = g.input("x", [64, 64]);
  const w = g.input("w", [64, 64]);
  const noise = g.node("RandomUniformLike", [x], {}, { outputs: ["noise"] });
  const product = g.node("MatMul", [g.node("Mul", [x, noise]), w], {}, { outputs: ["product"] });
  const mean = g.node(
    "ReduceMean",
    [product],
    { axes: attr.ints([0, 1]), keepdims: attr.int(1) },
    { outputs: ["mean"] },
  );
  const centred = g.node("Sub", [product, mean]);
  let y = centred;
  for (let i = 0; i < 6; i++) y = g.node("Tanh", [g.node("MatMul", [y, w])]);
  const forward = g.graph().nodes.length;
  // Something of a backward pass that reads all of it.
  const first = g.node("Neg", [y], {}, { outputs: ["gradient"] });
  let sum = first;
  for (const { outputs } of g.graph().nodes.slice(0, forward).toReversed()) sum = g.node("Add", [sum, ...outputs]);
  g.output(sum);
  const graph = g.graph();
  const made = recomputeForward({
    ...{ graph, forward, findOperator, opset: 13, learnt: ["w"], gradients: ["gradient"] },
    types: new Map([x, w, "noise"].map((name) => [name, { dtype: "float32", dims: [64, 64] }])),
  });
  const repeated = made.nodes.flatMap((n) => n.outputs).filter((name) => again.test(name));
  t.ok(repeated.includes("product again") || repeated.length > 5, `${repeated}`);
  t.notOk(repeated.some((name) => /^(noise|mean)/.test(name)));
});
