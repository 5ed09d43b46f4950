/** Networks drawn at random: operators that hang channels together, in any order. */
import { attr } from "../../src/graph/attributes.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Model } from "../../src/graph/ir.js";
import { float32Tensor, sizeOf } from "../../src/graph/tensors.js";
import { type Random, seeded } from "./random-plan.js";

/** A feature map [batch, channels, 6, 6]. */
interface Map6 {
  readonly name: string;
  readonly channels: number;
}

const side = 6;

/** A network of `steps` random operators on feature maps of equal height and width, with one head on some of them. */
export function randomNetwork(seed: number, steps: number): Model {
  const random = seeded(seed);
  const b = new GraphBuilder();
  const below = (n: number) => Math.floor(random() * n);
  const pool: Map6[] = [{ name: b.input("x", ["batch", 3, side, side]), channels: 3 }];
  const pick = () => pool[Math.max(0, pool.length - 1 - below(Math.min(4, pool.length)))] as Map6;
  const push = (name: string, channels: number) => pool.push({ name, channels });
  for (let step = 0; step < steps; step++) {
    const make = makers[below(makers.length)] as Maker;
    make({ b, random, below, pick, push, pool });
  }
  const heads = pool.slice(1).filter((_, i) => i === pool.length - 2 || random() < 0.2);
  const used = heads.length > 0 ? heads : pool;
  const flat = used.map((m) => b.node("Flatten", [b.node("GlobalAveragePool", [conv(b, random, m, 2, 1)])]));
  b.node(
    "Mul",
    [flat.length === 1 ? (flat[0] ?? "") : b.node("Concat", flat, { axis: attr.int(1) }), b.float32(0.5)],
    {},
    { outputs: ["y"] },
  );
  b.output("y", ["batch", 2 * used.length]);
  return b.model({ opset: 17 });
}

interface Site {
  readonly b: GraphBuilder;
  readonly random: Random;
  below(n: number): number;
  pick(): Map6;
  push(name: string, channels: number): void;
  readonly pool: readonly Map6[];
}
type Maker = (site: Site) => void;

function weights(b: GraphBuilder, random: Random, dims: readonly number[]): string {
  const data = Float32Array.from({ length: sizeOf(dims) }, () => random() * 2 - 1);
  return b.initializer(float32Tensor(b.freshName("w"), dims, data));
}

function conv(b: GraphBuilder, random: Random, m: Map6, to: number, kernel: number, groups = 1): string {
  const w = weights(b, random, [to, m.channels / groups, kernel, kernel]);
  const pads = attr.ints(new Array(4).fill((kernel - 1) / 2));
  return b.node("Conv", [m.name, w, weights(b, random, [to])], { pads, group: attr.int(groups) });
}

const makers: readonly Maker[] = [
  ({ b, random, below, pick, push }) => {
    const to = 2 + below(6);
    push(conv(b, random, pick(), to, below(2) * 2 + 1), to);
  },
  ({ b, random, below, pick, push }) => {
    const to = 2 + below(6);
    push(b.node("Relu", [conv(b, random, pick(), to, 3)]), to);
  },
  ({ b, random, below, pick, push }) => {
    const m = pick();
    const times = 1 + below(2);
    push(conv(b, random, m, m.channels * times, 3, m.channels), m.channels * times);
  },
  ({ b, random, below, pick, push }) => {
    const m = pick();
    const groups = [2, 3, 4].filter((g) => m.channels % g === 0)[below(3)];
    const to = (groups ?? 0) * (1 + below(3));
    if (groups) push(conv(b, random, m, to, 3, groups), to);
  },
  ({ b, random, pick, push }) => {
    const m = pick();
    const variance = b.initializer(
      float32Tensor(b.freshName("var"), [m.channels], new Float32Array(m.channels).fill(0.7)),
    );
    const p = () => weights(b, random, [m.channels]);
    push(b.node("BatchNormalization", [m.name, p(), p(), p(), variance]), m.channels);
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    push(b.node(["Sigmoid", "HardSigmoid", "LeakyRelu", "Tanh", "Neg"][below(5)] ?? "Relu", [m.name]), m.channels);
  },
  ({ b, below, pick, pool, push }) => {
    const m = pick();
    const same = pool.filter((o) => o.channels === m.channels);
    const other = same[below(same.length)] as Map6;
    push(b.node(["Add", "Sub", "Mul", "Max"][below(4)] ?? "Add", [m.name, other.name]), m.channels);
  },
  ({ b, random, below, pick, push }) => {
    const m = pick();
    const inner = 2 + below(4);
    const branch = { name: b.node("Relu", [conv(b, random, m, inner, 3)]), channels: inner };
    push(b.node("Add", [m.name, conv(b, random, branch, m.channels, 1)]), m.channels);
  },
  ({ b, random, below, pick, push }) => {
    const m = pick();
    const pooled = { name: b.node("GlobalAveragePool", [m.name]), channels: m.channels };
    const inner = 1 + below(3);
    const squeezed = { name: b.node("Relu", [conv(b, random, pooled, inner, 1)]), channels: inner };
    push(b.node("Mul", [m.name, b.node("Sigmoid", [conv(b, random, squeezed, m.channels, 1)])]), m.channels);
  },
  ({ b, pick, push }) => {
    const parts = [pick(), pick()];
    push(
      b.node(
        "Concat",
        parts.map((m) => m.name),
        { axis: attr.int(1) },
      ),
      parts.reduce((n, m) => n + m.channels, 0),
    );
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    if (m.channels < 2) return;
    const first = 1 + below(m.channels - 1);
    const sizes = [first, m.channels - first];
    const outputs = b.nodes("Split", [m.name, b.int64(sizes)], { attributes: { axis: attr.int(1) }, outputs: 2 });
    outputs.forEach((name, i) => {
      push(name, sizes[i] ?? 0);
    });
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    const start = below(m.channels);
    const step = 1 + below(2);
    const count = Math.ceil((m.channels - start) / step);
    push(b.node("Slice", [m.name, b.int64([start]), b.int64([2 ** 40]), b.int64([1]), b.int64([step])]), count);
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    const indices = Array.from({ length: 1 + below(m.channels + 2) }, () => below(2 * m.channels) - m.channels);
    push(b.node("Gather", [m.name, b.int64(indices)], { axis: attr.int(1) }), indices.length);
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    const [before, after] = [below(3), below(3)];
    push(b.node("Pad", [m.name, b.int64([0, before, 0, 0, 0, after, 0, 0])]), m.channels + before + after);
  },
  ({ b, below, pick, push }) => {
    const m = pick();
    const groups = [2, 3, 4].filter((g) => m.channels % g === 0)[below(3)];
    if (!groups) return;
    const wide = b.node("Reshape", [m.name, b.int64([-1, groups, m.channels / groups, side, side])]);
    const turned = b.node("Transpose", [wide], { perm: attr.ints([0, 2, 1, 3, 4]) });
    push(b.node("Reshape", [turned, b.int64([0, m.channels, side, side])]), m.channels);
  },
  ({ b, random, pick, push }) => {
    const m = pick();
    const last = b.node("Transpose", [m.name], { perm: attr.ints([0, 2, 3, 1]) });
    const scaled = b.node("Mul", [last, weights(b, random, [m.channels])]);
    const dense = b.node("MatMul", [scaled, weights(b, random, [m.channels, 4])]);
    push(b.node("Transpose", [dense], { perm: attr.ints([0, 3, 1, 2]) }), 4);
  },
];
