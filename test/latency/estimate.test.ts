import fc from "fast-check";
import t from "tap";
import { estimateAt } from "../../src/latency/estimate.js";
import {
  Estimator,
  type LatencyTable,
  type LayerConfig,
  layerKey,
  type OwnTable,
  type TableEntry,
} from "../../src/latency/index.js";
import { device } from "./table-device.js";

/** A convolution with activation as a network has it. */
function conv(inputs: number, outputs: number, groups = 1, size = 8): LayerConfig {
  return {
    opset: 13,
    inputs: [{ dtype: "float32", dims: [1, inputs, size, size], layout: "plain" }],
    constants: [
      { dtype: "float32", dims: [outputs, inputs / groups, 3, 3] },
      { dtype: "float32", dims: [outputs] },
    ],
    nodes: [
      { opType: "Conv", domain: "", attributes: { group: ["int", groups] }, inputs: ["i0", "c0", "c1"], outputs: 1 },
      { opType: "Relu", domain: "", attributes: {}, inputs: ["n0"], outputs: 1 },
    ],
    results: [{ value: "n1", layout: "plain" }],
  };
}

function concat(a: number, b: number): LayerConfig {
  return {
    opset: 13,
    inputs: [a, b].map((c) => ({ dtype: "float32", dims: [1, c, 8, 8], layout: "plain" })),
    constants: [],
    nodes: [{ opType: "Concat", domain: "", attributes: { axis: ["int", 1] }, inputs: ["i0", "i1"], outputs: 1 }],
    results: [{ value: "n0", layout: "plain" }],
  };
}

function tableOf(entries: readonly (readonly [LayerConfig, number])[]): OwnTable {
  const all = entries.map(([config, ns]): [string, TableEntry] => {
    const samples = { min: ns, q1: ns, median: ns, q3: ns, count: 9 };
    return [layerKey(config), { config, ns, samples, kernels: 1, layoutAsExpected: true }];
  });
  return { device, entries: new Map(all) };
}

const ask = (table: OwnTable, config: LayerConfig) => {
  const unknown = new Estimator(table).fill([config]);
  t.strictSame(unknown, table.entries.has(layerKey(config)) ? [] : [layerKey(config)]);
  return table.entries.get(layerKey(config))?.ns;
};

/** What a sweep of two groups measures: each side at every width, the other whole. */
const swept = (ns: (a: number, b: number) => number) =>
  tableOf([
    ...[16, 32, 48, 64].map((a) => [conv(a, 96), ns(a, 96)] as const),
    ...[32, 64, 96].map((b) => [conv(64, b), ns(64, b)] as const),
  ]);

t.test("between measured widths it is linear", (t) => {
  const table = swept((a, b) => 100 * a * b);
  t.equal(ask(table, conv(40, 96)), 100 * 40 * 96);
  t.equal(ask(table, conv(64, 80)), 100 * 64 * 80);
  t.match(table.entries.get(layerKey(conv(64, 80))), { estimated: true, samples: { count: 0 } });
  t.end();
});

t.test("where each side was measured alone, the product rule", (t) => {
  t.equal(
    ask(
      swept((a, b) => 100 * a * b),
      conv(32, 32),
    ),
    100 * 32 * 32,
  );
  t.equal(
    ask(
      swept((a, b) => 100 * a * b),
      conv(24, 48),
    ),
    100 * 24 * 48,
  );
  const stairs = (a: number, b: number) => 10 * Math.ceil(a / 32) * 32 * (b + 5);
  t.equal(ask(swept(stairs), conv(48, 32)), stairs(48, 32), "any product of two curves");
  t.end();
});

t.test("what only moves data adds up", (t) => {
  const ns = (a: number, b: number) => 50 * (a + b);
  const table = tableOf([
    ...[8, 16, 32].map((a) => [concat(a, 32), ns(a, 32)] as const),
    ...[8, 16, 24].map((b) => [concat(32, b), ns(32, b)] as const),
  ]);
  t.equal(ask(table, concat(16, 8)), ns(16, 8));
  t.equal(ask(table, concat(12, 20)), ns(12, 20));
  t.equal(ask(table, concat(4, 4)), ns(8, 32), "and takes no longer than where it moves more");
  t.equal(ask(table, concat(64, 4)), undefined);
  t.end();
});

t.test("beyond what was measured nothing is estimated", (t) => {
  const table = swept((a, b) => 100 * a * b);
  for (const other of [
    conv(8, 96),
    conv(64, 16),
    conv(80, 96),
    conv(64, 128),
    conv(32, 32, 1, 16),
    conv(64, 64, 64),
    concat(32, 32),
  ])
    t.equal(ask(table, other), undefined, layerKey(other));
  const known = table.entries.size;
  t.equal(ask(table, conv(64, 96)), 100 * 64 * 96, "what is measured stays as it is");
  t.equal(table.entries.size, known);
  t.end();
});

t.test("depthwise and dense convolutions do not mix", (t) => {
  const table = tableOf([
    [conv(32, 32, 32), 3200],
    [conv(64, 64, 64), 6400],
    [conv(32, 32), 102400],
    [conv(64, 64), 409600],
  ]);
  t.equal(ask(table, conv(48, 48, 48)), 4800);
  t.equal(ask(table, conv(48, 48)), 256000, "all sides at once, where they were measured so");
  t.equal(ask(table, conv(32, 64)), undefined);
  t.end();
});

t.test("where a layer meets another layout, what is known of it in any counts", (t) => {
  const blocked = (config: LayerConfig): LayerConfig => ({
    ...config,
    inputs: config.inputs.map((i) => ({ ...i, layout: "blocked" })),
    results: config.results.map((r) => ({ ...r, layout: "blocked" })),
  });
  const fromPlain = { ...blocked(conv(8, 64)), inputs: conv(8, 64).inputs };
  const table = tableOf([
    ...[16, 32, 64].map((a) => [blocked(conv(a, 64)), 100 * a * 64] as const),
    ...[16, 32].map((b) => [blocked(conv(64, b)), 100 * 64 * b] as const),
    [fromPlain, 150 * 8 * 64],
  ]);
  t.equal(ask(table, { ...blocked(conv(8, 32)), inputs: conv(8, 32).inputs }), 150 * 8 * 32);
  t.end();
});

t.test("the step between widths is what most layers have", (t) => {
  t.equal(new Estimator(swept(() => 1)).grid(), 16);
  t.equal(new Estimator(tableOf([[conv(3, 24), 1]])).grid(), 1);
  t.equal(new Estimator(tableOf([3, 8, 24, 32, 48].map((b) => [conv(3, b), 1]))).grid(), 16);
  const empty: LatencyTable = tableOf([]);
  t.equal(new Estimator(empty as OwnTable).grid(), 1);
  t.end();
});

t.test("an estimate lies between its neighbours, and is exact for products", (t) => {
  const size = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(fc.uniqueArray(size, { minLength: 2, maxLength: 6 }), size, size, (widths, a, b) => {
      const top = Math.max(...widths);
      const least = Math.min(...widths);
      const known = new Map<string, { at: number[]; ns: number }>();
      for (const w of widths)
        for (const at of [
          [w, top],
          [top, w],
        ])
          known.set(at.join(), { at, ns: 1000 * at[0]! * at[1]! });
      const ns = estimateAt([a, b], known, true);
      const inside = a >= least && a <= top && b >= least && b <= top;
      if (inside) return Math.abs(ns! / (1000 * a * b) - 1) < 1e-9;
      return ns === undefined;
    }),
  );
  t.end();
});
