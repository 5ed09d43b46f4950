/** A real run of `halp prune`: it ends with its page, and its problem has the chosen network as solution. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openWhatIfs, type ReportData, readRun } from "../../src/report/index.js";
import { latencyCache, runHalp } from "../cli/run-halp.js";
import { writeSmallModel } from "../cli/small-model.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);

function dataOf(page: string): ReportData {
  const [, json = ""] =
    /<script id="data" type="application\/json">([\s\S]*?)<\/script>/.exec(readFileSync(page, "utf8")) ?? [];
  return JSON.parse(json) as ReportData;
}

t.test("halp prune ends with the page; its problem has the chosen network as solution", async (t) => {
  writeSmallModel(at("model.onnx"), 32, ["N", 3, 16, 16]);
  const run = at("run");
  const common = ["--patience", "0", "--criterion", "l1", "--cache", latencyCache, "--run", run, "-o", at("out.onnx")];
  const ran = await runHalp(["prune", at("model.onnx"), "--budget", "60%", "--steps", "2", "--rounds", "1", ...common]);
  t.ok(ran.status === 0 || ran.status === 4, ran.stderr);
  t.ok(ran.stdout.includes(join(run, "report.html")), "says where it is");
  const { search, problem, result, device } = readRun(run);
  t.ok(search?.solution && problem && device?.isThisMachine);
  const whatIfs = openWhatIfs(problem!, search!);
  const own = whatIfs.at(whatIfs.budgets[whatIfs.run]!);
  for (const g of result.groups) if (g.frozen === undefined) t.equal(own.kept.get(g.name), g.kept, g.name);
  t.ok(Math.abs(own.share - result.importanceKept) < 1e-6);
  t.ok(Math.abs(own.latencyNs / search!.latencyNs.dense - result.predictedRatio) < 1e-6);
  t.ok(search!.layers.length > 0 && search!.layers.every((l) => l.wholeNs !== null && l.chosenNs !== null));
  for (const { sides } of search!.layers) for (const s of sides) t.ok(s.points.length > 1);
  const data = dataOf(join(run, "report.html"));
  t.strictSame(data.result, JSON.parse(readFileSync(join(run, "result.json"), "utf8")));
  t.ok(statSync(join(run, "report.html")).size < 1_000_000);

  const elsewhere = at("elsewhere.html");
  t.equal((await runHalp(["report", run, "--html", elsewhere])).status, 0);
  t.strictSame(dataOf(elsewhere), data);
  t.match(await runHalp(["report", run, "--html", at("nowhere/x.html")]), {
    status: 1,
    stderr: /HALP_OUTPUT_UNWRITABLE/,
  });

  const uniform = await runHalp([
    "prune",
    at("model.onnx"),
    "--budget",
    "60%",
    "--mode",
    "uniform",
    "--rounds",
    "1",
    ...common,
  ]);
  t.ok(uniform.status === 0 || uniform.status === 4, uniform.stderr);
  const { problem: none, search: searched } = readRun(run);
  t.equal(none, null, "there was no problem to solve, and the one before is gone");
  t.equal(searched?.solution, null);
});
