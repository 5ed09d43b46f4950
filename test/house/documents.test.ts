/** The code and the problems in README.md and ARCHITECTURE.md do what is said beside them. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Problem, solve } from "../../src/solver/index.js";

const blocks = (file: string, language: string) =>
  [...readFileSync(file, "utf8").matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    (m) => m[1] ?? "",
  );

t.test("the example of README.md prints what its comment says", async (t) => {
  const [code = ""] = blocks("README.md", "js");
  const expected = /console\.log\(.*\); \/\/ (.*)$/m.exec(code)?.[1];
  t.ok(expected, "there is an example");
  const file = join(t.testdir(), "example.mjs");
  writeFileSync(file, code);
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: "utf8" });
  t.equal(stdout.trim(), expected, stderr);
});

t.test("the problem of ARCHITECTURE.md has the solution of ARCHITECTURE.md", async (t) => {
  const [problem = "", solution = ""] = blocks("ARCHITECTURE.md", "json");
  const { elapsedMs: _, ...expected } = JSON.parse(solution) as { readonly elapsedMs: number };
  t.match(solve(JSON.parse(problem) as Problem), expected);
});

t.test("README.md names only commands that there are", async (t) => {
  const { commands } = await import("../../src/cli/run-cli.js");
  const names = new Set(commands.map((c) => c.name.split(" ")[0]));
  for (const file of ["README.md", "docs/commands.md"])
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(/(?:^ {4}|`)halp ([a-z]+)/gm))
      t.ok(names.has(name), `${file}: halp ${name}`);
});
