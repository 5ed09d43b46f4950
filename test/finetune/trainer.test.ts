import t from "tap";
import { createRandom, fillGaussian } from "../../src/data/index.js";
import {
  addPass,
  labelsAsOf,
  type Optimizer,
  openPasser,
  type PassSum,
  packedLength,
  packPass,
  unpackPass,
} from "../../src/finetune/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Of, int64Tensor } from "../../src/graph/tensors.js";
import { encodeModel } from "../../src/onnx/index.js";
import { createSession, floatsOf, floatTensor } from "../../src/runtime/index.js";
import { checkDirections, copyOf, trainerOf } from "./directions.js";
import { linearNetwork, patternBatch, residualNetwork } from "./networks.js";

t.test("gradients through batch norm in training equal finite differences", async (t) => {
  const batch = patternBatch([6, 2, 6, 6], 3, 5);
  using trainer = trainerOf(residualNetwork(), 6);
  await checkDirections(t, trainer, [batch], /^[\w.]+(weight|scale|bias)$/);
});

t.test("with label smoothing, frozen batch norm, accumulation", async (t) => {
  const batches = [patternBatch([4, 2, 6, 6], 3, 5), patternBatch([4, 2, 6, 6], 3, 6)];
  using trainer = trainerOf(residualNetwork(), 4, {
    loss: [{ kind: "cross-entropy", labelSmoothing: 0.1, weight: 0.7 }],
    freezeBatchNorm: true,
    accumulate: 2,
  });
  const before = copyOf(trainer);
  t.notOk(
    [...before.keys()].some((name) => /mean|var/.test(name)),
    "statistics are not touched",
  );
  await checkDirections(t, trainer, batches, /^[\w.]+(weight|scale|bias)$/);
});

t.test("distillation: soft labels, outputs, inner values", async (t) => {
  // As exporters name nodes: student and teacher alike.
  const named = (model: Model): Model => {
    const nodes = model.graph.nodes.map((n, i) => ({ ...n, name: `${n.opType}_${i}` }));
    return { ...model, graph: { ...model.graph, nodes } };
  };
  const teacher = named(residualNetwork("Tanh", 7));
  const [inner = ""] = teacher.graph.nodes.find((n) => n.opType === "Add")?.outputs ?? [];
  using trainer = trainerOf(named(residualNetwork()), 4, {
    loss: [
      { kind: "soft-labels", temperature: 3 },
      { kind: "outputs", weight: 0.5 },
      { kind: "values", values: [inner], weight: 0.25 },
    ],
    teacher,
  });
  t.equal(trainer.labelled, false);
  const { labels: _, ...unlabelled } = patternBatch([4, 2, 6, 6], 3, 5);
  await checkDirections(t, trainer, [unlabelled], /^[\w.]+(weight|scale|bias)$/);

  // Of the teacher itself the loss is nothing (in inference: batch norms must not move).
  using same = trainerOf(teacher, 4, {
    loss: [{ kind: "soft-labels" }, { kind: "outputs" }],
    teacher,
    freezeBatchNorm: true,
  });
  t.ok(same.step([unlabelled], 0).loss < 1e-6);
});

t.test("cross-entropy is what it says", async (t) => {
  const model = linearNetwork(5, 4);
  const batch = patternBatch([3, 5], 4, 1);
  for (const labelSmoothing of [0, 0.2]) {
    using trainer = trainerOf(model, 3, { loss: [{ kind: "cross-entropy", labelSmoothing }] });
    using session = createSession(model);
    const z = floatsOf(session.run({ x: floatTensor(batch.images, batch.dims) }).y!);
    let expected = 0;
    batch.labels!.forEach((label, n) => {
      const row = [...z.subarray(n * 4, n * 4 + 4)];
      const log = Math.log(row.reduce((s, v) => s + Math.exp(v), 0));
      row.forEach((v, k) => {
        expected -= ((k === label ? 1 - labelSmoothing : 0) + labelSmoothing / 4) * (v - log);
      });
    });
    const { loss, correct } = trainer.step([batch], 0);
    t.ok(Math.abs(loss - expected / 3) < 1e-5);
    t.type(correct, "number");
  }
});

t.test("a loss of the user's own", async (t) => {
  const g = new GraphBuilder();
  g.input("y", ["n", 1]);
  g.input("labels", ["n", 1], "float32");
  const difference = g.node("Sub", ["y", "labels"]);
  const mean = g.node("ReduceMean", [g.node("Mul", [difference, difference])], { keepdims: attr.int(0) });
  g.output(mean, []);
  const own = g.model({ opset: 17 });
  const model = linearNetwork(4, 1);
  const batch = patternBatch([5, 4], 3, 2);
  using trainer = trainerOf(model, 5, { loss: [{ kind: "graph", model: own }] });
  t.equal(trainer.labelled, true);
  using session = createSession(model);
  const y = floatsOf(session.run({ x: floatTensor(batch.images, batch.dims) }).y!);
  const expected = y.reduce((s, v, i) => s + (v - batch.labels![i]!) ** 2, 0) / 5;
  t.ok(Math.abs(trainer.step([batch], 0).loss - expected) < 1e-5 * expected);
  await checkDirections(t, trainer, [batch], /^[wb]$/);

  const wrong = new GraphBuilder();
  wrong.input("z", [1]);
  wrong.output(wrong.node("Neg", ["z"]), [1]);
  t.throws(() => trainerOf(model, 5, { loss: [{ kind: "graph", model: wrong.model({ opset: 17 }) }] }), {
    code: "HALP_LOSS",
  });
});

t.test("a loss of the user's own may take labels of any shape", async (t) => {
  // Mean over the batch and the outputs of a weight for each output times the squared difference: labels [n, 2, 3], the weight first.
  const g = new GraphBuilder();
  g.input("y", ["n", 3]);
  g.input("labels", ["n", 2, 3], "float32");
  const row = (i: number) =>
    g.node("Gather", ["labels", g.initializer(int64Tensor(`row${i}`, [], [i]))], { axis: attr.int(1) });
  const difference = g.node("Sub", ["y", row(1)]);
  const weighed = g.node("Mul", [row(0), g.node("Mul", [difference, difference])]);
  g.output(g.node("ReduceMean", [weighed], { keepdims: attr.int(0) }), []);
  const loss = [{ kind: "graph", model: g.model({ opset: 17 }) }] as const;
  t.equal(labelsAsOf(loss), "numbers");
  const model = linearNetwork(4, 3);
  const { images, dims } = patternBatch([5, 4], 3, 2);
  const data = fillGaussian(new Float32Array(30), createRandom(8), 0.5, 1);
  const batch = { images, dims, labelArray: { data, dims: [5, 2, 3] } };
  using trainer = trainerOf(model, 5, { loss, labelDims: [2, 3] });
  using session = createSession(model);
  const y = floatsOf(session.run({ x: floatTensor(images, dims) }).y!);
  let expected = 0;
  for (let n = 0; n < 5; n++)
    for (let k = 0; k < 3; k++) expected += (data[6 * n + k]! * (y[3 * n + k]! - data[6 * n + 3 + k]!) ** 2) / 15;
  t.ok(Math.abs(trainer.step([batch], 0).loss - expected) < 1e-5 * Math.abs(expected));
  await checkDirections(t, trainer, [batch], /^[wb]$/);
  t.throws(() => trainerOf(model, 5, { loss, labelDims: [3, 2] }), { code: "HALP_LOSS", message: /\[5, 3, 2\]/ });
  t.throws(() => trainer.step([{ images, dims }], 0), { code: "HALP_LABELS_MISSING" });
});

t.test("optimisers follow their formulas", async (t) => {
  const model = linearNetwork(3, 2);
  const batch = patternBatch([4, 3], 2, 3);
  const rates = [0.1, 0.05, 0.2, 0.1];
  const cases: readonly Optimizer[] = [
    { kind: "sgd" },
    { kind: "sgd", momentum: 0.9, weightDecay: 0.1 },
    { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0.1 },
    { kind: "adamw", weightDecay: 0.1 },
  ];
  for (const optimizer of cases) {
    using trainer = trainerOf(model, 4, { optimizer });
    /** The gradient at some weights, by a step of plain SGD. */
    using probe = trainerOf(model, 4);
    const w = new Map(
      [...copyOf(probe)].map(([name, { data, dims }]) => [name, { data: Float64Array.from(data), dims }]),
    );
    const state = new Map(
      [...w].map(([name, { data }]) => [name, [new Float64Array(data.length), new Float64Array(data.length)]]),
    );
    const lists = [...w.keys()].filter((name) => name === "w" || name === "b");
    rates.forEach((rate, step) => {
      probe.load(
        new Map(
          [...copyOf(probe)].map(([name, tensor]) => [
            name,
            { dims: tensor.dims, data: Float32Array.from(w.get(name)!.data) },
          ]),
        ),
        0,
      );
      const before = copyOf(probe);
      probe.step([batch], 1);
      const after = copyOf(probe);
      for (const name of lists) {
        const { data, dims } = w.get(name)!;
        const [first, second] = state.get(name)! as [Float64Array, Float64Array];
        const decay = dims.length > 1 ? (optimizer.weightDecay ?? 0) : 0;
        for (let i = 0; i < data.length; i++) {
          const g = before.get(name)!.data[i]! - after.get(name)!.data[i]!;
          if (optimizer.kind === "sgd") {
            const d = g + decay * data[i]!;
            first[i] = (optimizer.momentum ?? 0) * first[i]! + d;
            data[i]! -= rate * (optimizer.nesterov ? d + optimizer.momentum! * first[i]! : first[i]!);
          } else {
            first[i] = 0.9 * first[i]! + 0.1 * g;
            second[i] = 0.999 * second[i]! + 0.001 * g * g;
            const [m, v] = [first[i]! / (1 - 0.9 ** (step + 1)), second[i]! / (1 - 0.999 ** (step + 1))];
            data[i]! -= rate * (m / (Math.sqrt(v) + 1e-8) + decay * data[i]!);
          }
        }
      }
      trainer.step([batch], rate);
    });
    for (const name of lists) {
      const got = copyOf(trainer).get(name)!.data;
      const worst = Math.max(...got.map((v, i) => Math.abs(v - w.get(name)!.data[i]!)));
      t.ok(worst < 2e-4, `${JSON.stringify(optimizer)}, ${name}: off by ${worst}`);
    }
  }
});

t.test("clipping scales the whole gradient to the norm", async (t) => {
  const model = linearNetwork(3, 2);
  const batch = patternBatch([4, 3], 2, 3, 5);
  using free = trainerOf(model, 4);
  using clipped = trainerOf(model, 4, { clipNorm: 0.01 });
  const start = copyOf(free);
  const { gradientNorm } = free.step([batch], 1);
  t.equal(clipped.step([batch], 1).gradientNorm, gradientNorm);
  t.ok(gradientNorm > 0.01);
  let squares = 0;
  for (const name of ["w", "b"]) {
    const [a, b, c] = [start, copyOf(free), copyOf(clipped)].map((m) => m.get(name)!.data) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    a.forEach((w, i) => {
      squares += (w - c[i]!) ** 2;
      t.ok(Math.abs((w - c[i]!) * gradientNorm - (w - b[i]!) * 0.01) < 1e-5);
    });
  }
  t.ok(Math.abs(Math.sqrt(squares) - 0.01) < 1e-4);
});

t.test("two batches accumulated are one of twice the size, where no batch norm looks at the batch", async (t) => {
  const model = linearNetwork(5, 3);
  const whole = patternBatch([8, 5], 3, 4);
  const halves = [0, 1].map((k) => ({
    images: whole.images.slice(k * 20, k * 20 + 20),
    dims: [4, 5],
    labels: whole.labels!.slice(k * 4, k * 4 + 4),
  }));
  using once = trainerOf(model, 8, { optimizer: { kind: "sgd", momentum: 0.9 } });
  using twice = trainerOf(model, 4, { optimizer: { kind: "sgd", momentum: 0.9 }, accumulate: 2 });
  for (let i = 0; i < 3; i++) {
    const [a, b] = [once.step([whole], 0.3), twice.step(halves, 0.3)];
    t.ok(Math.abs(a.loss - b.loss) < 1e-5);
    t.equal(a.correct, b.correct);
  }
  const b = copyOf(twice);
  for (const [name, { data }] of copyOf(once))
    t.ok(
      data.every((v, i) => Math.abs(v - b.get(name)!.data[i]!) < 1e-5),
      name,
    );
});

t.test("passes made elsewhere come to the same step, to the last bit", async (t) => {
  const batches = [5, 6, 7, 8].map((seed) => patternBatch([4, 2, 6, 6], 3, seed));
  const teacher = residualNetwork("Tanh", 7);
  for (const [what, more] of Object.entries({
    labels: { loss: [{ kind: "cross-entropy", labelSmoothing: 0.1 } as const] },
    teacher: { loss: [{ kind: "outputs" } as const], teacher, optimizer: { kind: "sgd", momentum: 0.9 } as const },
  })) {
    const options = { accumulate: 4, clipNorm: 0.5, ...more };
    using here = trainerOf(residualNetwork(), 4, options);
    using helped = trainerOf(residualNetwork(), 4, options);
    using passer = openPasser(encodeModel(helped.graph), structuredClone(helped.recipe), 1);
    for (let i = 0; i < 3; i++) {
      const alone = here.step(batches, 0.1);
      let sum: PassSum | undefined;
      for (const batch of batches.slice(0, 3)) {
        const { gradients: _g, scores: _s, ...told } = passer.pass(batch, helped.weights());
        const packed = packPass(passer.pass(batch, helped.weights()));
        t.equal(packed.length, packedLength(helped.recipe));
        sum = addPass(sum, { ...told, ...unpackPass(helped.recipe, packed) });
      }
      t.strictSame(helped.step(batches.slice(3), 0.1, sum), alone, `${what}, step ${i}`);
      t.strictSame(copyOf(helped), copyOf(here), `${what}, weights after step ${i}`);
    }
    t.throws(() => helped.step(batches.slice(0, 2), 0.1), { message: /4 batches/ });
  }
});

t.test("running statistics follow the batch's, and the trained network infers with them", async (t) => {
  const model = residualNetwork("Relu");
  const batch = patternBatch([8, 2, 6, 6], 3, 4);
  using trainer = trainerOf(model, 8);
  const first = model.graph.nodes.find((n) => n.opType === "Conv")!;
  using conv = createSession({
    ...model,
    graph: { ...model.graph, outputs: [{ name: first.outputs[0]!, dtype: "float32", dtypeCode: 1 }] },
  });
  const z = floatsOf(conv.run({ x: floatTensor(batch.images, batch.dims) })[first.outputs[0]!]!);
  trainer.step([batch], 0);
  const tensors = copyOf(trainer);
  const space = 36;
  for (let c = 0; c < 4; c++) {
    const values = Array.from(
      { length: 8 * space },
      (_, i) => z[(Math.floor(i / space) * 4 + c) * space + (i % space)]!,
    );
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1);
    t.ok(Math.abs(tensors.get("bn1.mean")!.data[c]! - 0.1 * mean) < 1e-5);
    t.ok(Math.abs(tensors.get("bn1.var")!.data[c]! - (0.9 + 0.1 * variance)) < 1e-4);
  }
  const trained = trainer.model();
  t.same(
    trained.graph.nodes.map((n) => n.opType),
    model.graph.nodes.map((n) => n.opType),
  );
  const stored = trained.graph.initializers.find((w) => w.name === "bn1.mean")!;
  t.same(float32Of(stored), tensors.get("bn1.mean")!.data);
});

t.test("it learns", async (t) => {
  using trainer = trainerOf(residualNetwork("Relu"), 32, { optimizer: { kind: "sgd", momentum: 0.9 } });
  for (let i = 0; i < 60; i++) trainer.step([patternBatch([32, 2, 6, 6], 3, i + 10)], 0.05);
  const model = trainer.model();
  using session = createSession(model);
  const judge = patternBatch([200, 2, 6, 6], 3, 5);
  const z = floatsOf(session.run({ x: floatTensor(judge.images, judge.dims) }).logits!);
  const right = judge.labels!.filter((label, n) => {
    const row = z.subarray(n * 3, n * 3 + 3);
    return row.indexOf(Math.max(...row)) === label;
  }).length;
  t.ok(right >= 190, `${right} of 200`);
});

t.test("a batch that is not finite changes nothing", async (t) => {
  using trainer = trainerOf(linearNetwork(3, 2), 2, { optimizer: { kind: "sgd", momentum: 0.9 } });
  const batch = patternBatch([2, 3], 2, 1);
  trainer.step([batch], 0.1);
  const before = copyOf(trainer);
  batch.images[2] = Number.NaN;
  t.equal(trainer.step([batch], 0.1).finite, false);
  t.same(copyOf(trainer), before);
});

t.test("what does not fit is refused", async (t) => {
  const model = linearNetwork(3, 2);
  using trainer = trainerOf(model, 2);
  const batch = patternBatch([2, 3], 2, 1);
  t.throws(() => trainer.step([{ ...batch, labels: Int32Array.of(0, 2) }], 0.1), { code: "HALP_LABEL_RANGE" });
  t.throws(() => trainer.step([{ images: batch.images, dims: batch.dims }], 0.1), { code: "HALP_LABELS_MISSING" });
  t.throws(() => trainer.step([patternBatch([3, 3], 2, 1)], 0.1), { code: "HALP_DATA_SHAPE" });
  t.throws(() => trainerOf(model, 2, { loss: [] }), { code: "HALP_LOSS" });
  t.throws(() => trainerOf(model, 2, { loss: [{ kind: "outputs" }] }), { code: "HALP_LOSS" });
  t.throws(
    () =>
      trainerOf(model, 2, {
        loss: [{ kind: "outputs" }],
        teacher: { ...model, opsets: [{ domain: "", version: 13 }] },
      }),
    { code: "HALP_OPSET" },
  );
  t.throws(() => trainer.load(new Map(), 0), { code: "HALP_CHECKPOINT" });
});

t.test("scores are sums of z dL/dz", async (t) => {
  const model = residualNetwork();
  const norm = model.graph.nodes.find((n) => n.opType === "BatchNormalization")!;
  const value = norm.outputs[0]!;
  const batch = patternBatch([4, 2, 6, 6], 3, 5);
  // By the batch norm's own gradients, and at the value itself: two ways to one number.
  using byScale = trainerOf(model, 4, { score: [{ value, axis: 1, byBatchNorm: true }] });
  using atValue = trainerOf(model, 4, { score: [{ value, axis: 1, byBatchNorm: false }] });
  const [a, b] = [byScale, atValue].map((trainer) => trainer.step([batch], 0).scores.get(value)!) as [
    Float32Array,
    Float32Array,
  ];
  t.equal(a.length, 4);
  a.forEach((v, c) => {
    t.ok(Math.abs(v - b[c]!) < 1e-5 + 1e-3 * Math.abs(v), `${v} and ${b[c]}`);
  });
});
