/** `halp table`, and pruning with a table that came from elsewhere. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { writeEvenTable } from "./even-table.js";
import { latencyCache, runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir();
const file = (name: string) => join(folder, name);
writeSmallModel(file("small.onnx"), 32);
const json = async (...args: string[]) => {
  const ran = await runHalp([...args, "--json"]);
  t.equal(ran.status, 0, ran.stderr);
  return JSON.parse(ran.stdout);
};
const measuring = ["--cache", latencyCache, "--patience", "0"];
const prune = (table: string, ...more: string[]) =>
  runHalp([
    "prune",
    file("small.onnx"),
    "--budget",
    "70%",
    "--table",
    file(table),
    ...["-o", file("out.onnx"), "--run", file("run"), ...measuring, "--criterion", "l1", "--json", ...more],
  ]);

t.test("a table is made, shown, compared and united", async (t) => {
  const made = await json("profile", file("small.onnx"), "-o", file("table.json"), ...measuring);
  t.strictSame(made.notCounted, {});
  const { device } = JSON.parse(readFileSync(file("table.json"), "utf8"));
  t.ok(Array.isArray(device.conditions.cores) && device.conditions.load >= 0, "the state of the machine is in it");

  const shown = await json("table", "show", file("table.json"), "--all");
  t.match(shown, { format: "halp.table-summary/1", entries: made.entries, unchecked: 0 });
  t.equal(shown.layers.length, made.entries);
  t.ok(shown.alignment.grid >= 1);
  t.match((await runHalp(["table", "show", file("table.json")])).stdout, /device .*\n[\s\S]*alignment .*as measured/);

  const table = JSON.parse(readFileSync(file("table.json"), "utf8"));
  const other = { ...table, device: { ...table.device, fingerprint: "elsewhere", cpu: "Another CPU" } };
  other.entries = table.entries.map((e: { ns: number }) => ({ ...e, ns: 2 * e.ns }));
  writeFileSync(file("other.json"), JSON.stringify(other));
  const diff = await json("table", "diff", file("table.json"), file("other.json"));
  t.match(diff, { format: "halp.table-diff/1", sameDevice: false, common: made.entries, ratios: { median: 2 } });
  t.equal(diff.layers.length, 10);
  t.match((await runHalp(["table", "diff", file("table.json"), file("other.json")])).stdout, /different[\s\S]*2\.000x/);

  const half = { ...table, entries: table.entries.slice(0, 5) };
  writeFileSync(file("half.json"), JSON.stringify(half));
  const merged = await json("table", "merge", file("half.json"), file("table.json"), "-o", file("merged.json"));
  t.match(merged, { format: "halp.table-merge/1", entries: made.entries, conflicts: 5 });
  t.match(await runHalp(["table", "merge", file("table.json"), file("other.json"), "-o", file("no.json")]), {
    status: 2,
    stderr: /HALP_TABLE_DEVICE[\s\S]*Another CPU/,
    stdout: "",
  });
  t.match(await runHalp(["table", "merge", file("table.json"), "-o", file("no.json")]), { status: 2 });
  t.match(await runHalp(["table", "show", file("nowhere.json")]), { status: 2, stderr: /HALP_READ/ });
  t.match(await runHalp(["table", "shew"]), { status: 2 });
});

t.test("another device's table: estimates, and the budget held against the prediction", async (t) => {
  writeEvenTable(file("table.json"), file("far.json"), { name: "Another CPU" });
  const { status, stdout, stderr } = await prune("far.json");
  t.equal(status, 0, stderr);
  t.match(stderr, /of another device \(Another CPU\)/);
  const result = JSON.parse(stdout);
  t.match(result, { heldAgainst: "predicted", rounds: 1 });
  t.ok(result.predictedRatio <= 0.7);
  t.match(await prune("far.json", "--device", "cuda:0"), {
    status: 2,
    stderr: /HALP_TABLE_DEVICE[\s\S]*Another CPU/,
  });
  t.match(await prune("far.json", "--threads", "2"), { status: 2, stderr: /HALP_TABLE_THREADS/ });
  const empty = { ...JSON.parse(readFileSync(file("far.json"), "utf8")), entries: [] };
  writeFileSync(file("empty.json"), JSON.stringify(empty));
  t.match(await prune("empty.json"), { status: 2, stderr: /HALP_TABLE_MISSING_KEY[\s\S]*Conv/, stdout: "" });
});

t.test("a table in HALP's key form", async (t) => {
  const widths = [8, 16, 24, 32];
  const lines = [
    ...widths.map((w) => `1_3_${w}_8_3_1_1,${0.003 + w * 3e-4}`),
    ...widths.flatMap((a) => widths.map((b) => `1_${a}_${b}_8_3_1_1,${0.002 + a * b * 1e-4}`)),
  ];
  writeFileSync(file("lut.csv"), lines.join("\n"));
  const args = ["table", "import", file("lut.csv"), "-o", file("toy.json")];
  t.match(await runHalp(args), { status: 2, stderr: /HALP_OPTION_MISSING/ });
  const ran = await runHalp([...args, "--device-name", "Toy board", "--json"]);
  t.match(ran, { status: 0, stderr: /count nothing in predictions/ });
  t.match(JSON.parse(ran.stdout), { format: "halp.table-import/1", device: "Toy board", entries: 20 });
  const { status, stdout, stderr } = await prune("toy.json");
  t.equal(status, 0, stderr);
  t.match(stderr, /convolutions alone[\s\S]*GlobalAveragePool/);
  const result = JSON.parse(stdout);
  const [kept] = result.groups.filter((g: { frozen?: string }) => g.frozen === undefined);
  t.equal(kept.kept % 8, 0, "widths that the table has");
  // conv1 (3 inputs) and conv2, whose outputs feed the classifier.
  const [a, b] = result.groups.map((g: { kept: number }) => g.kept);
  const ns = (x: number, y: number) => 0.003 + x * 3e-4 + 0.002 + x * y * 1e-4;
  t.ok(Math.abs(result.predictedRatio - ns(a, b) / ns(32, 32)) < 1e-3, `${result.predictedRatio}`);

  writeFileSync(file("narrow.csv"), lines.slice(0, 4).join("\n"));
  await runHalp(["table", "import", file("narrow.csv"), "-o", file("narrow.json"), "--device-name", "Toy"]);
  t.match(await prune("narrow.json"), {
    status: 2,
    stderr: /HALP_TABLE_MISSING_KEY[\s\S]*1_32_32_8_3_1_1/,
    stdout: "",
  });
  writeFileSync(file("bad.csv"), "conv1,3\n");
  t.match(await runHalp(["table", "import", file("bad.csv"), "-o", file("b.json"), "--device-name", "Toy"]), {
    status: 2,
    stderr: /HALP_IMPORT_FORMAT/,
  });
});
