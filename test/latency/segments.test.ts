import t from "tap";
import { attr } from "../../src/graph/attributes.js";
import { networkConfigs, networkOf, type Segment, segmentConfigs, segmentsOf } from "../../src/latency/index.js";
import { analyzed, blocks, NetBuilder } from "./networks.js";

const ops = (s: Segment): string => s.nodes.map((n) => n.opType).join("+");
const cut = (g: NetBuilder): string[] =>
  segmentsOf(analyzed(g.model({ opset: 13 })), blocks)
    .filter((s) => s.nodes.length > 0)
    .map(ops);

t.test("a convolution takes in what the runtime fuses with it", (t) => {
  const g = new NetBuilder();
  const x = g.input("x", [1, 3, 8, 8]);
  const padded = g.node("Pad", [x, g.int64([0, 0, 1, 1, 0, 0, 1, 1])]);
  const a = g.node("Relu", [g.norm(g.conv(padded, 3, 16, 1), 16)]);
  const scaled = g.node("Mul", [g.conv(a, 16, 16), g.weights([16, 1, 1])]);
  const b = g.node("Clip", [g.node("Add", [scaled, a]), g.float32(0), g.float32(6)]);
  g.output(g.node("Sigmoid", [g.node("Gemm", [g.node("Flatten", [b]), g.weights([1600, 4])])]));
  t.strictSame(cut(g), ["Pad+Conv+BatchNormalization+Relu", "Conv+Mul+Add+Clip", "Flatten", "Gemm+Sigmoid"]);
  t.end();
});

t.test("what others read as well is not fused", (t) => {
  const g = new NetBuilder();
  const y = g.conv(g.input("x", [1, 3, 8, 8]), 3, 16);
  g.output(g.node("Relu", [y]));
  g.output(y);
  t.strictSame(cut(g), ["Conv", "Relu"]);
  t.end();
});

t.test("one of two convolutions takes the addition", (t) => {
  const g = new NetBuilder();
  const x = g.input("x", [1, 3, 8, 8]);
  g.output(g.node("Relu", [g.node("Add", [g.conv(x, 3, 16), g.conv(x, 3, 16, 1)])]));
  t.strictSame(cut(g).sort(), ["Conv", "Conv+Add+Relu"]);
  t.end();
});

t.test("x * sigmoid(x) is one", (t) => {
  const g = new NetBuilder();
  const y = g.conv(g.input("x", [1, 3, 8, 8]), 3, 16);
  g.output(g.node("Mul", [y, g.node("Sigmoid", [y])]));
  t.strictSame(cut(g), ["Conv", "Sigmoid+Mul"]);
  t.end();
});

t.test("dead nodes, folded ones and new names for old values are in no segment", (t) => {
  const g = new NetBuilder();
  const x = g.input("x", [1, 3, 8, 8]);
  g.conv(x, 3, 5);
  const same = g.node("Identity", [g.node("Dropout", [g.node("Identity", [x])])]);
  const shape = g.node("Concat", [g.node("Shape", [same]), g.int64([1])], { axis: attr.int(0) });
  g.output(g.node("Reshape", [g.conv(same, 3, 3), shape]));
  t.strictSame(cut(g), ["Conv", "Reshape"]);
  const network = networkOf(analyzed(g.model({ opset: 13 })), blocks);
  t.strictSame(network.segments.find((s) => ops(s) === "Conv")?.inputs, ["x"]);
  t.end();
});

t.test("each segment stands behind all that it reads", (t) => {
  const g = new NetBuilder();
  const x = g.input("x", [1, 3, 8, 8]);
  const early = g.conv(x, 3, 16);
  const late = g.node("Tanh", [g.node("Exp", [x])]);
  g.output(g.node("Add", [early, g.conv(late, 3, 16)]));
  const seen = new Set<string>();
  for (const s of segmentsOf(analyzed(g.model({ opset: 13 })), blocks)) {
    for (const i of s.inputs) t.ok(seen.has(i), `${i} before ${ops(s)}`);
    for (const o of s.outputs) seen.add(o);
  }
  t.end();
});

t.test("control flow and shapes that only a run tells are not measurable, and say why", (t) => {
  const g = new NetBuilder();
  const found = g.node("NonZero", [g.input("x", [1, 3, 8, 8])]);
  g.output(g.node("Cast", [found], { to: attr.int(1) }));
  const segments = segmentsOf(analyzed(g.model({ opset: 13 })), blocks).filter((s) => s.nodes.length > 0);
  t.ok(segments.length > 0);
  for (const s of segments) {
    t.match(s.unmeasurable, /not known before the run/);
    t.strictSame(
      segmentConfigs(s, () => undefined),
      [],
    );
  }
  t.end();
});

t.test("equal layers share a configuration, whatever they are called", (t) => {
  const g = new NetBuilder();
  let y = g.node("Relu", [g.conv(g.input("x", [1, 3, 8, 8]), 3, 32)]);
  for (let i = 0; i < 3; i++) y = g.node("Relu", [g.conv(y, 32, 32)]);
  g.output(y);
  const configs = networkConfigs(networkOf(analyzed(g.model({ opset: 13 })), blocks), { dimsOf: () => undefined });
  const distinct = new Set(configs.map((c) => JSON.stringify(c)));
  t.equal(configs.length, 5, "four convolutions, and the output brought back into the plain layout");
  t.equal(distinct.size, 3);
  t.end();
});

t.test("shape constants and attributes follow the widths", (t) => {
  const g = new NetBuilder();
  const x = g.conv(g.input("x", [1, 3, 8, 8]), 3, 16);
  const depth = g.conv(x, 16, 16, 3, 16);
  const flat = g.node("Reshape", [depth, g.int64([1, 1024])], {}, { outputs: ["flat"] });
  const padded = g.node("Pad", [depth, g.int64([0, 4, 0, 0, 0, 4, 0, 0])], {}, { outputs: ["padded"] });
  const sliced = g.node("Slice", [depth, g.int64([0]), g.int64([16]), g.int64([1])], {}, { outputs: ["sliced"] });
  g.output(flat);
  g.output(padded);
  g.output(sliced);
  const network = networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 });
  const narrow = (dims: readonly number[] | undefined): readonly number[] | undefined =>
    dims?.map((d, i) => (d === 16 ? 12 : d === 24 ? 20 : d === 1024 && i === 1 ? 768 : d));
  const of = (name: string) =>
    networkConfigs(network, { dimsOf: (v) => narrow(network.analyzed.types.get(v)?.dims) }).find((c) =>
      c.nodes.some((n) => n.opType === name),
    );
  t.strictSame(of("Reshape")?.constants[0]?.values, [1, 768]);
  t.strictSame(of("Pad")?.constants[0]?.values, [0, 4, 0, 0, 0, 4, 0, 0]);
  t.strictSame(of("Slice")?.constants[1]?.values, [12]);
  const groups = networkConfigs(network, { dimsOf: (v) => narrow(network.analyzed.types.get(v)?.dims) })
    .flatMap((c) => c.nodes)
    .filter((n) => n.opType === "Conv")
    .map((n) => n.attributes.group);
  t.strictSame(groups, [
    ["int", 1],
    ["int", 12],
  ]);
  t.end();
});
