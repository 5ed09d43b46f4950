import t from "tap";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import { type Batch, createRandom, fillGaussian, syntheticDataset } from "../../src/data/index.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model, Tensor } from "../../src/graph/ir.js";
import { float32Of, float32Tensor } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, floatsOf, floatTensor } from "../../src/runtime/index.js";
import { collectSaliency, findSites } from "../../src/saliency/index.js";
import { Net } from "../coupling/zoo.js";

const batchSize = 4;
const classes = 5;

/** Every kind of producer: with batch norm, depthwise, without, residual; smooth activations, so that differences are good. */
function network(): Model {
  const n = new Net();
  const x = n.b.input("x", [batchSize, 3, 8, 8]);
  const stem = n.op("Tanh", [n.bn("bn0", n.conv("stem", x, 3, 6, { bias: false }), 6)]);
  const deep = n.op("Sigmoid", [n.bn("bn1", n.conv("dw", stem, 6, 6, { group: 6 }), 6)]);
  const mid = n.op("Tanh", [n.bn("bn2", n.conv("mid", deep, 6, 4, { k: 1 }), 4)]);
  const sum = n.op("Add", [n.bn("bn3", n.conv("out", mid, 4, 6), 6), stem]);
  const plain = n.op("Tanh", [n.conv("plain", sum, 6, 5, { k: 1 })]);
  n.head(plain, 5, classes);
  return n.model();
}

const model = network();
const analyzed = analyzeGraph(model, findOperator, {});
const coupling = analyzeCoupling(analyzed, findOperator);
const batch: Batch = {
  images: fillGaussian(new Float32Array(batchSize * 3 * 64), createRandom(3)),
  dims: [batchSize, 3, 8, 8],
  labels: Int32Array.of(0, 3, 2, 4),
};

async function* once(b: Batch) {
  yield b;
}
const scoresOf = (a: AnalyzedGraph, c: Coupling, b: Batch, seed = 0) =>
  collectSaliency({ analyzed: a, coupling: c, criterion: "taylor", batches: once(b), seed });

/** Mean cross-entropy with one initialiser replaced. */
function lossWith(replaced?: Tensor): number {
  const initializers = model.graph.initializers.map((i) => (i.name === replaced?.name ? replaced : i));
  using session = createSession({ ...model, graph: { ...model.graph, initializers } }, { optimization: "disabled" });
  const output = session.run({ x: floatTensor(batch.images, batch.dims) })[session.outputNames[0] ?? ""];
  const logits = output ? floatsOf(output) : new Float32Array();
  let loss = 0;
  for (let row = 0; row < batchSize; row++) {
    const z = [...logits.subarray(row * classes, (row + 1) * classes)];
    loss += Math.log(z.reduce((s, v) => s + Math.exp(v), 0)) - (z[batch.labels?.[row] ?? 0] as number);
  }
  return loss / batchSize;
}

/** For each element p of an initialiser: p * dL/dp, by central differences. */
function weighted(name: string): number[] {
  const tensor = model.graph.initializers.find((i) => i.name === name) as Tensor;
  const values = float32Of(tensor);
  const step = 0.02;
  return [...values].map((p, i) => {
    const at = (v: number) =>
      lossWith(
        float32Tensor(
          name,
          tensor.dims,
          values.map((w, j) => (j === i ? v : w)),
        ),
      );
    return (p * (at(p + step) - at(p - step))) / (2 * step);
  });
}

t.test(
  "scores of one batch equal central differences of the loss in each gamma and beta, or in each weight",
  async (t) => {
    const { importance, batches } = await scoresOf(analyzed, coupling, batch);
    t.equal(batches, 1);
    const expected = new Float64Array(coupling.channelCount);
    for (const { batchNorm, producer, channels } of findSites(analyzed, coupling)) {
      const names = batchNorm ? batchNorm.inputs.slice(1, 3) : [producer.inputs[1] ?? ""];
      for (const name of names) {
        const terms = weighted(name);
        const each = terms.length / channels.length;
        terms.forEach((term, i) => {
          const channel = channels[Math.floor(i / each)] as number;
          expected[channel] = (expected[channel] as number) + term;
        });
      }
    }
    t.equal(findSites(analyzed, coupling).length, 6);
    const scale = Math.max(...expected.map(Math.abs));
    expected.forEach((e, channel) => {
      const error = Math.abs(Math.abs(e) - (importance[channel] as number));
      t.ok(
        error < 2e-3 * scale,
        `channel ${channel}: ${Math.abs(e)} by differences, ${importance[channel]} by gradient`,
      );
    });
  },
);

t.test("without labels, labels are drawn from the network's own softmax, the same for the same seed", async (t) => {
  const { labels: _, ...unlabelled } = batch;
  const a = await scoresOf(analyzed, coupling, unlabelled, 1);
  const b = await scoresOf(analyzed, coupling, unlabelled, 1);
  const c = await scoresOf(analyzed, coupling, unlabelled, 2);
  t.same([...a.importance], [...b.importance]);
  t.notSame([...a.importance], [...c.importance]);
});

t.test("projections: the mean of squares is the squared change of the outputs", async (t) => {
  // One linear layer between channels and two outputs: scaling channel c away changes the output by exactly W_c z_c.
  const n = new Net();
  const x = n.b.input("x", [2, 3, 4, 4]);
  const z = n.conv("a", x, 3, 4, { bias: false });
  const y = n.conv("b", z, 4, 3, { k: 1, bias: false });
  n.b.output(y);
  n.b.output(z);
  const made = n.model();
  const withZ = analyzeGraph(made, findOperator, {});
  const images = fillGaussian(new Float32Array(2 * 3 * 16), createRandom(5));
  using session = createSession(made);
  const run = session.run({ x: floatTensor(images, [2, 3, 4, 4]) });
  const zs = floatsOf(run[z] ?? floatTensor(new Float32Array(), [0]));
  const ys = floatsOf(run[y] ?? floatTensor(new Float32Array(), [0]));
  const only: Model = { ...made, graph: { ...made.graph, outputs: made.graph.outputs.filter((o) => o.name === y) } };
  const a = analyzeGraph(only, findOperator, {});
  const c = analyzeCoupling(a, findOperator);
  const rounds = 3000;
  async function* many() {
    for (let i = 0; i < rounds; i++) yield { images, dims: [2, 3, 4, 4] };
  }
  const { importance } = await collectSaliency({
    analyzed: a,
    coupling: c,
    criterion: "taylor",
    batches: many(),
    seed: 9,
  });
  const weights = float32Of(withZ.constants.get("b.w") as Tensor);
  const norm = ys.reduce((s, v) => s + v * v, 0);
  const group = c.groups.find((g) => g.name === "a");
  for (let channel = 0; channel < 4; channel++) {
    let change = 0;
    for (let sample = 0; sample < 2; sample++)
      for (let p = 0; p < 16; p++)
        for (let o = 0; o < 3; o++) {
          const v = (weights[o * 4 + channel] as number) * (zs[(sample * 4 + channel) * 16 + p] as number);
          change += v * v;
        }
    const came = importance[(group?.start ?? 0) + channel] as number;
    t.ok(Math.abs(came / (change / norm) - 1) < 0.15, `channel ${channel}: ${came} against ${change / norm}`);
  }
});

t.test("a batch with NaN is skipped and counted; nothing but such batches is an error", async (t) => {
  const bad: Batch = { ...batch, images: batch.images.map((v, i) => (i === 7 ? Number.NaN : v)) };
  async function* both() {
    yield bad;
    yield batch;
  }
  const mixed = await collectSaliency({ analyzed, coupling, criterion: "taylor", batches: both() });
  t.match(mixed, { batches: 1, skippedBatches: 1 });
  t.same([...mixed.importance], [...(await scoresOf(analyzed, coupling, batch)).importance]);
  await t.rejects(scoresOf(analyzed, coupling, bad), { code: "HALP_SALIENCY_NAN", exitCode: 1 });
});

t.test("labels out of range and data of the wrong shape are refused", async (t) => {
  await t.rejects(scoresOf(analyzed, coupling, { ...batch, labels: Int32Array.of(0, 1, 2, 5) }), {
    code: "HALP_LABEL_RANGE",
  });
  const data = syntheticDataset([3, 9, 9], 0);
  await t.rejects(
    collectSaliency({
      analyzed,
      coupling,
      criterion: "taylor",
      batches: data.batches({ batchSize, limit: batchSize }),
    }),
    { code: "HALP_DATA_SHAPE" },
  );
});

t.test("criteria that look at weights alone", async (t) => {
  const none = once(batch);
  const l1 = await collectSaliency({ analyzed, coupling, criterion: "l1", batches: none });
  const l2 = await collectSaliency({ analyzed, coupling, criterion: "l2", batches: none });
  const mid = coupling.groups.find((g) => g.name === "mid");
  const w = float32Of(analyzed.constants.get("mid.w") as Tensor);
  for (let c = 0; c < 4; c++) {
    const filter = [...w.subarray(c * 6, c * 6 + 6)];
    const at = (mid?.start ?? 0) + c;
    t.ok(Math.abs((l1.importance[at] as number) - filter.reduce((s, v) => s + Math.abs(v), 0)) < 1e-6);
    t.ok(Math.abs((l2.importance[at] as number) - Math.hypot(...filter)) < 1e-6);
  }
  const scale = await collectSaliency({ analyzed, coupling, criterion: "bn-scale", batches: none });
  const gamma = float32Of(analyzed.constants.get("bn2.gamma") as Tensor);
  t.ok(Math.abs((scale.importance[mid?.start ?? 0] as number) - Math.abs(gamma[0] as number)) < 1e-6);
  const random = await collectSaliency({ analyzed, coupling, criterion: "random", batches: none, seed: 4 });
  t.ok(random.importance.every((s) => s > 0 && s <= 1));
});

t.test("a final softmax is seen through", async (t) => {
  const n = new Net();
  const x = n.b.input("x", [batchSize, 3, 8, 8]);
  const a = n.op("Tanh", [n.bn("bn0", n.conv("stem", x, 3, 6), 6)]);
  const flat = n.op("Flatten", [n.op("GlobalAveragePool", [a])]);
  const logits = n.op("Gemm", [flat, n.weights("fc.w", [classes, 6]), n.weights("fc.b", [classes])], {
    transB: attr.int(1),
  });
  const make = (output: string) => {
    const graph = { ...n.b.graph(), outputs: [{ name: output, dtype: "float32" as const, dtypeCode: 1 }] };
    return analyzeGraph({ ...n.model(), graph }, findOperator, {});
  };
  const soft = n.op("Softmax", [logits], { axis: attr.int(1) });
  const scores = async (output: string) => {
    const a = make(output);
    const c = analyzeCoupling(a, findOperator);
    return [...(await scoresOf(a, c, batch)).importance].slice(0, 6);
  };
  const [fromLogits, fromSoftmax] = [await scores(logits), await scores(soft)];
  fromLogits.forEach((v, i) => {
    t.ok(Math.abs(v - (fromSoftmax[i] as number)) < 1e-6);
  });
});
