import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import t from "tap";
import { spawnChild } from "../../src/runtime/index.js";

const entry = new URL("./echo-child.js", import.meta.url);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
async function isGone(pid: number | undefined): Promise<boolean> {
  for (let i = 0; i < 400; i++) {
    if (pid === undefined || !isAlive(pid)) return true;
    await sleep(25);
  }
  return false;
}

t.test("answers requests, with binary data and progress", async (t) => {
  using child = spawnChild(entry);
  const bytes = Uint8Array.of(0, 255, 7);
  t.strictSame(await child.request("echo", { bytes, n: 1 }), { bytes, n: 1 });
  t.match(await child.request("environment"), /hugetlb=1.*mmap_max=0/);
  using returning = spawnChild(entry, { freeMemory: "return" });
  t.equal(await returning.request("environment"), "glibc.malloc.mmap_threshold=1048576");
  const seen: unknown[] = [];
  t.equal(await child.request("count", 3, (p) => seen.push(p)), 3);
  t.strictSame(seen, [1, 2, 3]);
  const both = await Promise.all([child.request("echo", "a"), child.request("echo", "b")]);
  t.strictSame(both, ["a", "b"]);
});

t.test("carries errors over", async (t) => {
  using child = spawnChild(entry);
  await t.rejects(child.request("refuse"), { code: "HALP_TEST", message: "refused", node: "n", exitCode: 3 });
  await t.rejects(child.request("fail"), { code: "HALP_CHILD_FAILED", message: /not so/ });
  await t.rejects(child.request("unheard of"), { message: /knows no request "unheard of"/ });
  t.equal(await child.request("echo", 1), 1, "and goes on");
});

t.test("says how a child ended", async (t) => {
  using child = spawnChild(entry);
  await t.rejects(child.request("exit"), { code: "HALP_CHILD_ENDED", message: /exit code 7[\s\S]*cannot go on/ });
  await t.rejects(child.request("echo"), { code: "HALP_CHILD_ENDED" });
});

t.test("abort kills the child, with the signal's reason", async (t) => {
  const control = new AbortController();
  using child = spawnChild(entry, { signal: control.signal });
  const scratch = await child.request<string>("scratch");
  t.ok(existsSync(scratch));
  const hanging = child.request("hang");
  control.abort(new Error("enough"));
  await t.rejects(hanging, { message: "enough" });
  t.ok(await isGone(child.pid));
  t.notOk(existsSync(scratch), "its temporary files are gone");
  t.throws(() => spawnChild(entry, { signal: control.signal }), { message: "enough" });
});

t.test("closing kills the child", async (t) => {
  const child = spawnChild(entry);
  const hanging = child.request("hang");
  await sleep(10);
  child.dispose();
  await t.rejects(hanging, { code: "HALP_CHILD_ENDED" });
  t.ok(await isGone(child.pid));
});

t.test("the child goes when its parent is killed", async (t) => {
  const parent = fork(fileURLToPath(new URL("./parent-to-be-killed.js", import.meta.url)), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const [line] = (await once(parent.stdout!, "data")) as [Buffer];
  const [pid = "", scratch = ""] = line.toString().trim().split(" ");
  t.ok(isAlive(Number(pid)));
  t.ok(existsSync(scratch));
  parent.kill("SIGKILL");
  t.ok(await isGone(Number(pid)));
  t.notOk(existsSync(scratch), "and its temporary files with it");
});
