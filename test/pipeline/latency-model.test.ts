import t from "tap";
import { analyzeCoupling } from "../../src/coupling/index.js";
import { axisWidths, dimsAt } from "../../src/coupling/widths.js";
import { attr } from "../../src/graph/attributes.js";
import { analyzeGraph } from "../../src/graph/infer.js";
import type { Model } from "../../src/graph/ir.js";
import { type LayerConfig, networkConfigs, networkOf } from "../../src/latency/index.js";
import { findOperator } from "../../src/operators/index.js";
import { LatencyModel } from "../../src/pipeline/latency-model.js";
import type { Oracle } from "../../src/pipeline/oracle.js";
import { openSearch } from "../../src/pipeline/search.js";
import { groupOptions, rankVariables } from "../../src/problem/index.js";
import { uniform } from "../../src/runtime/index.js";
import { Net } from "../coupling/zoo.js";

/** A device on which a layer costs its weights' elements, or what it reads: linear in each width. */
function costOf(config: LayerConfig): number {
  const elements = (dims: readonly number[]) => dims.reduce((n, d) => n * d, 1);
  const weights = config.constants.filter((c) => c.dims.length > 1);
  if (weights.length > 0) return weights.reduce((n, c) => n + elements(c.dims), 0);
  return config.inputs.reduce((n, i) => n + elements(i.dims), 0);
}

async function modelOf(network: Model, options: (size: number) => readonly number[]) {
  const analyzed = analyzeGraph(network, findOperator, {});
  const coupling = analyzeCoupling(analyzed, findOperator);
  const made = networkOf(analyzed, { blockSize: 1 });
  let asked = 0;
  const oracle = {
    networkOf: () => made,
    ensure: async (configs: readonly LayerConfig[]) => {
      asked += configs.length;
    },
    latencyNs: costOf,
  } as unknown as Oracle;
  const importance = new Float64Array(coupling.groups.reduce((n, g) => n + g.size, 0)).fill(1);
  const variables = rankVariables(coupling, importance, (g) => (g.frozen === undefined ? options(g.size) : [g.size]));
  const model = await LatencyModel.open({ analyzed, coupling, variables, oracle }, 0, async () => 0);
  const widths = axisWidths(coupling);
  const latency = (counts: Int32Array) =>
    networkConfigs(made, { dimsOf: (v) => dimsAt(analyzed, widths, v, counts) }).reduce((ns, c) => ns + costOf(c), 0);
  return { model, variables, latency, asked: () => asked };
}

/** What the terms say of random plans, against the whole network; terms leave out what no width changes. */
async function errorsOf(network: Model, options: (size: number) => readonly number[]) {
  const { model, variables, latency } = await modelOf(network, options);
  const random = uniform(7);
  const whole = Int32Array.from(variables, (v) => v.group.size);
  const constant = latency(whole) - model.total(whole);
  let largest = 0;
  for (let i = 0; i < 200; i++) {
    const counts = Int32Array.from(variables, (v) => v.options[Math.floor(random() * v.options.length)] as number);
    largest = Math.max(largest, Math.abs(model.total(counts) + constant - latency(counts)) / latency(counts));
  }
  return { largest, held: model.heldLayers };
}

const quarters = (size: number) => [size / 4, size / 2, (3 * size) / 4, size];

/** Branches joined by a Concat, read by one convolution. */
function branches(widths: readonly number[]): Model {
  const n = new Net();
  const x = n.relu(n.conv("stem", n.input(3), 3, 8));
  const parts = widths.map((w, i) => n.relu(n.conv(`branch${i}`, x, 8, w)));
  const joined = n.op("Concat", parts, { axis: attr.int(1) }, "join");
  const y = n.relu(
    n.conv(
      "after",
      joined,
      widths.reduce((a, b) => a + b, 0),
      16,
    ),
  );
  n.head(y, 16);
  return n.model();
}

/** Every layer reads all that came before. */
function dense(layers: number, growth: number): Model {
  const n = new Net();
  let x = n.relu(n.conv("stem", n.input(3), 3, growth));
  for (let i = 1; i <= layers; i++) {
    const y = n.relu(n.conv(`layer${i}`, x, i * growth, growth));
    x = n.op("Concat", [x, y], { axis: attr.int(1) }, `join${i}`);
  }
  n.head(n.relu(n.conv("last", x, (layers + 1) * growth, growth)), growth);
  return n.model();
}

t.test("a layer that reads a concatenation depends on the sum of what it reads", async (t) => {
  for (const network of [branches([8, 16]), branches([8, 8, 16]), dense(4, 8)]) {
    const { largest, held } = await errorsOf(network, quarters);
    t.same(held, []);
    t.ok(largest < 1e-9, `terms and network differ by ${largest}`);
  }
});

t.test("sums of too many widths are taken one group at a time, and said to be", async (t) => {
  const every = (size: number) => Array.from({ length: size }, (_, i) => i + 1);
  const { held } = await errorsOf(branches([32, 32, 32]), every);
  t.ok(held.includes("after"), held.join());
  t.equal((await errorsOf(branches([4, 4, 4]), every)).held.length, 0);
});

t.test("options of a device's alignment make sums small enough for tables", async (t) => {
  const { held } = await errorsOf(branches([64, 128, 64]), (size) =>
    groupOptions({ size } as Parameters<typeof groupOptions>[0], { alignment: 16 }, false),
  );
  t.same(held, []);
});

t.test("under one budget the joint form keeps at least the importance of the paper's, and meets it", async (t) => {
  const importanceOf = (random: () => number, count: number) =>
    Float64Array.from({ length: count }, () => random() ** 3);
  let ahead = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const n = new Net();
    const widths = [8, 16, 24, 16, 8];
    let x = n.relu(n.conv("stem", n.input(3), 3, 8));
    widths.slice(1).forEach((w, i) => {
      x = n.relu(n.conv(`layer${i + 1}`, x, widths[i] as number, w));
    });
    n.head(x, 8);
    const analyzed = analyzeGraph(n.model(), findOperator, {});
    const coupling = analyzeCoupling(analyzed, findOperator);
    const made = networkOf(analyzed, { blockSize: 1 });
    const axes = axisWidths(coupling);
    const predictNs = (counts: ArrayLike<number>) =>
      networkConfigs(made, { dimsOf: (v) => dimsAt(analyzed, axes, v, counts) }).reduce((ns, c) => ns + costOf(c), 0);
    const oracle = {
      isOwn: true,
      networkOf: () => made,
      ensure: async () => {},
      latencyNs: costOf,
    } as unknown as Oracle;
    const variables = rankVariables(coupling, importanceOf(uniform(seed), coupling.channelCount), (g) =>
      g.frozen === undefined ? quarters(g.size) : [g.size],
    );
    const presentNs = predictNs(variables.map((v) => v.group.size));
    const keep = async (mode: "joint" | "halp") => {
      const search = await openSearch({
        analyzed,
        coupling,
        variables,
        devices: [{ name: "", oracle }],
        mode,
        presentNs: [presentNs],
        predict: async (plan) => ({ model: null, predictedNs: [predictNs(plan.kept.map((k) => k.length))] }),
      });
      const found = await search.find([0.55 * presentNs]);
      t.ok((found.predictedNs[0] as number) <= 0.55 * presentNs);
      return found.importance;
    };
    const [joint, halp] = [await keep("joint"), await keep("halp")];
    t.ok(joint >= halp * (1 - 1e-9), `seed ${seed}: ${joint} against ${halp}`);
    if (joint > halp * (1 + 1e-6)) ahead++;
  }
  t.ok(ahead > 0, `ahead for ${ahead} of 12 importances`);
});
