import t from "tap";
import { analyzeCoupling, type Coupling } from "../../src/coupling/index.js";
import { axisWidths, dimsAt } from "../../src/coupling/widths.js";
import { attr } from "../../src/graph/attributes.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor } from "../../src/graph/tensors.js";
import { findOperator } from "../../src/operators/index.js";
import { Net } from "./zoo.js";

const couple = (model: Model, freeze: string[] = []): Coupling =>
  analyzeCoupling(analyzeGraph(model, findOperator, {}), findOperator, { freeze });
const free = (c: Coupling) => c.groups.filter((g) => g.frozen === undefined).map((g) => `${g.name}:${g.size}`);
const frozen = (c: Coupling) => c.groups.filter((g) => g.frozen !== undefined).map((g) => `${g.name}:${g.size}`);

t.test("a chain: each layer its own group, the logits frozen", async (t) => {
  const n = new Net();
  const a = n.relu(n.bn("bn1", n.conv("c1", n.input(3), 3, 8), 8));
  n.head(n.relu(n.conv("c2", a, 8, 12)), 12);
  const c = couple(n.model());
  t.same(free(c), ["c1:8", "c2:12"]);
  t.same(frozen(c), ["fc:5"]);
  t.match(c.groups[2]?.frozen, /network output/);
  t.same(
    c.groups[0]?.consumers.map((x) => x.name),
    ["c2"],
  );
});

t.test("a residual ties its two ends, not the middle", async (t) => {
  const n = new Net();
  const s = n.relu(n.conv("stem", n.input(3), 3, 8));
  const mid = n.relu(n.conv("mid", s, 8, 6));
  const sum = n.op("Add", [n.conv("out", mid, 6, 8), s]);
  n.head(n.relu(sum), 8);
  const c = couple(n.model());
  t.same(free(c), ["stem:8", "mid:6"]);
  t.same(
    c.groups[0]?.producers.map((p) => p.name),
    ["stem", "out"],
  );
});

t.test("depthwise hands on, with multiplier too; grouped goes by blocks or by places", async (t) => {
  const n = new Net();
  const a = n.conv("c1", n.input(3), 3, 8);
  const d = n.conv("dw", a, 8, 16, { group: 8 });
  n.head(n.conv("c2", d, 16, 4), 4);
  t.same(free(couple(n.model())), ["c1:8", "c2:4"]);

  const g = new Net();
  const b = g.conv("c1", g.input(3), 3, 64);
  const e = g.conv("blocks", b, 64, 64, { group: 32 });
  const f = g.conv("places", g.conv("c2", e, 64, 16), 16, 24, { group: 2 });
  g.head(f, 24);
  t.same(free(couple(g.model())), ["c1:32", "c2:8", "places:12"]);
});

t.test("concat keeps its parts apart; a tensor with itself, and one value used twice", async (t) => {
  const n = new Net();
  const x = n.input(3);
  const a = n.conv("a", x, 3, 8);
  const b = n.conv("b", x, 3, 6);
  const cat = n.op("Concat", [a, b, a], { axis: attr.int(1) });
  n.head(n.conv("c", cat, 22, 4), 4);
  const c = couple(n.model());
  t.same(free(c), ["a:8", "b:6", "c:4"]);
  const analyzed = analyzeGraph(n.model(), findOperator, {});
  t.same(dimsAt(analyzed, axisWidths(c), cat, [5, 2, 4, 5]), [1, 12, 8, 8]);
});

t.test("the parameter-free shortcut: Slice in space, Pad over channels", async (t) => {
  const n = new Net();
  const s = n.relu(n.conv("s1", n.input(3), 3, 4));
  const small = n.op("Slice", [s, n.b.int64([0, 0]), n.b.int64([99, 99]), n.b.int64([2, 3]), n.b.int64([2, 2])]);
  const wide = n.op("Pad", [small, n.b.int64([0, 2, 0, 0, 0, 2, 0, 0])]);
  const sum = n.relu(n.op("Add", [n.conv("s2", s, 4, 8, { stride: 2 }), wide]));
  n.head(sum, 8);
  const c = couple(n.model());
  // Four channels lie in both stages; four are born in the second. Their widths add up.
  t.same(free(c), ["s1:4", "s2:4"]);
  const analyzed = analyzeGraph(n.model(), findOperator, {});
  const widths = axisWidths(c);
  t.same(dimsAt(analyzed, widths, s, [3, 1, 5]), [1, 3, 8, 8]);
  t.same(dimsAt(analyzed, widths, sum, [3, 1, 5]), [1, 4, 4, 4]);
});

t.test("flatten repeats each channel over space; NHWC flatten interleaves", async (t) => {
  const n = new Net();
  const a = n.conv("a", n.input(3, 4), 3, 6);
  const flat = n.op("Flatten", [a]);
  const y = n.op("Gemm", [flat, n.weights("w", [96, 5])], {}, "fc");
  n.b.output(y);
  const c = couple(n.model());
  t.same(free(c), ["a:6"]);
  t.same([...(c.axes.get("w")?.[0] ?? [])].slice(14, 18), [0, 0, 1, 1]);

  const h = new Net();
  const p = h.op("Transpose", [h.conv("a", h.input(3, 4), 3, 6)], { perm: attr.ints([0, 2, 3, 1]) });
  const r = h.op("Reshape", [p, h.b.int64([1, -1])]);
  h.b.output(h.op("MatMul", [r, h.weights("w", [96, 5])], {}, "fc"));
  t.same([...(couple(h.model()).axes.get("w")?.[0] ?? [])].slice(0, 7), [0, 1, 2, 3, 4, 5, 0]);
});

t.test("squeeze and excitation: the gate follows the trunk, the squeeze is free", async (t) => {
  const n = new Net();
  const a = n.relu(n.conv("a", n.input(3), 3, 16));
  const squeeze = n.relu(n.conv("squeeze", n.op("GlobalAveragePool", [a]), 16, 4, { k: 1 }));
  const gate = n.op("Sigmoid", [n.conv("excite", squeeze, 4, 16, { k: 1 })]);
  n.head(n.op("Mul", [a, gate]), 16);
  t.same(free(couple(n.model())), ["a:16", "squeeze:4"]);
});

t.test("channel shuffle keeps its blocks equal", async (t) => {
  const n = new Net();
  const a = n.conv("a", n.input(3), 3, 8);
  const split = n.op("Reshape", [a, n.b.int64([1, 2, 4, 8, 8])]);
  const turned = n.op("Transpose", [split], { perm: attr.ints([0, 2, 1, 3, 4]) });
  n.head(n.conv("b", n.op("Reshape", [turned, n.b.int64([1, 8, 8, 8])]), 8, 4), 4);
  const c = couple(n.model());
  t.same(free(c), ["a:4", "b:4"]);
  const w = [...c.axes.entries()].find(([name]) => name.startsWith("b.w"))?.[1][1];
  t.same([...(w ?? [])], [0, 0, 1, 1, 2, 2, 3, 3]);
});

t.test("split, and pixel shuffle", async (t) => {
  const n = new Net();
  const a = n.conv("a", n.input(3), 3, 8);
  const [left = "", right = ""] = n.b.nodes("Split", [a], { attributes: { axis: attr.int(1) }, outputs: 2 });
  const l = n.conv("l", left, 4, 8);
  const up = n.op("DepthToSpace", [l], { blocksize: attr.int(2), mode: attr.string("CRD") });
  n.head(n.conv("c", up, 2, 3), 3);
  n.b.output(n.conv("r", right, 4, 2));
  t.same(free(couple(n.model())), ["a:4", "a#2:4", "l:2", "c:3"]);
});

t.test("what cannot be followed is frozen with its reason", async (t) => {
  const n = new Net();
  const a = n.conv("a", n.input(3), 3, 8);
  const odd = n.b.node("Mystery", [a], {}, { name: "odd", domain: "some.vendor" });
  n.head(n.conv("b", n.op("Add", [a, odd]), 8, 4), 4);
  const c = couple(n.model());
  const group = c.groups.find((g) => g.name === "a");
  t.match(group?.frozen, /Mystery "odd"/);
  t.equal(c.unknown[0]?.node.name, "odd");
});

t.test("softmax and mean over channels need all of them", async (t) => {
  for (const op of ["Softmax", "ReduceMean"]) {
    const n = new Net();
    const a = n.conv("a", n.input(3), 3, 8);
    const s = op === "Softmax" ? n.op(op, [a], { axis: attr.int(1) }) : n.op(op, [a], { axes: attr.ints([1]) });
    n.head(n.conv("b", s, op === "Softmax" ? 8 : 1, 4), 4);
    t.match(couple(n.model()).groups.find((g) => g.name === "a")?.frozen, new RegExp(op));
  }
});

t.test("a shared weight ties both its uses; a shared scalar ties nothing", async (t) => {
  const n = new Net();
  const x = n.input(4);
  const w = n.weights("shared", [4, 4, 1, 1]);
  const one = n.b.initializer(float32Tensor("one", [1], [1]));
  const a = n.op("Mul", [n.op("Conv", [x, w], {}, "a"), one]);
  const b = n.op("Mul", [n.op("Conv", [a, w], {}, "b"), one]);
  n.head(n.op("Mul", [n.conv("c", b, 4, 7), one]), 7);
  const c = couple(n.model());
  // The weight reads the fixed input and its own output: nothing of it may go.
  t.same(free(c), ["c:7"]);
});

t.test("freezing by name and pattern; a name that matches nothing is refused", async (t) => {
  const n = new Net();
  const a = n.conv("layer1.conv", n.input(3), 3, 8);
  n.head(n.conv("layer2.conv", a, 8, 4), 4);
  t.same(free(couple(n.model(), ["layer1.*"])), ["layer2.conv:4"]);
  t.throws(() => couple(n.model(), ["nothing"]), { code: "HALP_FREEZE_NAME" });
});
