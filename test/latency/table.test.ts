import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  type LatencyTable,
  type LayerConfig,
  layerKey,
  lookup,
  missingKeys,
  openTable,
  predictNs,
  saveTable,
  type TableEntry,
} from "../../src/latency/index.js";
import { appendJournal, beginJournal, readJournal } from "../../src/latency/table-file.js";
import { device } from "./table-device.js";

const relu = (channels: number): LayerConfig => ({
  opset: 13,
  inputs: [{ dtype: "float32", dims: [1, channels, 8, 8], layout: "plain" }],
  constants: [],
  nodes: [{ opType: "Relu", domain: "", attributes: {}, inputs: ["i0"], outputs: 1 }],
  results: [{ value: "n0", layout: "plain" }],
});
const entry = (channels: number, ns: number): [string, TableEntry] => {
  const config = relu(channels);
  const samples = { min: ns, q1: ns, median: ns, q3: ns, count: 9 };
  return [layerKey(config), { config, ns, samples, kernels: 1, layoutAsExpected: true }];
};
const table: LatencyTable = { device, entries: new Map([entry(4, 1000), entry(8, 2000)]) };

t.test("answers what it knows and refuses the rest", (t) => {
  t.equal(lookup(table, relu(8)), 2000);
  t.equal(predictNs(table, [relu(4), relu(8), relu(8)]), 10_000, "sum and what a run costs");
  t.throws(() => lookup(table, relu(6)), { code: "HALP_TABLE_MISSING_KEY", message: layerKey(relu(6)) });
  t.strictSame(missingKeys(table, [relu(6), relu(4), relu(6)]), [layerKey(relu(6))]);
  try {
    predictNs(table, [relu(6), relu(4), relu(7)]);
    t.fail("must refuse");
  } catch (e) {
    const { message } = e as Error;
    t.ok(message.includes(layerKey(relu(6))) && message.includes(layerKey(relu(7))), "names all that is missing");
  }
  t.end();
});

t.test("a file brings the table back", (t) => {
  const path = join(t.testdir(), "folder", "table.json");
  saveTable(table, path);
  t.strictSame(openTable(path), table);
  t.equal(JSON.parse(readFileSync(path, "utf8")).format, "halp.table/1");
  t.end();
});

t.test("damaged and foreign files are refused", (t) => {
  const dir = t.testdir();
  const path = join(dir, "table.json");
  const refuse = (text: string, code: string): void => {
    writeFileSync(path, text);
    t.throws(() => openTable(path), { code, file: path, exitCode: 2 }, code);
  };
  t.throws(() => openTable(join(dir, "nothing.json")), { code: "HALP_READ" });
  saveTable(table, path);
  const good = readFileSync(path, "utf8");
  refuse(good.slice(0, good.length >> 1), "HALP_TABLE_CORRUPT");
  refuse(good.replace('"ns":1000', '"ns":null'), "HALP_TABLE_CORRUPT");
  refuse(good.replace("[1,4,8,8]", "[1,5,8,8]"), "HALP_TABLE_CORRUPT");
  refuse(good.replace('"blockSize":16', '"blockSize":"?"'), "HALP_TABLE_CORRUPT");
  refuse(good.replace("halp.table/1", "halp.table/9"), "HALP_TABLE_FORMAT");
  refuse('{"weights":[]}', "HALP_TABLE_FORMAT");
  refuse("null", "HALP_TABLE_FORMAT");
  writeFileSync(join(dir, "plain-file"), "");
  t.throws(() => saveTable(table, join(dir, "plain-file", "table.json")), { code: "HALP_WRITE" });
  t.end();
});

t.test("a journal survives being cut anywhere", (t) => {
  const dir = t.testdir();
  const path = join(dir, "journal.jsonl");
  beginJournal(path, device);
  appendJournal(path, [entry(4, 1000)]);
  const first = readFileSync(path, "utf8").length;
  appendJournal(path, [entry(8, 2000)]);
  const whole = readFileSync(path, "utf8");
  for (let cut = 0; cut <= whole.length; cut += 7) {
    writeFileSync(path, whole.slice(0, cut));
    const read = readJournal(path, device.fingerprint);
    if (cut >= first) t.ok(read?.entries.has(entry(4, 0)[0]), `cut at ${cut} of ${whole.length}`);
    if (!read) continue;
    appendJournal(path, [entry(12, 3000)]);
    t.equal(
      readJournal(path, device.fingerprint)?.entries.get(entry(12, 0)[0])?.ns,
      3000,
      "and goes on behind the cut",
    );
  }
  t.end();
});

t.test("a later line of a journal counts, another device's journal does not", (t) => {
  const path = join(t.testdir(), "journal.jsonl");
  t.equal(readJournal(path, device.fingerprint), undefined);
  beginJournal(path, device);
  appendJournal(path, [entry(4, 1000)]);
  appendJournal(path, [entry(4, 900)]);
  appendFileSync(path, '\n{"key":"nonsense"}\n');
  t.strictSame(
    [...(readJournal(path, device.fingerprint)?.entries.values() ?? [])].map((e) => e.ns),
    [900],
  );
  t.equal(readJournal(path, "another"), undefined);
  t.end();
});
