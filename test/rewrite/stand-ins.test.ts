/** What stands in for removed channels: absorbed into biases it equals the masked original, and means lower the loss. */
import fc from "fast-check";
import t from "tap";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { absorbersOf } from "../../src/rewrite/absorb.js";
import {
  applyPlan,
  betaStandIns,
  meanStandIns,
  type RewriteResult,
  type StandIns,
  verifyRewrite,
} from "../../src/rewrite/index.js";
import { createSession, type Feeds, floatsOf, floatTensor } from "../../src/runtime/index.js";
import { zoo as wholeNetworks } from "../zoo/index.js";
import { Layers } from "../zoo/layers.js";
import { randomPlan, seeded } from "./random-plan.js";
import { zoo } from "./zoo.js";

/** Any constants whatever, the same for the same place. */
function randomStandIns(analyzed: AnalyzedGraph, seed: number): StandIns {
  const made = new Map<string, Float64Array>();
  return {
    valuesOf(name, axis) {
      const key = `${name} ${axis}`;
      const random = seeded(seed + made.size);
      const extent = analyzed.types.get(name)?.dims[axis] ?? 0;
      const values = made.get(key) ?? Float64Array.from({ length: extent }, () => random() - 0.3);
      made.set(key, values);
      return values;
    },
  };
}

const added = (r: RewriteResult) => r.model.graph.initializers.filter((w) => w.name.includes("_absorbed")).length;

t.test("masked equals removed, whatever stands in", async (t) => {
  for (const network of zoo) {
    const analyzed = analyzeGraph(network.model, findOperator, { inputDims: new Map(Object.entries(network.inputs)) });
    const coupling = analyzeCoupling(analyzed, findOperator);
    let worst = 0;
    for (let seed = 0; seed < 6; seed++) {
      const plan = randomPlan(analyzed, coupling, seeded(seed), seed % 2 === 0 ? 0 : 0.3);
      const standIns = randomStandIns(analyzed, seed);
      const rewritten = applyPlan(analyzed, coupling, plan, findOperator, { standIns });
      t.same(
        rewritten.model.graph.nodes.filter((n) => n.opType !== "Constant").map((n) => n.opType),
        applyPlan(analyzed, coupling, plan, findOperator)
          .model.graph.nodes.filter((n) => n.opType !== "Constant")
          .map((n) => n.opType),
        "no operator is added",
      );
      worst = Math.max(worst, verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError);
    }
    t.ok(worst < 1e-4, `${network.name}: ${worst.toExponential(1)}`);
  }
});

t.test("also in whole architectures", async (t) => {
  let absorbed = 0;
  for (const network of wholeNetworks) {
    const opset = network.opsets?.at(-1) ?? 13;
    const net = new Layers(opset);
    network.build(net);
    const analyzed = analyzeGraph(net.model(opset), findOperator, { batch: 2 });
    const coupling = analyzeCoupling(analyzed, findOperator);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const plan = randomPlan(analyzed, coupling, seeded(seed), 0.2);
        const rewritten = applyPlan(analyzed, coupling, plan, findOperator, {
          standIns: randomStandIns(analyzed, seed),
        });
        absorbed += added(rewritten);
        return verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError < 1e-3;
      }),
      { numRuns: 2 },
    );
  }
  t.ok(absorbed > 100, `${absorbed} biases took something up`);
});

interface Made {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
}

interface Parts {
  /** Activation behind the batch norm, given the value and the number of channels. */
  readonly activation: (g: GraphBuilder, x: string, channels: number) => string;
  /** Padding of the convolution that reads the channels. */
  readonly padding: number;
  /** Channels whose batch norm has scale zero, and those whose variance is zero and weights too. */
  readonly dead?: readonly number[];
  readonly silent?: readonly number[];
  readonly batchNorm?: boolean;
}

const channels = 8;

/** x -> conv -> batch norm -> activation -> conv 3x3 -> batch norm -> global pool -> Gemm. */
function network({ activation, padding, dead = [], silent = [], batchNorm = true }: Parts): Made {
  const random = seeded(5);
  const g = new GraphBuilder();
  const draw = (name: string, dims: readonly number[], of: (i: number) => number = () => random() - 0.5) =>
    g.initializer(
      float32Tensor(
        name,
        dims,
        Array.from({ length: sizeOf(dims) }, (_, i) => of(i)),
      ),
    );
  const norm = (x: string, name: string, gamma: (i: number) => number, variance: (i: number) => number) =>
    g.node("BatchNormalization", [
      x,
      draw(`${name}.gamma`, [channels], gamma),
      draw(`${name}.beta`, [channels], (i) => 0.3 * i - 0.6),
      draw(`${name}.mean`, [channels], (i) => (silent.includes(i) ? 0 : random() - 0.5)),
      draw(`${name}.var`, [channels], variance),
    ]);
  const x = g.input("x", [2, 3, 9, 9]);
  const weight = draw("first.weight", [channels, 3, 3, 3], (i) =>
    silent.includes(Math.floor(i / 27)) ? 0 : random() - 0.5,
  );
  let y = g.node("Conv", [x, weight], { pads: attr.ints([1, 1, 1, 1]) }, { name: "first" });
  if (batchNorm)
    y = norm(
      y,
      "norm1",
      (i) => (dead.includes(i) ? 0 : i % 2 === 0 ? -1.1 : 0.8),
      (i) => (silent.includes(i) ? 0 : 0.5 + random()),
    );
  y = activation(g, y, channels);
  g.node("Identity", [y], {}, { outputs: ["read"] });
  const second = draw("second.weight", [channels, channels, 3, 3]);
  y = g.node("Conv", ["read", second], { pads: attr.ints(new Array(4).fill(padding)) }, { name: "second" });
  y = norm(
    y,
    "norm2",
    () => 0.9,
    () => 0.7,
  );
  y = g.node("Flatten", [g.node("GlobalAveragePool", [g.node("Relu", [y])])]);
  g.node("Gemm", [y, draw("head.weight", [channels, 5]), draw("head.bias", [5])], {}, { outputs: ["y"] });
  g.output("y", [2, 5]);
  const analyzed = analyzeGraph(g.model({ opset: 16 }), findOperator, {});
  return { analyzed, coupling: analyzeCoupling(analyzed, findOperator) };
}

function planWithout({ coupling }: Made, producer: string, gone: readonly number[]) {
  return {
    kept: coupling.groups.map((group) =>
      Int32Array.from({ length: group.size }, (_, i) => i).filter(
        (c) => !group.producers.some((p) => p.name === producer) || !gone.includes(c),
      ),
    ),
  };
}

const feedsOf = (seed: number): Feeds => {
  const random = seeded(seed);
  return {
    x: floatTensor(
      Float32Array.from({ length: 2 * 3 * 81 }, () => 2 * random() - 1),
      [2, 3, 9, 9],
    ),
  };
};

async function* batches(count: number): AsyncGenerator<Feeds> {
  for (let i = 0; i < count; i++) yield feedsOf(i);
}

function run(model: Model, feeds: Feeds, output = "y"): Float32Array {
  using session = createSession(
    {
      ...model,
      graph: { ...model.graph, outputs: [{ name: output, dtype: "float32", dtypeCode: 1 }] },
    },
    { optimization: "disabled" },
  );
  return floatsOf(session.run(feeds)[output] as NonNullable<ReturnType<typeof session.run>[string]>);
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, v, i) => sum + (v - (b[i] as number)) ** 2, 0));
}

const activations: Readonly<Record<string, Parts["activation"]>> = {
  none: (_, x) => x,
  Relu: (g, x) => g.node("Relu", [x]),
  LeakyRelu: (g, x) => g.node("LeakyRelu", [x], { alpha: attr.float(0.2) }),
  PRelu: (g, x, n) =>
    g.node("PRelu", [
      x,
      g.initializer(
        float32Tensor(
          "slopes",
          [n, 1, 1],
          Array.from({ length: n }, (_, i) => 0.1 * i - 0.3),
        ),
      ),
    ]),
  HardSwish: (g, x) => g.node("HardSwish", [x]),
  SiLU: (g, x) => g.node("Mul", [x, g.node("Sigmoid", [x])]),
  "max pool": (g, x) => g.node("MaxPool", [x], { kernel_shape: attr.ints([3, 3]), pads: attr.ints([1, 1, 1, 1]) }),
};

t.test("a channel that is constant goes and nothing changes, behind any activation", async (t) => {
  for (const [name, activation] of Object.entries(activations)) {
    const made = network({ activation, padding: 0, dead: [1, 2, 6], silent: [0, 5] });
    const { analyzed, coupling } = made;
    const plan = planWithout(made, "first", [0, 1, 2, 5, 6]);
    const dense = run(analyzed.model, feedsOf(9));
    const means = await meanStandIns(analyzed, coupling, findOperator, batches(2));
    const betas = betaStandIns(analyzed, coupling, findOperator);
    for (const [kind, standIns] of Object.entries({ means, betas })) {
      const rewritten = applyPlan(analyzed, coupling, plan, findOperator, { standIns });
      verifyRewrite(analyzed, coupling, plan, rewritten);
      const error = distance(run(rewritten.model, feedsOf(9)), dense);
      t.ok(error < 1e-5, `${name}, ${kind}: ${error}`);
    }
    const zeroed = distance(run(applyPlan(analyzed, coupling, plan, findOperator).model, feedsOf(9)), dense);
    t.ok(zeroed > 1e-2, `${name}: as zeros they are missed (${zeroed})`);
  }
});

t.test("behind zero padding the mean over all positions is taken up", async (t) => {
  const made = network({ activation: activations.Relu as Parts["activation"], padding: 1, dead: [1, 6] });
  const { analyzed, coupling } = made;
  const plan = planWithout(made, "first", [1, 6]);
  const standIns = await meanStandIns(analyzed, coupling, findOperator, batches(2));
  const rewritten = applyPlan(analyzed, coupling, plan, findOperator, { standIns });
  const mean = (data: Float32Array, c: number) => {
    let sum = 0;
    for (let b = 0; b < 2; b++) for (let i = 0; i < 81; i++) sum += data[(b * channels + c) * 81 + i] as number;
    return sum / 162;
  };
  const output = analyzed.graph.nodes.find((n) => n.name === "second")?.outputs[0] ?? "";
  const norm = analyzed.consumersOf.get(output)?.[0]?.outputs[0] ?? "";
  const dense = run(analyzed.model, feedsOf(3), norm);
  const pruned = run(rewritten.model, feedsOf(3), norm);
  t.ok(distance(dense, pruned) > 1e-3, "borders differ");
  for (let c = 0; c < channels; c++) t.ok(Math.abs(mean(dense, c) - mean(pruned, c)) < 1e-5, `channel ${c}`);
});

t.test("means are means; betas are what batch norm's betas come to, and nothing without one", async (t) => {
  const relu = activations.Relu as Parts["activation"];
  const { analyzed, coupling } = network({ activation: relu, padding: 1 });
  const means = await meanStandIns(analyzed, coupling, findOperator, batches(3));
  const sums = new Float64Array(channels);
  for (let b = 0; b < 3; b++)
    run(analyzed.model, feedsOf(b), "read").forEach((v, i) => {
      const c = Math.floor(i / 81) % channels;
      sums[c] = (sums[c] as number) + v / (3 * 162);
    });
  const [read = ""] = analyzed.graph.nodes.find((n) => n.name === "second")?.inputs ?? [];
  sums.forEach((s, c) => {
    t.ok(Math.abs(s - (means.valuesOf(read, 1)?.[c] ?? Number.NaN)) < 1e-6, `mean of channel ${c}`);
  });
  const beta = Array.from({ length: channels }, (_, i) => Math.max(0, 0.3 * i - 0.6));
  const close = (values: Float64Array | undefined, expected: readonly number[]) =>
    t.ok(values && expected.every((v, i) => Math.abs(v - (values[i] as number)) < 1e-6), `${values}`);
  close(betaStandIns(analyzed, coupling, findOperator).valuesOf(read, 1), beta);

  const bare = network({ activation: relu, padding: 1, batchNorm: false });
  close(betaStandIns(bare.analyzed, bare.coupling, findOperator).valuesOf(read, 1), new Array(channels).fill(0));
  const blurred = network({
    activation: (g, x) =>
      g.node("AveragePool", [x], {
        kernel_shape: attr.ints([3, 3]),
        pads: attr.ints([1, 1, 1, 1]),
        count_include_pad: attr.int(1),
      }),
    padding: 1,
  });
  close(betaStandIns(blurred.analyzed, blurred.coupling, findOperator).valuesOf(read, 1), new Array(channels).fill(0));
});

t.test("without padding, on the data that the means are of, no layer is further off than with zeros", async () => {
  const made = network({ activation: activations.LeakyRelu as Parts["activation"], padding: 0 });
  const { analyzed, coupling } = made;
  const output = analyzed.graph.nodes.find((n) => n.name === "second")?.outputs[0] ?? "";
  const norm = analyzed.consumersOf.get(output)?.[0]?.outputs[0] ?? "";
  const standIns = await meanStandIns(analyzed, coupling, findOperator, batches(1));
  const dense = run(analyzed.model, feedsOf(0), norm);
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(channels - 1), { minLength: 1, maxLength: channels - 1 }), (gone) => {
      const plan = planWithout(made, "first", gone);
      const off = (model: Model) => distance(run(model, feedsOf(0), norm), dense);
      const means = off(applyPlan(analyzed, coupling, plan, findOperator, { standIns }).model);
      return means <= off(applyPlan(analyzed, coupling, plan, findOperator).model) + 1e-5;
    }),
    { numRuns: 30 },
  );
});

t.test("layers with no addend of their own are left alone", async (t) => {
  const g = new GraphBuilder();
  const random = seeded(2);
  const w = (name: string, dims: readonly number[]) =>
    g.initializer(
      float32Tensor(
        name,
        dims,
        Array.from({ length: sizeOf(dims) }, () => random() - 0.5),
      ),
    );
  const x = g.input("x", [1, 3, 4, 4]);
  const a = g.node("Conv", [x, w("a", [6, 3, 1, 1])]);
  const b = g.node("Conv", [a, w("b", [6, 6, 1, 1])]);
  const c = g.node("Conv", [g.node("Relu", [b]), w("c", [2, 6, 1, 1]), w("bias", [2])]);
  g.output(c, [1, 2, 4, 4]);
  const analyzed = analyzeGraph(g.model({ opset: 13 }), findOperator, {});
  const coupling = analyzeCoupling(analyzed, findOperator);
  t.same(
    absorbersOf(analyzed, coupling, findOperator).map((l) => l.node.inputs[1]),
    ["c"],
  );
});
