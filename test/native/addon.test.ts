import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import ts from "typescript";
import { loadAddon } from "../../src/runtime/addon.js";

/** Names of the values (not types) that a declaration file exports, and the members of its classes. */
function declared(file: string): { values: string[]; members: Map<string, string[]> } {
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const values: string[] = [];
  const members = new Map<string, string[]>();
  for (const statement of source.statements) {
    if (ts.isFunctionDeclaration(statement)) values.push(statement.name!.text);
    if (!ts.isClassDeclaration(statement)) continue;
    values.push(statement.name!.text);
    const names = statement.members.map((m) => (ts.isConstructorDeclaration(m) ? "constructor" : m.name!.getText()));
    members.set(statement.name!.text, names.sort());
  }
  return { values: values.sort(), members };
}

const loaded = loadAddon();
const skip = loaded.addon ? false : loaded.reason;

t.test("the addon exports what addon.d.ts declares, no more and no less", { skip }, async (t) => {
  const addon = loaded.addon as unknown as Record<string, { prototype?: object }>;
  const { values, members } = declared("native/addon.d.ts");
  t.same(Object.keys(addon).sort(), values);
  for (const [name, expected] of members) {
    t.same(Object.getOwnPropertyNames(addon[name]!.prototype!).sort(), expected, `members of ${name}`);
  }
});

t.test("without the addon there is a reason, and no exception", async (t) => {
  const folder = t.testdir({ "broken.node": "not an addon" });
  const missing = loadAddon(join(folder, "none.node"));
  t.match(missing, { addon: undefined, reason: /npm run build:native/ });
  const broken = loadAddon(join(folder, "broken.node"));
  t.match(broken, { addon: undefined, reason: /cannot be loaded \(.+\).*npm run build:native/ });
});

t.test("the CPU is described", { skip }, async (t) => {
  const cpu = loaded.addon!.readCpu();
  t.ok(Number.isInteger(cpu.logicalCores) && cpu.logicalCores >= 1);
  t.ok(Array.isArray(cpu.flags));
  if (process.platform === "linux") {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    const model = /^(?:model name|Model|cpu model)\s*:\s*(.*)$/m.exec(text)?.[1];
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1];
    t.equal(cpu.model, model);
    t.same(cpu.flags, flags?.trim().split(/\s+/) ?? []);
    t.ok(cpu.allowedCores!.includes(cpu.currentCore!), "it runs where it may");
  }
  for (const value of [cpu.currentKHz, cpu.minKHz, cpu.maxKHz, cpu.physicalCores])
    t.ok(value === undefined || value > 0);
});

t.test("a thread is pinned to a core, and let go again", { skip }, async (t) => {
  const { pinThread, setThreadAffinity, readCpu } = loaded.addon!;
  if (process.platform !== "linux") {
    t.throws(() => pinThread(0), { code: "HALP_NATIVE_SYSTEM" });
    return;
  }
  const before = readCpu().allowedCores!;
  for (const core of before.slice(0, 4)) {
    t.same(pinThread(core), before);
    t.same(readCpu().allowedCores, [core]);
    t.equal(readCpu().currentCore, core);
    t.same(setThreadAffinity(before), [core]);
  }
  t.same(readCpu().allowedCores, before);
  t.throws(() => pinThread(8191), { code: "HALP_NATIVE_SYSTEM", message: /core 8191/ });
  const wrong: unknown[] = [-1, 8192, 0.5, Number.NaN, "0", undefined, null];
  for (const core of wrong) t.throws(() => pinThread(core as number), { code: "HALP_NATIVE_ARGUMENT" }, `${core}`);
  for (const cores of [[], 3, [0, "1"], undefined]) {
    t.throws(() => setThreadAffinity(cores as number[]), { code: "HALP_NATIVE_ARGUMENT" });
  }
  t.same(readCpu().allowedCores, before, "a refused call changes nothing");
});
