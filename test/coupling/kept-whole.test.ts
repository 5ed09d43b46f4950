/** Quantised operators and operators that run graphs of their own: kept whole, with the reason; the rest is pruned. */
import tap from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { attr } from "../../src/graph/attributes.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Graph, Model, Tensor } from "../../src/graph/ir.js";
import { tensorOf } from "../../src/operators/elements.js";
import { findOperator } from "../../src/operators/index.js";
import { applyPlan, verifyRewrite } from "../../src/rewrite/index.js";
import { randomPlan, seeded } from "../rewrite/random-plan.js";
import { Layers } from "../zoo/layers.js";

const opset = 13;

class Quantised extends Layers {
  constant(name: string, tensor: Tensor | undefined, dims?: readonly number[]): string {
    if (!tensor) throw new Error("no such tensor");
    return this.b.initializer({ ...tensor, ...(dims ? { dims } : {}), name: this.b.freshName(name) });
  }
  scale(value: number): string {
    return this.constant("scale", tensorOf("float32", [1], [value]), []);
  }
  zero(dtype: "uint8" | "int8"): string {
    return this.constant("zero", tensorOf(dtype, [1], [0]), []);
  }
  integers(name: string, dims: readonly number[], dtype: "uint8" | "int8" = "int8"): string {
    const count = dims.reduce((n, d) => n * d, 1);
    const values = Array.from({ length: count }, (_, i) => ((i * 7) % 11) - (dtype === "int8" ? 5 : 0));
    return this.constant(name, tensorOf(dtype, dims, values));
  }
  /** Quantised and back. */
  through(x: string): string {
    const [s, z] = [this.scale(0.02), this.zero("uint8")];
    return this.op("DequantizeLinear", [this.op("QuantizeLinear", [x, s, z]), s, z]);
  }
}

function check(
  t: Pick<typeof tap, "ok" | "same" | "match">,
  model: Model,
  expected: { free: string[]; reasons: Record<string, RegExp>; stays: string[] },
) {
  const analyzed = analyzeGraph(model, findOperator, { batch: 2 });
  const coupling = analyzeCoupling(analyzed, findOperator);
  t.same(
    coupling.groups.filter((g) => g.frozen === undefined).map((g) => g.name),
    expected.free,
  );
  for (const [name, reason] of Object.entries(expected.reasons))
    t.match(coupling.groups.find((g) => g.name === name)?.frozen, reason, name);
  for (let seed = 0; seed < 6; seed++) {
    const plan = randomPlan(analyzed, coupling, seeded(seed));
    const rewritten = applyPlan(analyzed, coupling, plan, findOperator);
    t.ok(verifyRewrite(analyzed, coupling, plan, rewritten, { seed }).maxError < 1e-4);
    const kept = (m: Model) => m.graph.nodes.filter((n) => expected.stays.includes(n.opType));
    t.same(kept(rewritten.model), kept(model), "they stay as they were");
    const weights = (m: Model) => m.graph.initializers.filter((w) => w.dtype !== "float32");
    t.same(weights(rewritten.model), weights(model), "and so do their weights");
  }
}

tap.test("quantise and dequantise around a convolution", async (t) => {
  const n = new Quantised(opset);
  const a = n.through(n.cbr("a", n.image(8), 3, 6));
  const w = n.op("DequantizeLinear", [n.integers("w", [5, 6, 3, 3]), n.scale(0.05), n.zero("int8")]);
  const b = n.b.node("Conv", [a, w], { pads: attr.ints([1, 1, 1, 1]) }, { name: "b" });
  n.classify(n.cbr("d", n.cbr("c", n.through(n.relu(b)), 5, 7), 7, 4), 4);
  check(t, n.model(opset), {
    free: ["c", "d"],
    reasons: { a: /QuantizeLinear.*: quantised tensors are kept whole; prune the network before it is quantised/ },
    stays: ["QuantizeLinear", "DequantizeLinear"],
  });
});

tap.test("a quantised convolution, and integers", async (t) => {
  const n = new Quantised(opset);
  const a = n.cbr("a", n.image(8), 3, 6);
  const [s, z] = [n.scale(0.02), n.zero("uint8")];
  const q = n.op("QLinearConv", [
    n.op("QuantizeLinear", [a, s, z]),
    s,
    z,
    n.integers("w", [5, 6, 1, 1]),
    n.scale(0.05),
    n.zero("int8"),
    n.scale(0.1),
    z,
  ]);
  const c = n.cbr("c", n.op("DequantizeLinear", [q, n.scale(0.1), z]), 5, 7);
  const sums = n.op("ConvInteger", [
    n.op("QuantizeLinear", [n.cbr("d", c, 7, 4), s, z]),
    n.integers("v", [3, 4, 1, 1], "uint8"),
  ]);
  n.classify(n.cbr("e", n.op("Cast", [sums], { to: attr.int(1) }), 3, 6), 6);
  check(t, n.model(opset), {
    free: ["c", "e"],
    reasons: { a: /QuantizeLinear.*prune the network before it is quantised/, d: /before it is quantised/ },
    stays: ["QLinearConv", "ConvInteger", "QuantizeLinear", "DequantizeLinear"],
  });
});

tap.test("control flow: what its graphs read and what they make is kept whole", async (t) => {
  const n = new Quantised(opset);
  const a = n.cbr("a", n.cbr("first", n.image(8), 3, 8), 8, 6);
  const branch = (op: string, out: string): Graph => ({
    name: out,
    nodes: [{ name: "", opType: op, domain: "", inputs: [a], outputs: [out], attributes: new Map() }],
    inputs: [],
    outputs: [{ name: out, dtype: "float32", dtypeCode: 1 }],
    valueInfos: [],
    initializers: [],
  });
  const condition = n.constant("condition", tensorOf("bool", [1], [1]), []);
  const y = n.b.node(
    "If",
    [condition],
    {
      then_branch: { kind: "graph", value: branch("Relu", "then") },
      else_branch: { kind: "graph", value: branch("Neg", "else") },
    },
    { outputs: ["chosen"] },
  );
  n.classify(n.cbr("d", n.cbr("c", y, 6, 7), 7, 4), 4);
  const plain = n.model(opset);
  // Types of what graphs of their own make are those that the model states.
  const stated = { name: "chosen", dtype: "float32" as const, dtypeCode: 1, dims: [2, 6, 8, 8] };
  const model = { ...plain, graph: { ...plain.graph, valueInfos: [...plain.graph.valueInfos, stated] } };
  check(t, model, {
    free: ["first", "c", "d"],
    reasons: { a: /is read inside the subgraph of If|runs a graph of its own/ },
    stays: ["If"],
  });
});
