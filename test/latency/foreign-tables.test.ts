/** Tables that came from elsewhere: compared, united, imported, and what they have in place of a network's layers. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { attr } from "../../src/graph/attributes.js";
import {
  compareTables,
  coverageOf,
  importTable,
  type LatencyTable,
  type LayerConfig,
  layerKey,
  lookup,
  mergeTables,
  missing,
  missingKeys,
  networkConfigs,
  networkOf,
  notCounted,
  openTable,
  paperKey,
  parseDevice,
  saveTable,
  type TableEntry,
} from "../../src/latency/index.js";
import { analyzed, NetBuilder } from "./networks.js";
import { device } from "./table-device.js";

const relu = (channels: number): LayerConfig => ({
  opset: 13,
  inputs: [{ dtype: "float32", dims: [1, channels, 8, 8], layout: "plain" }],
  constants: [],
  nodes: [{ opType: "Relu", domain: "", attributes: {}, inputs: ["i0"], outputs: 1 }],
  results: [{ value: "n0", layout: "plain" }],
});
const entry = (channels: number, ns: number, over: Partial<TableEntry> = {}): [string, TableEntry] => {
  const config = relu(channels);
  const samples = { min: ns, q1: ns, median: ns, q3: ns + ns / 10, count: 9 };
  return [layerKey(config), { config, ns, samples, kernels: 1, layoutAsExpected: true, ...over }];
};
const tableOf = (
  entries: readonly [string, TableEntry][],
  over: Partial<LatencyTable["device"]> = {},
): LatencyTable => ({
  device: { ...device, ...over },
  entries: new Map(entries),
});

t.test("two tables are compared on what both hold", (t) => {
  const first = tableOf([entry(4, 1000), entry(8, 2000), entry(12, 500), entry(16, 0)]);
  const second = tableOf([entry(8, 3000), entry(12, 125), entry(16, 0), entry(20, 1)], { fingerprint: "other" });
  const d = compareTables(first, second);
  t.match(d, { sameDevice: false, common: 3, onlyFirst: 1, onlySecond: 1, sumNs: [2500, 3125] });
  t.strictSame(
    d.layers.map((l) => l.ratio),
    [0.25, 1.5, 1],
    "the worst first",
  );
  t.match(d.ratios, { min: 0.25, median: 1, max: 1.5, count: 3 });
  t.match(compareTables(first, tableOf([])), { common: 0, ratios: undefined });
  t.end();
});

t.test("tables of one device are united, others refused", (t) => {
  const few = { samples: { min: 1, q1: 1, median: 1, q3: 1, count: 3 } };
  const { table, conflicts, speeds } = mergeTables([
    tableOf([entry(4, 1000), entry(8, 2000, few), entry(12, 500), entry(16, 7, { unchecked: true })]),
    tableOf([entry(8, 3000), entry(12, 400), entry(16, 9), entry(20, 1)], { referenceNs: 310_000 }),
  ]);
  t.strictSame(
    [...table.entries.values()].map((e) => e.ns),
    [1000, 3000, 400, 9, 1],
    "more samples, else the lower, but what was measured twice",
  );
  t.equal(conflicts, 3);
  t.strictSame(speeds, [1, 1], "a small drift is none");
  const slow = tableOf([entry(4, 2000)], { referenceNs: 2 * device.referenceNs });
  const scaled = mergeTables([tableOf([]), slow]);
  t.strictSame(scaled.speeds, [1, 0.5]);
  t.match(scaled.table.entries.get(layerKey(relu(4))), { ns: 1000, samples: { q3: 1100, count: 9 } });
  const other = tableOf([], { fingerprint: "other", cpu: "slide rule" });
  t.throws(() => mergeTables([tableOf([]), other], ["a.json", "b.json"]), {
    code: "HALP_TABLE_DEVICE",
    message: /b\.json is of another device than a\.json: slide rule.*not abacus/,
    file: "b.json",
  });
  t.throws(() => mergeTables([]), { code: "HALP_TABLE_EMPTY" });
  t.end();
});

t.test("what a table holds", (t) => {
  const c = coverageOf(tableOf([entry(16, 20_000), entry(32, 40_000), entry(48, 100, { unchecked: true })]));
  t.match(c, {
    entries: 3,
    samples: 27,
    unchecked: 1,
    unexpected: 0,
    grid: 16,
    alignment: undefined,
    kinds: [{ operators: "Relu", entries: 3, configurations: 1, widths: 3, ns: 60_100 }],
  });
  t.ok(Math.abs(c.spread.worst - 0.1) < 1e-9);
  t.end();
});

const lut = { "1_3_16_32_3_1_1": 0.4, "1_16_32_32_3_2_1": [0.2, 0.21, 0.3], "1_32_32_16_5_1_32": 0.05 };

t.test("HALP's key form, in JSON and CSV", (t) => {
  const dir = t.testdir({ "lut.json": JSON.stringify(lut) });
  const read = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return importTable(join(dir, name), "Toy");
  };
  const table = importTable(join(dir, "lut.json"), "Toy");
  t.strictSame([...table.entries.keys()].map(paperKey), Object.keys(lut));
  t.strictSame(
    [...table.entries.values()].map((e) => [e.ns, e.samples.count]),
    [
      [400_000, 1],
      [200_000, 3],
      [50_000, 1],
    ],
  );
  t.match(table.device, { cpu: "Toy", clock: "imported", calibration: { runNs: 0 } });
  const csv = read(
    "lut.csv",
    'key,ms\n1_3_16_32_3_1_1,0.4\n\n"1_16_32_32_3_2_1", 0.2,0.21,0.3\n1_32_32_16_5_1_32,5e-2\n',
  );
  t.strictSame(csv, table, "with titles, quotes and samples");
  const titles = "batch,cin,cout,fmap,k,stride,groups,ms\r\n";
  const columns = read(
    "columns.csv",
    `${titles}1,3,16,32,3,1,1,0.4\r\n1,16,32,32,3,2,1,0.2,0.21,0.3\r\n1,32,32,16,5,1,32,0.05`,
  );
  t.strictSame(columns, table, "in columns");
  saveTable(table, join(dir, "table.json"));
  t.strictSame(openTable(join(dir, "table.json")), table, "as a file");
  t.not(importTable(join(dir, "lut.json"), "Other").device.fingerprint, table.device.fingerprint);

  for (const text of [
    "",
    "{}",
    "[1]",
    "{",
    '{"1_3_16_32_3_1": 1}',
    '{"1_3_16_32_3_1_0": 1}',
    '{"1_3_16_32_3_1_2": 1}',
    '{"1_3_16_32_3_1_1": "fast"}',
    '{"1_3_16_32_3_1_1": -1}',
    '{"1_3_16_32_3_1_1": []}',
    "1_3_16_32_3_1_1\n",
    "1_3_16_32_3_1_1,0.4\n1_3_16_32_3_1_1,0.5\n",
    "1_3_16_32_3_1_1,0.4\nkey,ms\n",
  ])
    t.throws(() => read("bad", text), { code: "HALP_IMPORT_FORMAT", exitCode: 2, message: /batch_cin_cout/ }, text);
  t.throws(() => importTable(join(dir, "nowhere"), "Toy"), { code: "HALP_READ" });
  t.end();
});

t.test("an imported table and a network's layers", (t) => {
  const dir = t.testdir({ "lut.json": JSON.stringify(lut) });
  const table = importTable(join(dir, "lut.json"), "Toy");
  const g = new NetBuilder();
  const x = g.node("Relu", [g.norm(g.conv(g.input("x", [1, 3, 32, 32]), 3, 16), 16)]);
  const y = g.node("Clip", [g.conv(x, 16, 32, 3, 1, 2), g.float32(0), g.float32(6)]);
  const z = g.conv(y, 32, 32, 5, 32);
  const last = g.node("Conv", [z, g.weights([8, 32, 1, 1])], { kernel_shape: attr.ints([1, 1]) });
  g.output(g.node("GlobalAveragePool", [last]));
  const configs = networkConfigs(networkOf(analyzed(g.model({ opset: 13 })), { blockSize: 1 }), {
    dimsOf: () => undefined,
  });
  t.strictSame(
    configs.slice(0, 3).map((c) => lookup(table, c)),
    [400_000, 200_000, 50_000],
    "whatever is fused to them",
  );
  const absent = missingKeys(table, configs);
  t.equal(absent.length, 1);
  t.match(missing(table, absent), { code: "HALP_TABLE_MISSING_KEY", message: /1_32_8_16_1_1_1[\s\S]*imported from/ });
  t.strictSame([...notCounted(table.device, configs)].sort(), [
    ["Clip", 1],
    ["GlobalAveragePool", 1],
  ]);
  t.end();
});

t.test("devices by name", (t) => {
  t.strictSame(parseDevice("cpu"), { kind: "cpu" });
  t.strictSame(parseDevice("cuda:1"), { kind: "cuda", index: 1 });
  t.strictSame(parseDevice("ort-cuda"), { kind: "ort-cuda", index: 0 });
  for (const name of ["", "gpu", "cuda:", "cuda:x", "cpu:0"])
    t.throws(() => parseDevice(name), { code: "HALP_DEVICE_NAME" }, name);
  t.end();
});
