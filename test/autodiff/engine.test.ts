/** The engine: what it emits, what it leaves out, what it refuses. */
import t from "tap";
import { buildGradient } from "../../src/autodiff/index.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import { float32Of, float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { createSession, floatsOf, floatTensor, type RuntimeTensor } from "../../src/runtime/index.js";
import { smallClassifier } from "../saliency/networks.js";
import { checkGradient, numbers } from "./check-gradient.js";

const tensor = (dims: readonly number[], seed = 1): RuntimeTensor => {
  const next = numbers(seed);
  return floatTensor(
    Float32Array.from({ length: sizeOf(dims) }, () => 2 * next() - 1),
    dims,
  );
};

t.test("a value that is used several times gets the sum of its gradients", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  const double = b.node("Mul", ["x", "x"]);
  b.output(b.node("Sum", [double, "x", b.node("Mul", [double, "x"])]), [2, 3]);
  const x = tensor([2, 3]);
  const check = checkGradient(b.model(), { x }, ["x"]);
  t.ok(check.badness <= 1, check.report);
});

t.test("a scalar loss starts with 1", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [4]);
  const loss = b.node("ReduceSumSquare", ["x"], { keepdims: attr.int(0) });
  b.output(loss, []);
  const analyzed = analyzeGraph(b.model(), findOperator);
  const { model, gradientOf } = buildGradient(analyzed, findOperator, { loss, wrt: ["x"], keepOutputs: [loss] });
  using session = createSession(model);
  const x = tensor([4]);
  const out = session.run({ x });
  t.strictSame(session.outputNames, [loss, gradientOf.get("x")]);
  const g = floatsOf(out[gradientOf.get("x") ?? ""] as RuntimeTensor);
  t.strictSame(
    [...g],
    [...floatsOf(x)].map((v) => Math.fround(2 * v)),
  );
});

t.test("dead nodes, and what lies off the path, cost nothing", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  const a = b.node("Tanh", ["x"], {}, { name: "before" });
  const y = b.node("Exp", [a], {}, { name: "on the path" });
  b.node("Sin", [y], {}, { name: "dead" });
  const other = b.node("Cos", ["x"], {}, { name: "other output" });
  b.output(y, [2, 3]);
  b.output(other, [2, 3]);
  const analyzed = analyzeGraph(b.model(), findOperator);
  const loss = [{ value: y, input: "dy" }];
  const { model, gradientOf } = buildGradient(analyzed, findOperator, { loss, wrt: [a, other] });
  const names = model.graph.nodes.map((n) => n.name).filter((n) => n !== "");
  t.strictSame(names, ["before", "on the path"]);
  t.notOk(model.graph.nodes.some((n) => ["Sin", "Cos"].includes(n.opType)));
  t.strictSame([...gradientOf.keys()], [a], "an output that the loss does not read has no gradient");
});

t.test("an operator without a gradient is an error that names it, or is cut and told", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  const straight = b.node("Tanh", ["x"]);
  const hard = b.node("Hardmax", ["x"], {}, { name: "the hard one" });
  const y = b.node("Add", [straight, hard]);
  b.output(y, [2, 3]);
  const analyzed = analyzeGraph(b.model(), findOperator);
  const loss = [{ value: y, input: "dy" }];
  t.throws(() => buildGradient(analyzed, findOperator, { loss, wrt: ["x"] }), {
    code: "HALP_NO_GRADIENT",
    node: "the hard one",
    opType: "Hardmax",
  });
  const cut = buildGradient(analyzed, findOperator, { loss, wrt: ["x"], onMissing: "cut" });
  t.strictSame(
    cut.cut.map((c) => c.node.name),
    ["the hard one"],
  );
  using session = createSession(cut.model);
  const [x, dy] = [tensor([2, 3]), floatTensor(new Float32Array(6).fill(1), [2, 3])];
  const g = floatsOf(session.run({ x, dy })[cut.gradientOf.get("x") ?? ""] as RuntimeTensor);
  floatsOf(x).forEach((v, i) => {
    t.ok(Math.abs((g[i] as number) - (1 - Math.tanh(v) ** 2)) < 1e-5);
  });
});

t.test("integers and half floats carry no gradient: indices end a path, casts to half are refused", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  const index = b.node("ArgMax", ["x"], { axis: attr.int(1) });
  const y = b.node("Mul", ["x", b.node("Cast", [index], { to: attr.int(1) })]);
  b.output(y, [2, 3]);
  const loss = [{ value: y, input: "dy" }];
  const { cut } = buildGradient(analyzeGraph(b.model(), findOperator), findOperator, { loss, wrt: ["x"] });
  t.strictSame(cut, []);

  const h = new GraphBuilder();
  h.input("x", [2, 3]);
  const half = h.node("Cast", ["x"], { to: attr.int(10) });
  const back = h.node("Cast", [half], { to: attr.int(1) });
  h.output(back, [2, 3]);
  const halves = analyzeGraph(h.model(), findOperator);
  t.throws(() => buildGradient(halves, findOperator, { loss: [{ value: back, input: "dy" }], wrt: ["x"] }), {
    code: "HALP_NO_GRADIENT",
  });
});

t.test("Gather by indices that are fed, along any axis, repeated and negative ones", async (t) => {
  for (const axis of [0, 1, 2, -1])
    for (const dtype of ["int64", "int32"] as const) {
      const b = new GraphBuilder();
      b.input("x", [2, 3, 4]);
      b.input("places", [2, 2], dtype);
      const y = b.node("Gather", [b.node("Tanh", ["x"]), "places"], { axis: attr.int(axis) });
      b.output(y);
      const data = dtype === "int64" ? BigInt64Array.of(1n, 0n, -1n, 1n) : Int32Array.of(1, 0, -1, 1);
      const feeds: Record<string, RuntimeTensor> = { x: tensor([2, 3, 4], 3), places: { dtype, dims: [2, 2], data } };
      const check = checkGradient(b.model({ opset: 18 }), feeds, ["x"]);
      t.ok(check.badness <= 1, check.report);
    }
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  b.input("places", [2], "int64");
  b.output(b.node("Gather", ["x", "places"]), [2, 3]);
  const loss = [{ value: b.graph().outputs[0]?.name ?? "", input: "dy" }];
  const old = analyzeGraph(b.model({ opset: 13 }), findOperator);
  t.throws(() => buildGradient(old, findOperator, { loss, wrt: ["x"] }), {
    code: "HALP_NO_GRADIENT",
    message: /opset 16/,
  });
});

t.test("models of old versions: initialisers need not be inputs, and the opset stays", async (t) => {
  const b = new GraphBuilder();
  b.input("x", [2, 3]);
  b.input("w", [3]);
  b.initializer(float32Tensor("w", [3], [1, 2, 3]));
  const y = b.node("Mul", ["x", "w"]);
  b.output(y, [2, 3]);
  const old = b.model({ opset: 9, irVersion: 3 });
  const { model } = buildGradient(analyzeGraph(old, findOperator), findOperator, {
    loss: [{ value: y, input: "dy" }],
    wrt: ["x"],
  });
  t.equal(model.opsets.find((o) => o.domain === "")?.version, 9);
  using session = createSession(model);
  t.notOk(session.inputNames.includes("w"));
  const out = session.run({ x: tensor([2, 3]), dy: floatTensor(new Float32Array(6).fill(1), [2, 3]) });
  t.strictSame([...floatsOf(Object.values(out)[0] as RuntimeTensor)], [1, 2, 3, 1, 2, 3]);
});

t.test("all weights of a network, fed, against differences", async (t) => {
  for (const batchNorm of [true, false]) {
    const model = smallClassifier({ batchNorm });
    const fed = model.graph.initializers.map((w) => w.name).filter((name) => !/mean|var/.test(name));
    const feeds: Record<string, RuntimeTensor> = { x: tensor([3, 3, 6, 6], 5) };
    for (const w of model.graph.initializers)
      if (fed.includes(w.name)) feeds[w.name] = floatTensor(float32Of(w).slice(), w.dims);
    const check = checkGradient(model, feeds, fed, { fed, step: 0.005 });
    t.equal(check.gradient.gradientOf.size, fed.length);
    t.ok(check.badness <= 1, check.report);
  }
});
