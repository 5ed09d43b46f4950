/** Where results go: checked before the work, written whole or not at all, and nothing is left by an interrupted run. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ownCache } from "./own-cache.js";
import { halpMain, runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir({ "a-file": "", out: {}, locked: {} });
const file = (name: string) => join(folder, name);
writeSmallModel(file("small.onnx"));

const measuring = ["--cache", file("cache"), "--patience", "0"];
const jobs = (output: string): readonly (readonly string[])[] => [
  ["profile", file("small.onnx"), "-o", output, ...measuring],
  ["prune", file("small.onnx"), "--budget", "70%", "-o", output, "--run", file("run"), ...measuring],
];

t.test("an output path that cannot be written is refused before any work", async (t) => {
  for (const output of [file("no/such/folder/x"), file("out"), join(file("a-file"), "x")])
    for (const args of jobs(output)) {
      const { status, stdout, stderr } = await runHalp(args);
      t.equal(status, 2, `halp ${args[0]} -o ${output}`);
      t.match(stderr, /HALP_OUTPUT_UNWRITABLE/);
      t.equal(stdout, "");
      t.notOk(existsSync(file("cache")), "nothing was measured");
    }
});

t.test(
  "a folder without write permission",
  { skip: process.getuid?.() === 0 && "root may write anywhere" },
  async (t) => {
    chmodSync(file("locked"), 0o500);
    for (const args of jobs(file("locked/x")))
      t.match(await runHalp(args), { status: 2, stderr: /HALP_OUTPUT_UNWRITABLE/ });
  },
);

t.test("profile writes a table, and finds it in the cache the next time", async (t) => {
  await ownCache(file("cache"));
  const args = ["profile", file("small.onnx"), "-o", file("out/table.json"), ...measuring, "--json"];
  const first = await runHalp(args);
  t.equal(first.status, 0, first.stderr);
  const result = JSON.parse(first.stdout);
  t.match(result, { format: "halp.profile/1", output: file("out/table.json") });
  t.ok(result.measured > 0 && result.measured < result.entries, "the machine was known");
  const table = JSON.parse(readFileSync(file("out/table.json"), "utf8"));
  t.equal(table.format, "halp.table/1");
  t.equal(table.entries.length, result.entries);
  const second = await runHalp(args);
  t.equal(second.status, 0, second.stderr);
  t.match(JSON.parse(second.stdout), { entries: result.entries, measured: 0 });
});

t.test("Ctrl-C ends a run with 130 and leaves nothing behind", async (t) => {
  const args = ["profile", file("small.onnx"), "-o", file("out/interrupted.json"), "--cache", file("cache-2")];
  const child = spawn(process.execPath, [halpMain, ...args]);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    // The first line of progress: work is under way.
    if (stderr === "") child.kill("SIGINT");
    stderr += text;
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  t.equal(status, 130, stderr);
  t.match(stderr, /interrupted/);
  t.strictSame(
    readdirSync(file("out")).filter((name) => name.includes("interrupted")),
    [],
  );
});
