/** `halp profile`, killed at any moment, goes on where it was. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { uniform } from "../../src/runtime/index.js";
import { halpMain, runHalp } from "./run-halp.js";
import { writeSmallModel } from "./small-model.js";

interface Line {
  readonly key?: string;
  readonly ns: number;
  readonly unchecked?: true;
}

const folder = t.testdir();
const cache = join(folder, "cache");
const model = join(folder, "small.onnx");
writeSmallModel(model, 64);
const args = ["profile", model, "-o", join(folder, "table.json"), "--cache", cache, "--patience", "0", "--json"];

const journal = () => {
  const name = existsSync(cache) ? readdirSync(cache).find((n) => n.endsWith(".jsonl")) : undefined;
  return name === undefined ? undefined : join(cache, name);
};

/** Whole lines of the journal, and of each key the last that counts. */
function readLines() {
  const path = journal();
  const lines: Line[] = [];
  for (const text of (path === undefined ? "" : readFileSync(path, "utf8")).split("\n"))
    try {
      lines.push(JSON.parse(text) as Line);
    } catch {
      // torn, or empty
    }
  const entries = lines.filter((l) => l.key !== undefined);
  return { entries, last: new Map(entries.map((l) => [l.key!, l])) };
}

t.test("what was done is never done again, and the end is the same", async (t) => {
  const random = uniform(7);
  for (let round = 0; round < 4; round++) {
    const before = readLines();
    const child = spawn(process.execPath, [halpMain, ...args], { stdio: "ignore" });
    const ended = once(child, "close");
    const aim = before.entries.length + 1 + Math.floor(random() * 30);
    while (child.exitCode === null && readLines().entries.length < aim) await sleep(5);
    await sleep(random() * 100);
    child.kill("SIGKILL");
    await ended;
    const after = readLines();
    t.ok(after.entries.length > before.entries.length, `${after.entries.length} lines after round ${round}`);
    for (const [key, line] of before.last)
      if (!line.unchecked) t.strictSame(after.last.get(key), line, "settled before, and left alone");
    const repeated = after.entries.slice(before.entries.length).filter((l) => l.unchecked && before.last.has(l.key!));
    t.strictSame(repeated, [], "nothing that was there is measured for a first time");
    const path = journal()!;
    const { length } = readFileSync(path);
    // Killed while it writes: the last line is torn.
    if (round % 2 === 1) truncateSync(path, length - 1 - Math.floor(random() * 40));
  }
  const before = readLines();
  const { status, stdout, stderr } = await runHalp(args);
  t.equal(status, 0, stderr);
  const { entries, measured } = JSON.parse(stdout);
  t.equal(measured, entries - before.last.size, "measured now: what no run had done");
  t.notOk(
    [...readLines().last.values()].some((l) => l.unchecked),
    "and every layer at two times",
  );
  const again = JSON.parse((await runHalp(args)).stdout);
  t.match(again, { entries, measured: 0 });
});
