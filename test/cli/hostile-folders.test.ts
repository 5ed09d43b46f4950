/** Folders that are full, read-only, or hold what another version left. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readJournal } from "../../src/latency/table-file.js";
import { ownCache } from "./own-cache.js";
import { runHalp } from "./run-halp.js";
import { writeSmallData } from "./small-data.js";
import { writeSmallModel } from "./small-model.js";

const folder = t.testdir({ data: {}, mounted: {} });
const at = (name: string) => join(folder, name);
writeSmallModel(at("net.onnx"), 16);
// To be measured: it has fewer widths.
writeSmallModel(at("narrow.onnx"), 8);
writeSmallData(at("data"));
await ownCache(at("cache"));
const profile = (cache: string) => [
  ...["profile", at("narrow.onnx"), "-o", at("table.json"), "--cache", cache, "--patience", "0", "--json"],
];
const finetune = (run: string, output: string) => [
  ...["finetune", at("net.onnx"), "--batch", "16", "--epochs", "2", "--data", at("data"), "--cache", at("cache")],
  ...["--seed", "3", "--run", run, "-o", output],
];

/** A file system of its own, of so many KiB; undefined where it may not be had. */
function mount(kib: number): string | undefined {
  const path = at("mounted");
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", path]);
  return status === 0 ? path : undefined;
}
const unmount = () => spawnSync("umount", [at("mounted")]);
t.teardown(unmount);
const mayMount = mount(64) !== undefined;
unmount();
const skip = mayMount ? false : "no file system may be mounted here";

t.test("a disk that is full", { skip }, async (t) => {
  const disk = mount(256) as string;
  t.teardown(unmount);
  t.equal((await runHalp(finetune(at("whole"), at("whole.onnx")))).status, 0);
  // Some room for small files, none for checkpoints.
  const ballast = join(disk, "ballast");
  writeFileSync(ballast, new Uint8Array(256 * 1024 - 16 * 1024));
  const run = join(disk, "run");
  const full = await runHalp(finetune(run, at("full.onnx")));
  t.match(full, { status: 1, stderr: /HALP_OUTPUT_UNWRITABLE[\s\S]*ENOSPC/ });
  t.same(
    readdirSync(run).filter((name) => name.endsWith(".tmp")),
    [],
    "nothing half-written",
  );
  t.notOk(existsSync(at("full.onnx")));
  rmSync(ballast);
  const hasCheckpoint = existsSync(join(run, "checkpoint.safetensors"));
  const again = await runHalp(hasCheckpoint ? ["finetune", "--resume", run] : finetune(run, at("full.onnx")));
  t.equal(again.status, 0, again.stderr);
  t.ok(readFileSync(at("full.onnx")).equals(readFileSync(at("whole.onnx"))), "with room again it ends as undisturbed");
});

t.test("a folder that can only be read", { skip }, async (t) => {
  const disk = mount(256) as string;
  t.teardown(unmount);
  mkdirSync(join(disk, "run"));
  spawnSync("mount", ["-o", "remount,ro", disk]);
  for (const [args, code] of [
    [finetune(join(disk, "run"), at("ro.onnx")), /HALP_(RUN_FOLDER|OUTPUT_UNWRITABLE)/],
    [finetune(at("ro-run"), join(disk, "out.onnx")), /HALP_OUTPUT_UNWRITABLE/],
    [profile(join(disk, "cache")), /HALP_WRITE/],
  ] as const) {
    const { status, stdout, stderr } = await runHalp(args);
    t.ok(status === 1 || status === 2, `${status}: ${stderr}`);
    t.match(stderr, code);
    t.equal(stdout, "");
  }
  t.notOk(existsSync(at("ro.onnx")));
});

t.test("a cache that another version wrote, of another machine, cut in half, or no cache at all", async (t) => {
  const cache = await ownCache(at("another-cache"));
  const [name = ""] = readdirSync(cache).filter((file) => file.endsWith(".table.jsonl"));
  const path = join(cache, name);
  const good = readFileSync(path, "utf8");
  const known = new Set([...good.matchAll(/"key":"[^"]*"/g)].map(([key]) => key)).size;
  // In a wrong cache every layer takes an hour: none of it may get into the table.
  const wrong = good.replaceAll(/"ns":\d+/g, '"ns":3600000000000');
  const [head = "", ...entries] = wrong.split("\n");
  const cases: Readonly<Record<string, string>> = {
    "another version": [head.replace(/"format":"[^"]*"/, '"format":"halp.journal/0"'), ...entries].join("\n"),
    "another machine": [head.replace(/"fingerprint":"[^"]*"/, '"fingerprint":"another"'), ...entries].join("\n"),
    "no head": entries.join("\n"),
    "keys that do not fit": wrong.replaceAll(/"key":"(\d+)/g, '"key":"9$1'),
    "negative latencies": good.replaceAll(/"ns":\d+/g, '"ns":-1'),
    "no JSON": "<html>",
  };
  const fingerprint = name.replace(".table.jsonl", "");
  t.equal(readJournal(path, fingerprint)?.entries.size, known, "whole it is read");
  for (const [what, text] of Object.entries(cases)) {
    writeFileSync(path, text);
    t.equal(readJournal(path, fingerprint)?.entries.size ?? 0, 0, `${what}: nothing of it counts`);
  }
  writeFileSync(path, good);
  // Each layer was measured twice: the first time it stands in the first half.
  truncateSync(path, Math.floor(good.length / 4));
  const part = readJournal(path, fingerprint);
  t.ok(part && part.entries.size > 0 && part.entries.size < known, "of a part the whole lines are taken");
  writeFileSync(path, cases["another version"] ?? "");
  const again = JSON.parse((await runHalp(profile(cache))).stdout);
  t.equal(again.measured, again.entries, "halp profile measures all again, and writes the cache anew");
  t.ok((readJournal(path, fingerprint)?.entries.size ?? 0) >= again.entries);
  const table = JSON.parse(readFileSync(at("table.json"), "utf8"));
  t.ok(table.entries.every((e: { ns: number }) => e.ns >= 0 && e.ns < 1e12));
});
