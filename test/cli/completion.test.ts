/** What shells complete, asked of bash itself; and the schema of the config file. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import t from "tap";
import { completionScript, shells } from "../../src/cli/completion.js";
import { commands, schemaOfConfig } from "../../src/cli/run-cli.js";
import { runHalp } from "./run-halp.js";

const bash = spawnSync("bash", ["--version"]).status === 0;

/** What bash offers for the last of the words. */
function offered(...words: readonly string[]): string[] {
  const script = `${completionScript("bash", commands)}
COMP_WORDS=(halp ${words.map((w) => `'${w}'`).join(" ")}); COMP_CWORD=${words.length}; _halp; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
  if (stderr !== "") throw new Error(stderr);
  return stdout.split("\n").filter((word) => word !== "");
}

t.test("bash completes", { skip: bash ? false : "there is no bash" }, async (t) => {
  t.strictSame(offered("pr"), ["profile", "prune"]);
  t.strictSame(offered("prune", "model.onnx", "--bud"), ["--budget"]);
  t.strictSame(offered("prune", "--mode", ""), ["joint", "halp", "uniform"]);
  t.strictSame(offered("prune", "mod"), [], "files are the shell's own business");
  t.strictSame(offered("prune", "--table", "x"), []);
  t.ok(offered("table", "").includes("show"));
  t.ok(offered("table", "show", "--").includes("--json"));
  t.strictSame(offered("completion", ""), [...shells]);
  for (const { name } of commands) t.ok(offered(...name.split(" "), "--").includes("--json"), name);
});

t.test("every shell has a script with every command and option in it", async (t) => {
  for (const shell of shells) {
    const { status, stdout } = await runHalp(["completion", shell]);
    t.equal(status, 0);
    t.equal(stdout, completionScript(shell, commands), shell);
    for (const text of ["prune", "finetune", "learning-rate", "taylor"]) t.match(stdout, text, `${shell}: ${text}`);
  }
  t.match(await runHalp(["completion", "tcsh"]), { status: 2, stderr: /HALP_SHELL[\s\S]*bash, zsh, fish/ });
});

t.test("the schema knows the keys of the documented config file, and their kinds", async (t) => {
  const { properties } = schemaOfConfig() as { properties: Record<string, { type?: unknown; enum?: string[] }> };
  const documents = readFileSync("docs/commands.md", "utf8");
  const [, example = ""] = /^(?: {4})(\{\n(?: {4}.*\n)+? {4}\})/m.exec(documents) ?? [];
  const keys = Object.keys(JSON.parse(example) as object);
  t.ok(keys.length > 4);
  for (const key of keys) t.ok(properties[key], key);
  t.strictSame(properties.threads?.type, "integer");
  t.strictSame(properties.soft?.type, "boolean");
  t.strictSame(properties.mode?.enum, ["joint", "halp", "uniform"]);
  t.notOk(properties.output, "belongs on the command line");
  t.strictSame(JSON.parse(readFileSync("build/config.schema.json", "utf8")), schemaOfConfig(), "it is built");
});
