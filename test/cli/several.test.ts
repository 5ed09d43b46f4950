/** One plan for several devices, each with its budget and its table. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { writeEvenTable, writeEvenTableOf } from "./even-table.js";
import { latencyCache, runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir();
const file = (name: string) => join(folder, name);
writeSmallModel(file("small.onnx"), 32);
await writeEvenTableOf(file("small.onnx"), file("even.json"), 1);
// One is slow at reading, the other at computing: what spares one spares the other little.
writeEvenTable(file("even.json"), file("reader.json"), { name: "reader", perLayer: 0, perElement: 10, perProduct: 0 });
writeEvenTable(file("even.json"), file("summer.json"), { name: "summer", perLayer: 0, perElement: 0, perProduct: 1 });

let runs = 0;
async function prune(budget: string, tables: string, ...more: string[]) {
  const run = file(`run${runs++}`);
  const args = ["prune", file("small.onnx"), "--budget", budget, "--table", tables, "--run", run, "-o", `${run}.onnx`];
  const quick = ["--cache", latencyCache, "--patience", "0", "--criterion", "l1", "--batch", "1", "--json"];
  const ran = await runHalp([...args, ...quick, ...more]);
  const read = (name: string) => JSON.parse(readFileSync(join(run, name), "utf8"));
  return { ...ran, run, read, result: ran.stdout === "" ? undefined : JSON.parse(ran.stdout) };
}
const both = `${file("reader.json")},${file("summer.json")}`;

t.test("a plan meets the budget of each device, where a plan for one misses the other's", async (t) => {
  const alone = { reader: await prune("70%", file("reader.json")), summer: await prune("40%", file("summer.json")) };
  const together = await prune("70%,40%", both);
  t.equal(together.status, 0, together.stderr);
  const { result } = together;
  t.match(result, {
    format: "halp.result/1",
    heldAgainst: "predicted",
    budgetRatio: 0.7,
    devices: [
      { name: "reader", budgetRatio: 0.7, heldAgainst: "predicted" },
      { name: "summer", budgetRatio: 0.4, heldAgainst: "predicted" },
    ],
  });
  t.equal(result.predictedRatio, result.devices[0].predictedRatio, "what stands by itself is of the first device");
  for (const d of result.devices) t.ok(d.predictedRatio <= d.budgetRatio, `${d.name}: ${d.predictedRatio}`);
  t.equal(result.devices[0].measuredRatio, result.devices[1].measuredRatio, "here it is measured once");
  // Two budgets leave no more than each of them.
  for (const [name, { result: of }] of Object.entries(alone)) {
    t.notOk(of.devices);
    t.ok(result.importanceKept <= of.importanceKept + 1e-9, name);
  }
  t.ok(together.read("problem.json").budgets.reader > 0);
  t.match(together.read("config.json"), { budget: { ratio: 0.7 }, others: [{ budget: { ratio: 0.4 } }] });

  const swapped = await prune("40%,70%", `${file("summer.json")},${file("reader.json")}`);
  t.equal(swapped.result.importanceKept, result.importanceKept, "the order of devices does not matter");
  const one = await prune("70%", both);
  t.strictSame(
    one.result.devices.map((d: { budgetRatio: number }) => d.budgetRatio),
    [0.7, 0.7],
    "one budget serves all",
  );
});

t.test("the paper's form, uniform ratios and many steps know of all devices", async (t) => {
  for (const more of [
    ["--mode", "halp"],
    ["--mode", "uniform"],
    ["--steps", "3"],
  ]) {
    const { status, stderr, result } = await prune("75%,50%", both, ...more);
    t.equal(status, 0, stderr);
    for (const d of result.devices) t.ok(d.predictedRatio <= d.budgetRatio, `${more}, ${d.name}: ${d.predictedRatio}`);
  }
});

t.test("people and the page of the run are told of each device", async (t) => {
  const run = file("told");
  const { status, stdout } = await runHalp([
    ...["prune", file("small.onnx"), "--budget", "75%,50%", "--table", both, "--run", run, "-o", `${run}.onnx`],
    ...["--cache", latencyCache, "--patience", "0", "--criterion", "l1", "--batch", "1"],
  ]);
  t.equal(status, 0);
  t.match(stdout, /latency here, reader[\s\S]*latency here, summer/);
  t.match(stdout, /budget, reader +75\.0 %[\s\S]*budget, summer +50\.0 %/);
  t.match(readFileSync(join(run, "report.html"), "utf8"), /"name":"summer"/);
});

t.test("what the devices cannot meet is said for each of them", async (t) => {
  const { status, stderr } = await prune("70%,1%", both);
  t.equal(status, 3, stderr);
  t.match(stderr, /HALP_INFEASIBLE_BUDGET[\s\S]* ms on reader[\s\S]* ms on summer/);
});

t.test("as many budgets as devices, and no device twice", async (t) => {
  for (const [budget, tables, told] of [
    ["70%,60%", file("reader.json"), /HALP_OPTION_VALUE[\s\S]*2 budgets for one device/],
    ["70%,60%,50%", both, /HALP_OPTION_VALUE[\s\S]*3 budgets for 2 devices/],
    ["70%,nothing", both, /HALP_BUDGET_FORMAT[\s\S]*nothing/],
    ["70%,170%", both, /HALP_BUDGET_RANGE|HALP_OPTION_VALUE/],
    ["70%", `${file("reader.json")},${file("reader.json")}`, /HALP_DEVICE_OPTION[\s\S]*reader is named twice/],
  ] as const) {
    const { status, stderr, stdout } = await prune(budget, tables);
    t.equal(status, 2, budget);
    t.match(stderr, told);
    t.equal(stdout, "");
  }
});
