import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import type { HalpError } from "../../src/errors.js";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, vanishing, verifyRewrite } from "../../src/rewrite/index.js";
import { seeded } from "./random-plan.js";

const random = seeded(11);

function weights(b: GraphBuilder, name: string, dims: readonly number[]): string {
  return b.initializer(
    float32Tensor(
      name,
      dims,
      Array.from({ length: sizeOf(dims) }, () => random() - 0.5),
    ),
  );
}

function conv(b: GraphBuilder, x: string, name: string, from: number, to: number, kernel = 3): string {
  const w = weights(b, `${name}.weight`, [to, from, kernel, kernel]);
  const pads = attr.ints(new Array(4).fill((kernel - 1) / 2));
  return b.node("Conv", [x, w, weights(b, `${name}.bias`, [to])], { pads }, { name, outputs: [name] });
}

function prepare(model: Model) {
  const analyzed = analyzeGraph(model, findOperator, { inputDims: new Map([["x", [1, 3, 6, 6]]]) });
  const coupling = analyzeCoupling(analyzed, findOperator);
  const groupOf = (node: string) => {
    const found = coupling.groups.find((g) => g.producers.some((p) => p.name === node));
    if (!found) throw new Error(`no group of ${node}`);
    return found.id;
  };
  const without = (...ids: number[]) => ({
    kept: coupling.groups.map((g) =>
      ids.includes(g.id) ? new Int32Array() : Int32Array.from({ length: g.size }, (_, i) => i),
    ),
  });
  return { analyzed, coupling, groupOf, without };
}

/** x -> stem -> (inner -> outer) + stem -> relu -> head; with a second block behind it. */
function residual(): Model {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 3, 6, 6]);
  const stem = b.node("Relu", [conv(b, x, "stem", 3, 4)]);
  const one = b.node("Relu", [conv(b, stem, "inner", 4, 5)]);
  const sum = b.node("Relu", [b.node("Add", [conv(b, one, "outer", 5, 4), stem])], {}, { outputs: ["after"] });
  const two = b.node("Relu", [conv(b, sum, "inner2", 4, 5)]);
  const end = b.node("Add", [sum, conv(b, two, "outer2", 5, 4)]);
  b.node("Sigmoid", [conv(b, end, "head", 4, 2)], {}, { outputs: ["y"] });
  b.output("y", [1, 2, 6, 6]);
  return b.model();
}

t.test("a residual branch goes with its inner channels, and the Relu of a Relu with it", async (t) => {
  const { analyzed, coupling, groupOf, without } = prepare(residual());
  const ids = [groupOf("inner")];
  t.ok(vanishing(analyzed, coupling, ids).ok);
  const plan = without(...ids);
  const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
  t.same(
    rewritten.model.graph.nodes.map((n) => n.opType),
    ["Conv", "Relu", "Conv", "Relu", "Conv", "Add", "Conv", "Sigmoid"],
  );
  t.same(rewritten.removedNodes.map((n) => n.opType).sort(), ["Add", "Conv", "Conv", "Relu", "Relu"]);
  t.notOk(rewritten.model.graph.initializers.some((w) => /^(inner|outer)\./.test(w.name)));
  t.ok(verifyRewrite(analyzed, coupling, plan, rewritten, { samples: 3 }).maxError < 1e-5);
});

t.test("both branches may go, the stem may not", async (t) => {
  const { analyzed, coupling, groupOf, without } = prepare(residual());
  const both = [groupOf("inner"), groupOf("inner2")];
  t.ok(vanishing(analyzed, coupling, both).ok);
  const rewritten = applyPlan(analyzed, coupling, without(...both), findOperator);
  t.same(
    rewritten.model.graph.nodes.map((n) => n.opType),
    ["Conv", "Relu", "Conv", "Sigmoid"],
  );
  const stem = vanishing(analyzed, coupling, [groupOf("stem")]);
  t.notOk(stem.ok);
  t.match(stem.reason, /output "y"/);
  t.throws(() => applyPlan(analyzed, coupling, without(groupOf("stem")), findOperator), {
    code: "HALP_PLAN_DISCONNECTS",
  });
});

t.test("a gate whose inner channels go becomes its constant", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 3, 6, 6]);
  const stem = b.node("Relu", [conv(b, x, "stem", 3, 4)]);
  const squeezed = b.node("Relu", [conv(b, b.node("GlobalAveragePool", [stem]), "squeeze", 4, 2, 1)]);
  const gate = b.node("Sigmoid", [conv(b, squeezed, "excite", 2, 4, 1)]);
  const scaled = b.node("Mul", [gate, stem]);
  b.node("Sigmoid", [conv(b, scaled, "head", 4, 2)], {}, { outputs: ["y"] });
  b.output("y", [1, 2, 6, 6]);
  const { analyzed, coupling, groupOf, without } = prepare(b.model());
  const ids = [groupOf("squeeze")];
  t.same(
    [...vanishing(analyzed, coupling, ids).gates].flatMap(([node, slots]) => slots.map((i) => node.inputs[i])),
    [gate],
  );
  const plan = without(...ids);
  const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
  t.same(
    rewritten.model.graph.nodes.map((n) => n.opType),
    ["Conv", "Relu", "Conv", "Sigmoid"],
    "folded into the convolution behind it",
  );
  t.ok(verifyRewrite(analyzed, coupling, plan, rewritten).maxError < 1e-5);
});

t.test("a plan that does not fit is refused", async (t) => {
  const { analyzed, coupling, groupOf, without } = prepare(residual());
  const whole = without();
  const bad = (id: number, kept: number[]) => ({
    kept: whole.kept.map((k, i) => (i === id ? Int32Array.from(kept) : k)),
  });
  for (const plan of [{ kept: whole.kept.slice(1) }, bad(groupOf("inner"), [1, 0]), bad(groupOf("inner"), [5])])
    t.throws(() => applyPlan(analyzed, coupling, plan, findOperator), { code: "HALP_PLAN" });
  const frozen = coupling.groups.find((g) => g.frozen !== undefined);
  if (frozen) t.throws(() => applyPlan(analyzed, coupling, bad(frozen.id, [0]), findOperator), { code: "HALP_PLAN" });
});

t.test("a wrong rewriting is found at the tensor where it begins", async (t) => {
  const { analyzed, coupling, groupOf, without } = prepare(residual());
  const id = groupOf("inner2");
  const plan = { kept: without().kept.map((k, i) => (i === id ? k.slice(1) : k)) };
  const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
  const spoiled = rewritten.model.graph.initializers.map((w) =>
    w.name === "outer2.weight" ? { ...w, bytes: w.bytes.slice().reverse() } : w,
  );
  const wrong = {
    ...rewritten,
    model: { ...rewritten.model, graph: { ...rewritten.model.graph, initializers: spoiled } },
  };
  try {
    verifyRewrite(analyzed, coupling, plan, wrong);
    t.fail("must not pass");
  } catch (error) {
    t.equal((error as HalpError).code, "HALP_MASKED_MISMATCH");
    t.match((error as HalpError).message, /first tensor that differs is "outer2"/);
  }
});

t.test("an output whose branch vanishes keeps its name", async (t) => {
  const build = (from: "input" | "stem" | "output") => {
    const b = new GraphBuilder();
    const x = b.input("x", [1, 3, 6, 6]);
    const stem = from === "input" ? x : b.node("Relu", [conv(b, x, "stem", 3, 3)], {}, { outputs: ["stem.relu"] });
    const inner = b.node("Relu", [conv(b, stem, "inner", 3, 5)]);
    b.node("Add", [stem, conv(b, inner, "outer", 5, 3)], {}, { outputs: ["y"] });
    b.output("y", [1, 3, 6, 6]);
    if (from === "output") b.output("stem.relu", [1, 3, 6, 6]);
    return b.model();
  };
  for (const [from, left] of [
    ["input", ["Identity"]],
    ["stem", ["Conv", "Relu"]],
    ["output", ["Conv", "Relu", "Identity"]],
  ] as const) {
    const model = build(from);
    const { analyzed, coupling, groupOf, without } = prepare(model);
    const plan = without(groupOf("inner"));
    const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
    t.same(
      rewritten.model.graph.nodes.map((n) => n.opType),
      left,
      `from ${from}`,
    );
    t.same(rewritten.model.graph.outputs, model.graph.outputs);
    t.ok(verifyRewrite(analyzed, coupling, plan, rewritten).maxError < 1e-6);
  }
});

t.test("a constant that reaches the output with no input behind it is no connection", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 3, 6, 6]);
  const stem = conv(b, x, "stem", 3, 4);
  const shifted = b.node("Add", [stem, b.float32([1, 2, 3, 4], [1, 4, 1, 1])]);
  b.node("Sigmoid", [conv(b, shifted, "head", 4, 2)], {}, { outputs: ["y"] });
  b.output("y", [1, 2, 6, 6]);
  const { analyzed, coupling, groupOf } = prepare(b.model());
  t.notOk(vanishing(analyzed, coupling, [groupOf("stem")]).ok);
});

t.test("the record in the file says what was removed, over several steps", async (t) => {
  const first = prepare(residual());
  const cut = (p: typeof first, node: string, count: number) => ({
    kept: p.without().kept.map((k, i) => (i === p.groupOf(node) ? k.slice(0, count) : k)),
  });
  const once = applyPlan(first.analyzed, first.coupling, cut(first, "inner", 4), findOperator);
  const second = prepare({ ...once.model, metadata: [{ key: "author", value: "someone" }, ...once.model.metadata] });
  const twice = applyPlan(second.analyzed, second.coupling, cut(second, "inner", 2), findOperator);
  t.same(twice.model.metadata, [
    { key: "author", value: "someone" },
    { key: "halp.groups", value: JSON.stringify({ inner: [2, 5] }) },
  ]);
});

t.test("kept positions and gone nodes are told", async (t) => {
  const { analyzed, coupling, groupOf, without } = prepare(residual());
  const kept = without(groupOf("inner2")).kept.map((k, i) => (i === groupOf("inner") ? Int32Array.of(1, 3) : k));
  const rewritten = applyPlan(analyzed, coupling, { kept }, findOperator);
  t.same([...(rewritten.keptOf("inner", 1) ?? [])], [1, 3]);
  t.same([...(rewritten.keptOf("outer.weight", -3) ?? [])], [1, 3]);
  t.equal(rewritten.keptOf("stem", 1), undefined);
  t.same(
    rewritten.removedNodes.flatMap((n) => n.outputs).filter((o) => !/_out/.test(o)),
    ["inner2", "outer2"],
  );
});
