/** All benches in one run: what is written can be read, repeated, and holds nothing that a page would run. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type BenchResults, renderPage } from "../../bench/all.js";

t.test("a run of one bench", async (t) => {
  const folder = t.testdir();
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ["build/bench/main.js", ...args], { encoding: "utf8" });
  const { status, stderr } = run("--quick", "--only", "scale", "-o", folder);
  t.equal(status, 0, stderr);
  const results = JSON.parse(readFileSync(join(folder, "bench.json"), "utf8")) as BenchResults;
  t.match(results, {
    format: "halp.bench/1",
    quick: true,
    machine: { cores: Number, cpu: String, node: process.version },
    versions: { halp: /^\d/, "onnxruntime-node": /^\d/ },
    runs: [{ name: "scale", args: ["--nodes-only"], exitCode: 0, output: /nodes/ }],
  });
  const page = readFileSync(join(folder, "bench.html"), "utf8");
  t.match(page, results.machine.cpu);
  t.match(page, "npm run bench -- scale --nodes-only");
  t.not(run("--only", "nothing").status, 0);
  t.equal(run("nothing").status, 2);
});

t.test("output is shown as text, failures are", async (t) => {
  const results: BenchResults = {
    format: "halp.bench/1",
    machine: { cpu: "<b>", cores: 2, mhz: 0, memoryBytes: 2 ** 30, node: "v20", platform: "linux x64", load: 0 },
    versions: { halp: "0" },
    quick: false,
    runs: [
      {
        ...{ name: "x", about: "<script>", args: ["--a"], startedAt: "2026-01-01T00:00:00Z", seconds: 1 },
        ...{ exitCode: 3, output: "<script>alert(1)</script>", error: "it broke" },
      },
    ],
    skipped: { criteria: "no data" },
  };
  const page = renderPage(results, new Map());
  t.notMatch(page, "<script");
  for (const text of ["failed with 3", "it broke", "Not run: no data", "&lt;script&gt;alert(1)"]) t.match(page, text);
});
