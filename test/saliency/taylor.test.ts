/** Scores by gradient against central differences of the loss in the parameters that they speak of. */
import { existsSync } from "node:fs";
import t from "tap";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import type { Batch } from "../../src/data/index.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Of, sizeOf } from "../../src/graph/tensors.js";
import { readModel } from "../../src/onnx/index.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, type RuntimeTensor } from "../../src/runtime/index.js";
import { collectSaliency } from "../../src/saliency/index.js";
import { asFed, numbers } from "../autodiff/check-gradient.js";
import { smallClassifier, twoHeads } from "./networks.js";

function batchOf(dims: readonly number[], classes: number | undefined, seed = 5): Batch {
  const next = numbers(seed);
  const images = Float32Array.from({ length: sizeOf(dims) }, () => 4 * next() - 2);
  const labels = classes && Int32Array.from({ length: dims[0] ?? 1 }, () => Math.floor(next() * classes));
  return { images, dims, ...(labels ? { labels } : {}) };
}
async function* all(...batches: readonly Batch[]): AsyncGenerator<Batch> {
  yield* batches;
}
const prepared = (model: Model, inputs?: Record<string, readonly number[]>) => {
  const analyzed = analyzeGraph(model, findOperator, inputs ? { inputs } : {});
  return { analyzed, coupling: analyzeCoupling(analyzed, findOperator) };
};

/** A model whose named weights may be scaled between runs. */
function scalable(model: Model, names: readonly string[], x: RuntimeTensor, input = "x") {
  const session = createSession(asFed(model, new Set(names)), { optimization: "disabled" });
  const tensors = new Map(model.graph.initializers.map((w) => [w.name, w]));
  const base: Record<string, RuntimeTensor> = { [input]: x };
  for (const name of names) {
    const w = tensors.get(name);
    if (w) base[name] = { dtype: "float32", dims: w.dims, data: float32Of(w) };
  }
  return {
    session,
    run: (changed: Record<string, Float32Array>) => {
      const feeds = { ...base };
      for (const [name, data] of Object.entries(changed)) feeds[name] = { ...(base[name] as RuntimeTensor), data };
      return session.run(feeds);
    },
    data: (name: string) => base[name]?.data as Float32Array,
  };
}

/** Mean cross-entropy in float64. */
function crossEntropy(logits: RuntimeTensor, labels: Int32Array): number {
  const [n = 1, k = 1] = logits.dims;
  const z = logits.data as Float32Array;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const row = Array.from(z.subarray(i * k, (i + 1) * k));
    const m = Math.max(...row);
    sum += m + Math.log(row.reduce((s, v) => s + Math.exp(v - m), 0)) - (row[labels[i] ?? 0] as number);
  }
  return sum / n;
}

/** Five-point formula. */
const derivative = (f: (h: number) => number, h = 0.02) => (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);

/** The layers of smallClassifier, and the group of each. */
const layers = ["stem", "inner", "deep", "out"];
const channelsOf = (coupling: Coupling, value: string) =>
  coupling.axes.get(value)?.find((a, i) => i > 0 && a !== null) ?? new Int32Array();

for (const opset of [9, 12, 17])
  t.test(`gamma dL/dgamma + beta dL/dbeta of every channel, opset ${opset}`, async (t) => {
    const model = smallClassifier({ opset });
    const { analyzed, coupling } = prepared(model);
    const batch = batchOf([3, 3, 6, 6], 4);
    const saliency = await collectSaliency({ analyzed, coupling, criterion: "taylor", batches: all(batch) });
    t.equal(saliency.loss, "cross-entropy");
    const names = layers.flatMap((l) => [`${l}.gamma`, `${l}.beta`]);
    const { run, data, session } = scalable(model, names, { dtype: "float32", dims: batch.dims, data: batch.images });
    const output = model.graph.outputs[0]?.name ?? "";
    const loss = (changed: Record<string, Float32Array>) =>
      crossEntropy(run(changed)[output] as RuntimeTensor, batch.labels ?? new Int32Array());
    const expected = new Float64Array(coupling.channelCount);
    for (const layer of layers) {
      const bn = analyzed.graph.nodes.find((n) => n.name === `${layer}.bn`)?.outputs[0] ?? "";
      channelsOf(coupling, bn).forEach((c, i) => {
        for (const name of [`${layer}.gamma`, `${layer}.beta`]) {
          const value = data(name)[i] as number;
          const slope = derivative((h) => loss({ [name]: data(name).map((v, j) => (j === i ? v + h : v)) }));
          if (c >= 0) expected[c] = (expected[c] as number) + value * slope;
        }
      });
    }
    session.dispose();
    const largest = Math.max(...expected.map(Math.abs));
    let worst = 0;
    let scored = 0;
    expected.forEach((e, c) => {
      if (coupling.groups[coupling.groupOf[c] ?? 0]?.frozen !== undefined) return;
      scored++;
      worst = Math.max(worst, Math.abs(Math.abs(e) - (saliency.importance[c] as number)) / largest);
    });
    t.equal(scored, 11, "five channels of the residual stream and six inside");
    t.ok(worst < 1e-3, `largest deviation ${worst.toExponential(1)} of the largest score`);
  });

for (const includeBias of [false, true])
  t.test(`w dL/dw without batch norm, ${includeBias ? "with" : "without"} the bias`, async (t) => {
    const model = smallClassifier({ batchNorm: false });
    const { analyzed, coupling } = prepared(model);
    const batch = batchOf([3, 3, 6, 6], 4, 9);
    const saliency = await collectSaliency({
      analyzed,
      coupling,
      criterion: "taylor",
      batches: all(batch),
      includeBias,
    });
    const names = layers.flatMap((l) => [`${l}.w`, `${l}.b`]);
    const { run, data, session } = scalable(model, names, { dtype: "float32", dims: batch.dims, data: batch.images });
    const output = model.graph.outputs[0]?.name ?? "";
    const expected = new Float64Array(coupling.channelCount);
    for (const layer of layers) {
      const node = analyzed.graph.nodes.find((n) => n.name === layer)?.outputs[0] ?? "";
      const channels = channelsOf(coupling, node);
      channels.forEach((c, i) => {
        if (c < 0) return;
        // d/dh of the loss with the filter times (1 + h) is the sum of w dL/dw.
        const scaled = (name: string, h: number) => {
          const each = data(name).length / channels.length;
          return data(name).map((v, j) => (Math.floor(j / each) === i ? v * (1 + h) : v));
        };
        const slope = derivative((h) => {
          const changed: Record<string, Float32Array> = { [`${layer}.w`]: scaled(`${layer}.w`, h) };
          if (includeBias) changed[`${layer}.b`] = scaled(`${layer}.b`, h);
          return crossEntropy(run(changed)[output] as RuntimeTensor, batch.labels ?? new Int32Array());
        });
        expected[c] = (expected[c] as number) + slope;
      });
    }
    session.dispose();
    const largest = Math.max(...expected.map(Math.abs));
    const worst = Math.max(
      ...expected.map((e, c) => Math.abs(Math.abs(e) - (saliency.importance[c] as number)) / largest),
    );
    t.ok(worst < 1e-3, `largest deviation ${worst.toExponential(1)} of the largest score`);
  });

t.test("scores of several batches are averaged, and a batch with NaN is skipped and counted", async (t) => {
  const { analyzed, coupling } = prepared(smallClassifier());
  const [a, b] = [batchOf([3, 3, 6, 6], 4, 1), batchOf([3, 3, 6, 6], 4, 2)];
  const broken = { ...a, images: a.images.map((v, i) => (i === 7 ? Number.NaN : v)) };
  const score = (...batches: readonly Batch[]) =>
    collectSaliency({ analyzed, coupling, criterion: "taylor", batches: all(...batches) });
  const [one, two, both, most] = [await score(a), await score(b), await score(a, b), await score(a, broken, b)];
  const mean = one.importance.map((v, c) => (v + (two.importance[c] as number)) / 2);
  const near = (x: Float64Array) => x.every((v, c) => Math.abs(v - (mean[c] as number)) < 1e-7);
  t.ok(near(both.importance));
  t.ok(near(most.importance));
  t.strictSame([most.batches, most.skippedBatches], [2, 1]);
  await t.rejects(score(broken), { code: "HALP_SALIENCY_NOT_FINITE" });
  await t.rejects(score(), { code: "HALP_SALIENCY_DATA" });
  await t.rejects(score({ ...a, labels: Int32Array.of(0, 4, 1) }), { code: "HALP_LABEL_RANGE" });
  await t.rejects(score(batchOf([3, 3, 5, 6], 4)), { code: "HALP_DATA_SHAPE" });
  const whole = { images: Float32Array.of(...a.images, ...b.images), dims: [6, 3, 6, 6] };
  const labels = Int32Array.of(...(a.labels ?? []), ...(b.labels ?? []));
  const cut = await score({ ...whole, labels });
  t.equal(cut.batches, 2, "a larger batch is cut to the size that was analysed");
  t.ok(near(cut.importance));
});

t.test("a softmax at the end is looked behind", async (t) => {
  const batch = batchOf([3, 3, 6, 6], 4);
  const of = async (softmax: boolean) => {
    const { analyzed, coupling } = prepared(smallClassifier({ softmax }));
    return (await collectSaliency({ analyzed, coupling, criterion: "taylor", batches: all(batch) })).importance;
  };
  const [bare, covered] = [await of(false), await of(true)];
  t.ok(Math.max(...bare) > 1e-3);
  t.ok(bare.every((v, c) => Math.abs(v - (covered[c] as number)) < 1e-6));
});

t.test("labels drawn from the network's own softmax: the Fisher information", async (t) => {
  const { analyzed, coupling } = prepared(smallClassifier({ batch: 1 }));
  const { labels: _, ...batch } = batchOf([1, 3, 6, 6], 4);
  const draws = 3000;
  const repeated = Array.from({ length: draws }, () => batch);
  const drawn = await collectSaliency({ analyzed, coupling, criterion: "taylor", batches: all(...repeated), seed: 4 });
  t.equal(drawn.loss, "own-labels");
  // The same by hand: each label's score (absolute value of one sample), squared, times how likely the label is.
  using session = createSession(analyzed.model);
  const logits = Array.from(
    Object.values(session.run({ x: { dtype: "float32", dims: batch.dims, data: batch.images } }))[0]
      ?.data as Float32Array,
  );
  const total = logits.reduce((s, z) => s + Math.exp(z), 0);
  const expected = new Float64Array(coupling.channelCount);
  for (const [label, z] of logits.entries()) {
    const one = await collectSaliency({
      analyzed,
      coupling,
      criterion: "taylor",
      batches: all({ ...batch, labels: Int32Array.of(label) }),
    });
    one.importance.forEach((s, c) => {
      expected[c] = (expected[c] as number) + (Math.exp(z) / total) * s * s;
    });
  }
  const worst = Math.max(...expected.map((e, c) => (e === 0 ? 0 : Math.abs((drawn.importance[c] as number) / e - 1))));
  t.ok(worst < 0.15, `within the error of ${draws} draws: ${worst.toFixed(3)}`);
});

t.test("projections: the squared change of the outputs", async (t) => {
  const model = twoHeads();
  const { analyzed, coupling } = prepared(model);
  const batch = batchOf([2, 3, 4, 4], undefined);
  const saliency = await collectSaliency({
    analyzed,
    coupling,
    criterion: "taylor",
    batches: all(...Array.from({ length: 300 }, () => batch)),
    projections: 4,
  });
  t.equal(saliency.loss, "projection");
  const { run, data, session } = scalable(model, ["body.w"], {
    dtype: "float32",
    dims: batch.dims,
    data: batch.images,
  });
  const outputs = model.graph.outputs.map((o) => o.name);
  const norms = Object.values(run({})).map((y) => (y.data as Float32Array).reduce((s, v) => s + v * v, 0) / 2);
  const body = analyzed.graph.nodes.find((n) => n.name === "body")?.outputs[0] ?? "";
  channelsOf(coupling, body).forEach((c, i) => {
    // J d: the derivative of all outputs along the channel's filter.
    const at = (h: number) =>
      run({ "body.w": data("body.w").map((v, j) => (Math.floor(j / 27) === i ? v * (1 + h) : v)) });
    const [up, down] = [at(0.02), at(-0.02)];
    let expected = 0;
    outputs.forEach((name, o) => {
      const [a, b] = [up[name]?.data as Float32Array, down[name]?.data as Float32Array];
      const change = a.reduce((s, v, k) => s + ((v - (b[k] as number)) / 0.04) ** 2, 0) / 2;
      expected += change / (norms[o] as number);
    });
    const ratio = (saliency.importance[c] as number) / expected;
    t.ok(Math.abs(ratio - 1) < 0.12, `channel ${i}: ${ratio.toFixed(3)} of the exact change`);
  });
  session.dispose();
});

t.test("a signal ends it between two batches, and progress is told", async (t) => {
  const { analyzed, coupling } = prepared(smallClassifier());
  const control = new AbortController();
  const told: unknown[] = [];
  const batch = batchOf([3, 3, 6, 6], 4);
  const work = collectSaliency({
    analyzed,
    coupling,
    criterion: "taylor",
    batches: all(batch, batch, batch, batch),
    batchCount: 4,
    signal: control.signal,
    onProgress: (p) => {
      told.push(p);
      if (p.done === 2) setImmediate(() => control.abort(new Error("enough")));
    },
  });
  await t.rejects(work, { message: "enough" });
  t.match(told.slice(0, 2), [
    { done: 1, total: 4 },
    { done: 2, total: 4 },
  ]);
  t.ok(told.length < 4);
});

t.test("the same seed gives the same scores", async (t) => {
  const { analyzed, coupling } = prepared(twoHeads());
  const of = async (seed: number) =>
    (
      await collectSaliency({
        analyzed,
        coupling,
        criterion: "taylor",
        batches: all(batchOf([2, 3, 4, 4], undefined)),
        seed,
      })
    ).importance;
  t.strictSame(await of(1), await of(1));
  t.notSame(await of(1), await of(2));
});

const resnet = "../shared/data/resnet20_cifar10.onnx";
t.test(
  "ResNet-20: scores of one batch against central differences in gamma and beta",
  { skip: existsSync(resnet) ? false : `${resnet} is not here` },
  async (t) => {
    const model = await readModel(resnet);
    const [input] = analyzeGraph(model, findOperator, { batch: 8 }).inputDims.keys();
    const { analyzed, coupling } = prepared(model, { [input ?? ""]: [8, 3, 32, 32] });
    const batch = batchOf([8, 3, 32, 32], 10, 21);
    const saliency = await collectSaliency({ analyzed, coupling, criterion: "taylor", batches: all(batch) });
    t.strictSame(saliency.cut, []);
    const norms = analyzed.graph.nodes.filter((n) => n.opType === "BatchNormalization");
    const names = norms.flatMap((n) => [n.inputs[1] ?? "", n.inputs[2] ?? ""]);
    const fed = names.filter((name) => analyzed.graph.initializers.some((w) => w.name === name));
    const { run, data, session } = scalable(
      model,
      [...new Set(fed)],
      { dtype: "float32", dims: batch.dims, data: batch.images },
      input,
    );
    const output = model.graph.outputs[0]?.name ?? "";
    const free = coupling.groups.filter((g) => g.frozen === undefined);
    let checked = 0;
    let worst = 0;
    const largest = Math.max(...saliency.importance);
    for (const group of free.filter((_, i) => i % 4 === 0)) {
      const c = group.start + Math.floor(group.size / 2);
      let expected = 0;
      let known = true;
      for (const node of norms) {
        const at = channelsOf(coupling, node.outputs[0] ?? "").indexOf(c);
        if (at < 0) continue;
        for (const name of node.inputs.slice(1, 3)) {
          if (!fed.includes(name)) {
            known = false;
            continue;
          }
          // The five-point formula in steps that are small against the many kinks of ReLU.
          const slope = derivative((h) => {
            const moved = data(name).map((v, j) => (j === at ? v + h : v));
            return crossEntropy(run({ [name]: moved })[output] as RuntimeTensor, batch.labels ?? new Int32Array());
          }, 2e-3);
          expected += (data(name)[at] as number) * slope;
        }
      }
      if (!known) continue;
      checked++;
      worst = Math.max(worst, Math.abs(Math.abs(expected) - (saliency.importance[c] as number)) / largest);
    }
    session.dispose();
    t.ok(checked >= 2, `${checked} channels checked`);
    t.ok(worst < 1e-2, `largest deviation ${worst.toExponential(1)} of the largest score`);
  },
);
