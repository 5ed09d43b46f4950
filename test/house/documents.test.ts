/** The code and the problems in README.md and ARCHITECTURE.md do what is said beside them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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

t.test("the code of docs/onnx.md and docs/solver.md runs", async (t) => {
  const folder = t.testdir();
  const { writeSmallModel } = await import("../cli/small-model.js");
  const run = (code: string) => {
    const file = join(folder, "code.mjs");
    writeFileSync(file, code);
    const specifiers = [...code.matchAll(/from "(halp\/[a-z]+)"/g)].map((m) => m[1]);
    t.ok(specifiers.length > 0, "it imports halp");
    return spawnSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
  };
  writeSmallModel(join(folder, "model.onnx"));
  for (const code of blocks("docs/onnx.md", "js")) t.match(run(code), { status: 0, stderr: "" });
  t.ok(readFileSync(join(folder, "copy.onnx")).length > 0);
  const [problem = ""] = blocks("ARCHITECTURE.md", "json");
  for (const code of blocks("docs/solver.md", "js")) {
    const { status, stdout, stderr } = run(`const problem = ${problem};\n${code}\nconsole.log(solution.status);`);
    t.match({ status, stdout }, { status: 0, stdout: "optimal\n" }, stderr);
  }
  const [several = ""] = blocks("docs/solver.md", "json");
  const { solve } = await import("../../src/solver/index.js");
  t.match(solve(JSON.parse(several)), { status: "optimal", latencies: { pi5: 10, server: 6 } });
});

t.test("the data module of docs/data.md is one", async (t) => {
  const { openDataset } = await import("../../src/data/index.js");
  const [code = ""] = blocks("docs/data.md", "js");
  const file = join(t.testdir(), "data.mjs");
  writeFileSync(file, code);
  const dataset = await openDataset({ path: file });
  for await (const { images, labels } of dataset.batches({ batchSize: 4 }))
    t.match([images.length, labels?.length], [4 * 3 * 32 * 32, 4]);
});

t.test("no code stands in the documents that no test runs", async (t) => {
  const run = new Set([
    "README.md js",
    "ARCHITECTURE.md json",
    "docs/onnx.md js",
    "docs/solver.md js",
    "docs/solver.md json",
    "docs/data.md js",
    "docs/pytorch.md python",
  ]);
  for (const file of ["README.md", "ARCHITECTURE.md", ...readdirSync("docs").map((f) => `docs/${f}`)].filter((f) =>
    f.endsWith(".md"),
  ))
    for (const [, language = ""] of readFileSync(file, "utf8").matchAll(/^```([a-z]+)$/gm))
      t.ok(run.has(`${file} ${language}`), `${file} has ${language} code: say here which test runs it`);
});

t.test("links between documents lead somewhere", async (t) => {
  const anchors = (file: string) =>
    new Set(
      [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map((m) =>
        (m[1] ?? "")
          .toLowerCase()
          .replace(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      ),
    );
  const files = [
    ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/README.md"],
    ...readdirSync("docs")
      .filter((f) => f.endsWith(".md"))
      .map((f) => `docs/${f}`),
  ];
  for (const file of files)
    for (const [, target = ""] of readFileSync(file, "utf8").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const linked = path === "" ? file : join(dirname(file), path);
      t.ok(existsSync(linked), `${file}: ${target}`);
      if (anchor !== undefined && existsSync(linked)) t.ok(anchors(linked).has(anchor), `${file}: ${target}`);
    }
});

t.test("the API reference can be made, and its links lead somewhere", async (t) => {
  const typedoc = ["node_modules/typedoc/bin/typedoc", "--options", "docs/typedoc.json", "--treatWarningsAsErrors"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...typedoc, "--emit", "none"], { encoding: "utf8" });
  t.equal(status, 0, stdout + stderr);
});
