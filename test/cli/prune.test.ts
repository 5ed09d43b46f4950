/** The main job from the command line, on a network that is measured in moments. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readModel } from "../../src/onnx/index.js";
import { latencyCache, runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir({ out: {} });
const file = (name: string) => join(folder, name);
writeSmallModel(file("model.onnx"), 64, ["N", 3, 32, 32]);
const common = ["--patience", "0", "--criterion", "l1", "--cache", latencyCache, "--run", file("run")];
const prune = (...args: string[]) => runHalp(["prune", file("model.onnx"), ...common, ...args]);

t.test("a budget", async (t) => {
  const output = file("out/pruned.onnx");
  const { status, stdout, stderr } = await prune("--budget", "60%", "-o", output, "--json");
  // The machine may be too busy for the measured latency to come out right; then halp says so, and gives its best.
  t.ok(status === 0 || (status === 4 && /HALP_BUDGET_MISSED/.test(stderr)), stderr);
  const result = JSON.parse(stdout);
  t.match(result, { format: "halp.result/1", budgetRatio: 0.6, accuracy: null, steps: 1, output });
  t.ok(result.predictedRatio < 1 && result.measuredRatio > 0);
  t.ok(result.latencyNs.pruned > 0 && result.latencyNs.dense > 0);
  t.ok(result.parameters.pruned < result.parameters.dense);
  t.ok(result.maskedError < 1e-4, `masked against removed: ${result.maskedError}`);
  t.ok(result.groups.some((g: { dense: number; kept: number }) => g.kept < g.dense));
  const model = await readModel(output);
  t.equal(model.graph.inputs[0]?.dims?.[0], "N", "the batch stays open");
  t.strictSame(readdirSync(file("out")), ["pruned.onnx"], "no other file is beside it");
  t.match(JSON.parse(readFileSync(file("run/config.json"), "utf8")), { criterion: "l1" });
});

t.test("for people", async (t) => {
  const { status, stdout, stderr } = await prune("--budget", "60%", "-o", file("again.onnx"), "--freeze", "conv2");
  t.ok(status === 0 || status === 4, stderr);
  t.match(stdout, /^group +dense +kept/m);
  t.match(stdout, /frozen group/);
  t.match(stdout, /^measured +\d+\.\d %/m);
});

t.test("a budget that nothing meets: exit code 3, the smallest latency, no file", async (t) => {
  const { status, stdout, stderr } = await prune("--budget", "1%", "-o", file("never.onnx"));
  t.equal(status, 3);
  t.equal(stdout, "");
  t.match(stderr, /HALP_INFEASIBLE_BUDGET[\s\S]*smallest[\s\S]*ms/);
  t.notOk(existsSync(file("never.onnx")));
});

t.test("what is wrong is said before anything is measured", async (t) => {
  t.match(await prune("--budget", "60%", "--freeze", "conv9"), { status: 2, stderr: /HALP_FREEZE_NAME/, stdout: "" });
  t.match(await prune("--budget", "60%", "--freeze", "*"), { status: 2, stderr: /HALP_NOTHING_TO_PRUNE/, stdout: "" });
  t.match(await prune("--budget", "60%", "--data", file("nowhere")), { status: 2, stderr: /HALP_DATA_MISSING/ });
  t.match(await prune("--budget", "60%", "--table", file("no-table.json")), { status: 2, stdout: "" });
});
