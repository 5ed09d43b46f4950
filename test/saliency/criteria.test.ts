/** Criteria of the weights alone. */
import t from "tap";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Of, float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { type Criterion, collectSaliency } from "../../src/saliency/index.js";
import { smallClassifier } from "./networks.js";

function score(model: Model, criterion: Criterion, seed = 0) {
  const analyzed = analyzeGraph(model, findOperator);
  const coupling = analyzeCoupling(analyzed, findOperator);
  return collectSaliency({ analyzed, coupling, criterion, seed }).then(({ importance }) => ({ importance, coupling }));
}
const weights = (model: Model, name: string) => {
  const tensor = model.graph.initializers.find((w) => w.name === name);
  return tensor ? float32Of(tensor) : new Float32Array();
};
const channelsAt = (coupling: Coupling, model: Model, node: string) => {
  const value = model.graph.nodes.find((n) => n.name === node)?.outputs[0] ?? "";
  return coupling.axes.get(value)?.[1] ?? new Int32Array();
};
/** Sum of f over filter i, of `count`. */
const over = (w: Float32Array, i: number, count: number, f: (v: number) => number) =>
  w.subarray((i * w.length) / count, ((i + 1) * w.length) / count).reduce((s, v) => s + f(v), 0);

t.test("l1 and l2 run over all producers of a channel", async (t) => {
  const model = smallClassifier();
  const l1 = await score(model, "l1");
  const l2 = await score(model, "l2");
  // The stem and the last layer of the block share the residual stream.
  const stem = channelsAt(l1.coupling, model, "stem");
  t.strictSame(stem, channelsAt(l1.coupling, model, "out"));
  t.equal(stem.length, 5);
  stem.forEach((c, i) => {
    const sum = (f: (v: number) => number) =>
      ["stem.w", "out.w"].reduce((s, n) => s + over(weights(model, n), i, 5, f), 0);
    t.match((l1.importance[c] as number).toFixed(5), sum(Math.abs).toFixed(5));
    t.match((l2.importance[c] as number).toFixed(5), Math.sqrt(sum((v) => v * v)).toFixed(5));
  });
});

t.test("bn-scale adds up |gamma|, and needs batch norms", async (t) => {
  const model = smallClassifier();
  const { importance, coupling } = await score(model, "bn-scale");
  channelsAt(coupling, model, "inner").forEach((c, i) => {
    const sum = ["inner.gamma", "deep.gamma"].reduce((s, n) => s + Math.abs(weights(model, n)[i] as number), 0);
    t.ok(Math.abs((importance[c] as number) - sum) < 1e-6);
  });
  await t.rejects(score(smallClassifier({ batchNorm: false }), "bn-scale"), { code: "HALP_NO_BATCH_NORM" });
});

t.test("random is uniform and seeded", async (t) => {
  const model = smallClassifier();
  const [a, b, c] = [await score(model, "random", 1), await score(model, "random", 1), await score(model, "random", 2)];
  t.strictSame(a.importance, b.importance);
  t.notSame(a.importance, c.importance);
  t.ok(a.importance.every((v) => v >= 0 && v < 1));
});

t.test("transposed convolutions and matrix products", async (t) => {
  const b = new GraphBuilder();
  const counting = (name: string, dims: number[]) =>
    b.initializer(
      float32Tensor(
        name,
        dims,
        Float32Array.from({ length: sizeOf(dims) }, (_, i) => i - 7),
      ),
    );
  b.input("x", [1, 4, 3, 3]);
  const up = b.node(
    "ConvTranspose",
    ["x", counting("up.w", [4, 3, 2, 2])],
    { kernel_shape: attr.ints([2, 2]) },
    { name: "up" },
  );
  const flat = b.node("Flatten", [b.node("GlobalAveragePool", [b.node("Relu", [up])])]);
  const hidden = b.node("MatMul", [flat, counting("mm.w", [3, 5])], {}, { name: "mm" });
  b.output(b.node("MatMul", [b.node("Relu", [hidden]), counting("last.w", [5, 2])]), [1, 2]);
  const model = b.model();
  const { importance, coupling } = await score(model, "l1");
  const up_ = weights(model, "up.w");
  channelsAt(coupling, model, "up").forEach((c, o) => {
    const expected = up_.reduce((s, v, i) => s + (Math.floor(i / 4) % 3 === o ? Math.abs(v) : 0), 0);
    t.equal(importance[c], expected);
  });
  channelsAt(coupling, model, "mm").forEach((c, o) => {
    const expected = weights(model, "mm.w").reduce((s, v, i) => s + (i % 5 === o ? Math.abs(v) : 0), 0);
    t.equal(importance[c], expected);
  });
});
