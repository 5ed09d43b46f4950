/** The engine of shape inference, apart from single operators. */
import t from "tap";
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { analyzeGraph, FOLDING_LIMIT } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, int64Tensor, integersOf } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";

const analyze = (b: GraphBuilder, options = {}) => analyzeGraph(b.model(), findOperator, options);

t.test("shape arithmetic folds: flatten by computed shape under a dynamic batch", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", ["batch", 6, 4, 4]);
  const shape = b.node("Shape", [x]);
  const batch = b.node("Gather", [shape, b.int64([0], [])], { axis: attr.int(0) });
  const wanted = b.node("Concat", [b.node("Unsqueeze", [batch, b.int64([0])]), b.int64([-1])], { axis: attr.int(0) });
  const y = b.node("Reshape", [x, wanted]);
  b.output(y);
  const analyzed = analyze(b, { batch: 5 });
  const folded = analyzed.constants.get(wanted);
  t.strictSame(folded && integersOf(folded), [5, -1]);
  t.equal(folded?.name, wanted, "a folded constant has the name of its value");
  t.strictSame(analyzed.types.get(y), { dtype: "float32", dims: [5, 96] });
  t.notOk(analyzed.constants.has(y));
  t.equal(analyzed.producerOf.get(y)?.opType, "Reshape");
  t.strictSame(
    analyzed.consumersOf.get(x)?.map((n) => n.opType),
    ["Shape", "Reshape"],
  );
});

t.test("a value read twice by a node is listed twice", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 2]);
  b.output(b.node("Mul", [x, x]));
  t.equal(analyze(b).consumersOf.get(x)?.length, 2);
});

t.test("constants: nodes and Identity of any size, computed ones while small", async (t) => {
  const b = new GraphBuilder();
  const big = FOLDING_LIMIT + 1;
  const weights = float32Tensor("w", [big], new Float32Array(big));
  const held = b.node("Constant", [], { value: attr.tensor(weights) });
  const handed = b.node("Identity", [held]);
  const negated = b.node("Neg", [handed]);
  const small = b.node("Neg", [b.float32([1, -2])]);
  for (const o of [negated, small]) b.output(o);
  const { constants, types } = analyze(b);
  t.equal(constants.get(handed)?.bytes, weights.bytes, "the same bytes, not a copy");
  t.notOk(constants.has(negated));
  t.strictSame(types.get(negated)?.dims, [big]);
  t.strictSame([...new Float32Array(constants.get(small)?.bytes.slice().buffer ?? new ArrayBuffer(0))], [-1, 2]);
});

t.test("int64 beyond 2^53 moves exactly and is not computed with", async (t) => {
  const b = new GraphBuilder();
  const max = 2n ** 63n - 1n;
  const end = b.initializer({ ...int64Tensor("end", [1], [0]), bytes: new Uint8Array(BigInt64Array.of(max).buffer) });
  const joined = b.node("Concat", [b.int64([1]), end], { axis: attr.int(0) });
  const sum = b.node("Add", [end, b.int64([0])]);
  for (const o of [joined, sum]) b.output(o, undefined, "int64");
  const { constants } = analyze(b);
  t.strictSame([...new BigInt64Array(constants.get(joined)?.bytes.slice().buffer ?? new ArrayBuffer(0))], [1n, max]);
  t.notOk(constants.has(sum));
});

t.test("what halp does not know has the type that the model states, or none", async (t) => {
  const b = new GraphBuilder();
  const x = b.input("x", [1, 3]);
  const stated = b.node("Mystery", [x], {}, { domain: "acme" });
  const dynamic = b.node("Mystery", [x], {}, { domain: "acme" });
  const silent = b.node("Mystery", [x], {}, { domain: "acme" });
  const after = b.node("Relu", [silent]);
  b.output(stated, [1, 7]);
  b.output(dynamic, ["n", 7]);
  b.output(after);
  const { types } = analyze(b);
  t.strictSame(types.get(stated), { dtype: "float32", dims: [1, 7] });
  for (const name of [dynamic, silent, after]) t.equal(types.get(name), undefined);
});

t.test("operators of other domains are not taken for those of ONNX", async (t) => {
  t.equal(findOperator("Relu", "acme"), undefined);
  t.equal(findOperator("Relu", "ai.onnx"), findOperator("Relu", ""));
});

t.test("damaged graphs are refused", async (t) => {
  const good = () => {
    const b = new GraphBuilder();
    const x = b.input("x", [1, 3]);
    const r = b.node("Relu", [x], {}, { name: "first", outputs: ["r"] });
    b.output(b.node("Neg", [r], {}, { name: "second", outputs: ["y"] }));
    return b.model();
  };
  const broken = (change: (m: Model) => Model, code: string, message: RegExp) =>
    t.throws(() => analyzeGraph(change(good()), findOperator), { code, message, exitCode: 2 });
  const nodesOf = (m: Model, nodes: Model["graph"]["nodes"]) => ({ ...m, graph: { ...m.graph, nodes } });
  broken((m) => nodesOf(m, m.graph.nodes.slice(1)), "HALP_GRAPH_VALUE_MISSING", /"second" reads "r"/);
  broken((m) => nodesOf(m, m.graph.nodes.slice(0, 1)), "HALP_GRAPH_VALUE_MISSING", /output "y"/);
  broken(
    (m) => nodesOf(m, m.graph.nodes.toReversed()),
    "HALP_GRAPH_ORDER",
    /"second" reads "r", which is made only later/,
  );
  broken((m) => nodesOf(m, [...m.graph.nodes, ...m.graph.nodes]), "HALP_GRAPH_VALUE_TWICE", /"r" is made again/);
});

t.test("operands that do not fit are refused with the node's name", async (t) => {
  const refused = (build: (b: GraphBuilder, x: string) => string, message: RegExp) => {
    const b = new GraphBuilder();
    b.output(build(b, b.input("x", [1, 3, 4, 4])));
    t.throws(() => analyze(b), { code: "HALP_SHAPE", message, node: "it" });
  };
  const name = { name: "it" };
  const weight = (b: GraphBuilder, dims: number[]) =>
    b.initializer(float32Tensor("w", dims, new Float32Array(dims.reduce((a, d) => a * d))));
  refused(
    (b, x) => b.node("Conv", [x, weight(b, [8, 4, 3, 3])], {}, name),
    /expected 4 input channels.*\[1, 3, 4, 4\]/,
  );
  refused((b, x) => b.node("Conv", [x, weight(b, [8, 3, 5, 5])], {}, name), /at least 5 .*came 4/);
  refused((b, x) => b.node("Add", [x, weight(b, [5])], {}, name), /broadcast, came \[1, 3, 4, 4\] and \[5\]/);
  refused((b, x) => b.node("Reshape", [x, b.int64([7, -1])], {}, name), /\[7, -1\]/);
  refused((b, x) => b.node("Concat", [x, weight(b, [1, 3, 4, 5])], { axis: attr.int(1) }, name), /but for axis 1/);
  refused((b, x) => b.node("MatMul", [x, weight(b, [3, 4])], {}, name), /matrices that multiply/);
});
