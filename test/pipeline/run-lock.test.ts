/** One run a folder, whatever happened to those before. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import t from "tap";
import { lockFile, lockRunFolder } from "../../src/pipeline/run-lock.js";

const lockOf = (folder: string) => join(folder, lockFile);
const write = (folder: string, holder: object | string) =>
  writeFileSync(lockOf(folder), typeof holder === "string" ? holder : JSON.stringify(holder));
const since = "2026-01-01T00:00:00.000Z";
const later = "2126-01-01T00:00:00.000Z";

t.test("a folder is one run's until it ends", async (t) => {
  const folder = t.testdir();
  {
    await using _held = await lockRunFolder(folder);
    await t.rejects(lockRunFolder(folder), { code: "HALP_RUN_LOCKED", exitCode: 2, message: `process ${process.pid}` });
    t.strictSame(readdirSync(folder), [lockFile], "and nothing else is left there");
  }
  t.strictSame(readdirSync(folder), []);
  {
    await using _again = await lockRunFolder(folder);
    t.ok(existsSync(lockOf(folder)));
  }
});

t.test("what the dead left does not count", async (t) => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const abandoned: readonly (readonly [string, object | string])[] = [
    ["a process that ended", { pid: dead, host: hostname(), began: null, since }],
    ["another process of the same number", { pid: process.pid, host: hostname(), began: "another boot 1", since }],
    ["one from years to come: the clock was set back", { pid: dead, host: hostname(), began: null, since: later }],
    ["half a line", '{"pid": 1'],
    ["nothing", ""],
    ["what is no lock", "[1, 2]"],
  ];
  for (const [what, holder] of abandoned) {
    const folder = t.testdir();
    write(folder, holder);
    await using _held = await lockRunFolder(folder);
    t.equal(JSON.parse(readFileSync(lockOf(folder), "utf8")).pid, process.pid, what);
  }
});

t.test("the living count, and those who cannot be known", async (t) => {
  const folder = t.testdir();
  const living = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  t.teardown(() => living.kill("SIGKILL"));
  write(folder, { pid: living.pid, host: hostname(), began: null, since });
  await t.rejects(lockRunFolder(folder), { code: "HALP_RUN_LOCKED", message: `process ${living.pid}` });
  write(folder, { pid: 1, host: "another machine", began: null, since });
  await t.rejects(lockRunFolder(folder), {
    code: "HALP_RUN_LOCKED",
    message: /another machine[\s\S]*delete .*run\.lock/,
  });
  t.equal(JSON.parse(readFileSync(lockOf(folder), "utf8")).host, "another machine", "it is left as it was");
});

t.test("of many that come at once, past a dead one, one gets it", async (t) => {
  const script = `
    const { lockRunFolder } = await import(process.argv[1]);
    await new Promise((resolve) => setTimeout(resolve, Number(process.argv[3]) - Date.now()));
    try {
      await lockRunFolder(process.argv[2]);
      console.log("won");
      setTimeout(() => process.exit(), 20000);
    } catch (error) {
      console.log(error.code);
      process.exit();
    }`;
  const module = join(process.cwd(), "build/src/pipeline/run-lock.js");
  for (let round = 0; round < 3; round++) {
    const folder = t.testdir();
    write(folder, { pid: 2 ** 22 - 1, host: hostname(), began: null, since });
    // They wait for one moment, so that they meet.
    const start = String(Date.now() + 4000);
    const children = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ["--input-type=module", "-e", script, module, folder, start]),
    );
    const words = await Promise.all(
      children.map(
        (child) =>
          new Promise<string>((resolve) => {
            child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
            child.once("exit", () => resolve("nothing"));
          }),
      ),
    );
    for (const child of children) child.kill("SIGKILL");
    t.strictSame(words.sort(), [...Array.from({ length: 5 }, () => "HALP_RUN_LOCKED"), "won"]);
  }
});
