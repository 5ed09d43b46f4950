/** Measuring for real, on layers so small that it takes no time. */
import t from "tap";
import { banksOf } from "../../src/latency/cpu-meter.js";
import {
  createLatencyTable,
  describeDevice,
  deviceFingerprint,
  layerKey,
  measureMissing,
  networkConfigs,
  networkOf,
  predictNs,
} from "../../src/latency/index.js";
import { analyzed, NetBuilder } from "./networks.js";

function configsOf(widths: readonly number[], blockSize: number) {
  const g = new NetBuilder();
  let y = g.node("Relu", [g.conv(g.input("x", [1, 3, 8, 8]), 3, widths[0]!)]);
  for (let i = 1; i < widths.length; i++) y = g.node("Relu", [g.conv(y, widths[i - 1]!, widths[i]!)]);
  g.output(g.node("Softmax", [g.node("Flatten", [g.node("GlobalAveragePool", [y])])]));
  return networkConfigs(networkOf(analyzed(g.model({ opset: 13 })), { blockSize }), { dimsOf: () => undefined });
}

t.test("describes this machine", (t) => {
  const machine = describeDevice();
  t.ok(machine.cpu !== "" && machine.cores > 0 && machine.memoryBytes > 0);
  t.match(deviceFingerprint(1), /^[0-9a-f]{24}$/);
  t.not(deviceFingerprint(1), deviceFingerprint(2), "threads make another device of it");
  t.end();
});

const cacheDir = t.testdir();

t.test("measures what is missing, once, and remembers it", async (t) => {
  const table = await createLatencyTable({ cacheDir, patienceMs: 0 });
  const { calibration, traits, referenceNs } = table.device;
  t.ok(calibration.nodeNs >= 0 && calibration.runNs >= 0 && referenceNs > 0);
  const configs = configsOf([16, 32, 32, 18, 20], traits.blockSize);
  const distinct = new Set(configs.map(layerKey)).size;
  t.ok(distinct < configs.length || distinct > 5);

  const progress: number[] = [];
  const measured = await measureMissing(table, configs, { bankMs: 20, onProgress: (done) => progress.push(done) });
  t.equal(measured, distinct);
  t.ok(progress.length > 0);
  for (const [key, e] of table.entries) {
    t.ok(e.ns >= 0 && e.samples.count >= 8 && e.samples.min <= e.samples.median, key);
    t.equal(e.layoutAsExpected, true, key);
    t.equal(layerKey(e.config), key);
  }
  t.ok(predictNs(table, configs) > calibration.runNs);
  t.equal(await measureMissing(table, configs), 0, "nothing is left to do");

  const again = await createLatencyTable({ cacheDir, patienceMs: 0 });
  t.strictSame(again.device, table.device, "what was found out about the device, too");
  t.equal(await measureMissing(again, configs), 0);
  t.strictSame(new Map(again.entries), new Map(table.entries));
});

t.test("an interrupted run keeps what it has done", async (t) => {
  const table = await createLatencyTable({ cacheDir, patienceMs: 0 });
  const before = table.entries.size;
  const { blockSize } = table.device.traits;
  const configs = Array.from({ length: 10 }, (_, i) => configsOf([4 * i + 36, 48], blockSize)).flat();
  const distinct = new Set(configs.map(layerKey).filter((k) => !table.entries.has(k))).size;
  const control = new AbortController();
  const running = measureMissing(table, configs, {
    bankMs: 1,
    bankLayers: 8,
    signal: control.signal,
    onProgress: () => control.abort(new Error("enough")),
  });
  await t.rejects(running, { message: "enough" });
  const done = table.entries.size - before;
  t.ok(done > 0 && done < distinct, `${done} of ${distinct}`);
  const again = await createLatencyTable({ cacheDir, patienceMs: 0 });
  t.equal(again.entries.size, before + done);
  t.equal(await measureMissing(again, configs, { bankMs: 1 }), distinct - done);
});

t.test("a table of another device takes nothing new", async (t) => {
  const own = await createLatencyTable({ cacheDir, patienceMs: 0 });
  const other = { device: { ...own.device, fingerprint: "elsewhere" }, entries: new Map() };
  await t.rejects(measureMissing(other, configsOf([8, 8], 16)), { code: "HALP_TABLE_DEVICE" });
});

t.test("banks hold one opset version, a bounded number of layers and bytes, and all of them", (t) => {
  const configs = Array.from({ length: 130 }, (_, i) => configsOf([4 * i + 4, 16], 16)).flat();
  const items = configs.map((c) => [layerKey(c), c] as const);
  const banks = banksOf(items);
  t.equal(banks.flat().length, items.length);
  t.ok(banks.length > 2);
  for (const bank of banks) {
    t.equal(new Set(bank.map(([, c]) => c.opset)).size, 1);
    t.ok(bank.length <= 12);
  }
  t.end();
});
