/** What halp foresees of layouts is what the runtime on this machine does. */
import fc from "fast-check";
import t from "tap";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { attr } from "../../src/graph/attributes.js";
import type { Model, Node } from "../../src/graph/ir.js";
import { layerKernels } from "../../src/latency/attribute.js";
import { buildBank } from "../../src/latency/bank.js";
import { banksOf } from "../../src/latency/cpu-meter.js";
import { layerKey, networkConfigs, networkOf } from "../../src/latency/index.js";
import { probeTraits } from "../../src/latency/probes.js";
import { optimizedModel } from "../../src/runtime/index.js";
import { analyzed, NetBuilder, trained } from "./networks.js";

const traits = probeTraits();

type Counts = Record<string, number>;

/** Kernels by kind, without those that take no time or that the runtime makes of others in the company they are in. */
function countsOf(nodes: readonly Node[]): Counts {
  const counts: Counts = {};
  for (const n of nodes) {
    const kind = `${n.domain}:${n.opType}`;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort());
}

/** The kernels of all layers of a network, each layer by itself in a bank. */
function foreseen(graph: AnalyzedGraph): { kernels: Counts; odd: string[] } {
  const configs = networkConfigs(networkOf(graph, traits), { dimsOf: () => undefined });
  const distinct = [...new Map(configs.map((c) => [layerKey(c), c] as const))];
  const kernels = new Map<string, readonly Node[]>();
  const odd: string[] = [];
  for (const items of banksOf(distinct)) {
    const bank = buildBank(items.map(([, c]) => c));
    layerKernels(
      optimizedModel(bank.model),
      items.map(([, c]) => c),
      bank.prefixOf,
    ).forEach((l, i) => {
      const key = items[i]?.[0] ?? "";
      kernels.set(key, l.nodes);
      if (!l.layoutAsExpected) odd.push(key);
    });
  }
  return { kernels: countsOf(configs.flatMap((c) => kernels.get(layerKey(c)) ?? [])), odd };
}

t.test("the size of a block is found", (t) => {
  t.ok([1, 4, 8, 16].includes(traits.blockSize), `${traits.blockSize}`);
  t.end();
});

for (const [name, open] of Object.entries(trained))
  t.test(`kernels of the ${name} network`, (t) => {
    const graph = open();
    if (!graph) {
      t.comment("skipped: the network is not at hand");
      t.end();
      return;
    }
    const { kernels, odd } = foreseen(graph);
    t.strictSame(kernels, countsOf(optimizedModel(graph.model).graph.nodes));
    t.strictSame(odd, []);
    t.end();
  });

/** One more layer on some earlier value; every width and kind of layer that has a rule of its own. */
const step = fc.record({
  kind: fc.constantFrom(
    "conv",
    "depthwise",
    "relu",
    "leaky",
    "maxpool",
    "gap",
    "add",
    "mul",
    "concat",
    "resize",
    "norm",
    "scale",
    "shift",
    "transpose",
  ),
  from: fc.nat(20),
  other: fc.nat(20),
  width: fc.constantFrom(4, 6, 8, 12, 16, 18, 20, 32, 40, 48),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function build(steps: readonly Step[], dynamic: boolean): Model {
  const g = new NetBuilder();
  const x = g.input("x", dynamic ? ["n", 3, "h", "w"] : [1, 3, 16, 16]);
  const values: { name: string; width: number; size: number }[] = [
    { name: g.conv(x, 3, 16), width: 16, size: 16 },
    { name: g.conv(x, 3, 24), width: 24, size: 16 },
  ];
  const made = new Set<string>();
  for (const s of steps) {
    const a = values[s.from % values.length]!;
    const b = values.find((v, i) => i >= s.other % values.length && v.size === a.size && v !== a) ?? a;
    // No node twice: the runtime makes one of two that are equal.
    const what = `${s.kind} ${a.name} ${["add", "mul", "concat"].includes(s.kind) ? b.name : ""}`;
    if (made.has(what)) continue;
    made.add(what);
    const unary = (opType: string) => ({ ...a, name: g.node(opType, [a.name]) });
    switch (s.kind) {
      case "conv":
        values.push({ ...a, name: g.conv(a.name, a.width, s.width), width: s.width });
        break;
      case "depthwise":
        values.push({ ...a, name: g.conv(a.name, a.width, a.width, 3, a.width) });
        break;
      case "relu":
        values.push(unary("Relu"));
        break;
      case "leaky":
        values.push(unary("LeakyRelu"));
        break;
      case "maxpool":
        values.push({
          ...a,
          name: g.node("MaxPool", [a.name], {
            kernel_shape: attr.ints([3, 3]),
            pads: attr.ints([1, 1, 1, 1]),
          }),
        });
        break;
      case "gap":
        if (a.size > 1) values.push({ ...unary("GlobalAveragePool"), size: 1 });
        break;
      case "add":
      case "mul":
        if (b !== a && b.width === a.width)
          values.push({ ...a, name: g.node(s.kind === "add" ? "Add" : "Mul", [a.name, b.name]) });
        break;
      case "concat":
        if (b !== a)
          values.push({
            ...a,
            name: g.node("Concat", [a.name, b.name], { axis: attr.int(1) }),
            width: a.width + b.width,
          });
        break;
      case "resize":
        if (a.size === 16)
          values.push({
            ...a,
            size: 32,
            name: g.node("Resize", [a.name, "", g.float32([1, 1, 2, 2])], {
              mode: attr.string(s.width > 16 ? "linear" : "nearest"),
              coordinate_transformation_mode: attr.string("asymmetric"),
              nearest_mode: attr.string("floor"),
            }),
          });
        break;
      case "norm":
        values.push({ ...a, name: g.norm(a.name, a.width) });
        break;
      case "scale":
        values.push({ ...a, name: g.node("Mul", [a.name, g.weights([a.width, 1, 1])]) });
        break;
      case "shift":
        values.push({ ...a, name: g.node("Add", [a.name, g.weights([a.width, 1, 1])]) });
        break;
      case "transpose":
        g.output(g.node("Transpose", [a.name], { perm: attr.ints([0, 2, 3, 1]) }));
        break;
    }
  }
  // Nothing dead: the runtime would run it, and halp never writes it.
  const model = g.model({ opset: 13 });
  const read = new Set(model.graph.nodes.flatMap((n) => n.inputs));
  for (const v of values) if (!read.has(v.name)) g.output(v.name);
  return g.model({ opset: 13 });
}

t.test("kernels of random networks", (t) => {
  let difference = "";
  const agrees = (steps: readonly Step[], dynamic: boolean): boolean => {
    const model = build(steps, dynamic);
    const { kernels, odd } = foreseen(analyzed(model, { x: [1, 3, 16, 16] }));
    const [a, b] = [kernels, countsOf(optimizedModel(model).graph.nodes)].map((c) => JSON.stringify(c));
    if (a !== b || odd.length > 0) difference = `foreseen ${a}\n    done ${b}\n${odd.join("\n")}`;
    return a === b && odd.length === 0;
  };
  try {
    fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), fc.boolean(), agrees), {
      numRuns: 60,
      seed: 7,
    });
  } catch (e) {
    t.fail(`${e instanceof Error ? e.message : e}\n${difference}`);
  }
  t.end();
});
