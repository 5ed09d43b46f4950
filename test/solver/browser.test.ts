// What a browser gets of halp/solver: bundled by esbuild, run in a bare context without anything of Node, and in a real
// browser where there is one.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import t from "tap";
import { bundleForBrowser as bundle } from "../../bench/solver/browser-bundle.js";
import { solve } from "../../src/solver/index.js";
import { scalarWasm, simdWasm } from "../../src/solver/wasm.gen.js";
import { jointChain } from "./hard-problem.js";
import { randomProblem } from "./random-problem.js";

const index = "build/src/solver/index.js";
const worker = "build/src/solver/pool/worker.js";

t.test("the WASM is below 64 KB a build", async (t) => {
  for (const wasm of [simdWasm, scalarWasm]) t.ok(Buffer.from(wasm, "base64").length < 64 * 1024);
});

t.test("the bundle is below 100 KB gzipped and knows nothing of Node", async (t) => {
  for (const entry of [index, worker]) {
    const code = await bundle(entry, "esm");
    const size = gzipSync(code).length;
    t.ok(size < 100_000, `${entry}: ${size} bytes`);
    t.equal(/["'`]node:|require\(|worker_threads/.exec(code)?.[0], undefined);
  }
});

const problems = [
  ...Array.from({ length: 20 }, (_, i) => randomProblem(i + 1, { pairs: i % 2 === 0 })),
  { problem: jointChain(6, 8, 1), budget: jointChain(6, 8, 1).budget! },
];
const plain = ({ status, choice, value, latency, upperBound }: ReturnType<typeof solve>): object => ({
  ...{ status, choice, value, latency, upperBound },
});
const expected = problems.map(({ problem, budget }) => plain(solve(problem, budget)));

t.test("the bundle solves in a bare context", async (t) => {
  const code = `${await bundle(index, "iife")}
    const plain = ${plain.toString()};
    const found = JSON.stringify(problems.map(({ problem, budget }) => plain(halpSolver.solve(problem, budget))));
    const verified = problems.every(({ problem, budget }) =>
      halpSolver.verify(problem, halpSolver.solve(problem, budget, { backend: "js" }), budget));
    const pool = halpSolver.createSolverPool().then((p) => p.solve(problems[0].problem, 1));
    ({ found, verified, pool })`;
  const { WebAssembly } = globalThis as unknown as { WebAssembly: unknown };
  const { found, verified, pool } = runInNewContext(code, { WebAssembly, atob, performance, problems });
  t.same(JSON.parse(found), expected);
  t.equal(verified, true);
  await t.rejects(pool, { code: "HALP_POOL", message: /no workers/ });
});

const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);

/** What the page does: solves there, in a pool of bundled workers, and in one of the files as they are. */
const page = `<!doctype html><script src="/bundle.js"></script><script type="module">
  import * as unbundled from "/src/solver/index.js";
  const plain = ${plain.toString()};
  const problems = ${JSON.stringify(problems)};
  const flat = { offset: Int32Array.of(0, 2), value: Float64Array.of(0, 1), latency: Float64Array.of(0, 5) };
  async function run() {
    const pool = await halpSolver.createSolverPool({ startWorker: () => new Worker("/worker.js") });
    const files = await unbundled.createSolverPool();
    const lost = await halpSolver.createSolverPool({ startWorker: () => new Worker("/nothing.js") });
    return {
      page: problems.map(({ problem, budget }) => plain(halpSolver.solve(problem, budget))),
      pool: (await pool.solveBatch(problems)).map(plain),
      flat: (await pool.solveFlatBatch([{ problem: flat, budget: 5 }])).map((s) => s.value),
      files: (await files.solveBatch(problems)).map(plain),
      lost: await lost.solve(problems[0].problem, 1).catch((e) => e.code),
    };
  }
  run().catch((e) => String(e.stack ?? e)).then((found) => fetch("/done", { method: "POST", body: JSON.stringify(found) }));
</script>`;

t.test(
  "a real browser: the page and pools of Web Workers",
  { skip: chromium ? false : "no chromium here" },
  async (t) => {
    const script = { "content-type": "text/javascript" };
    const files: Readonly<Record<string, string>> = {
      "/bundle.js": await bundle(index, "iife"),
      "/worker.js": await bundle(worker, "iife"),
    };
    let done: (body: string) => void = () => {};
    const body = new Promise<string>((resolve) => {
      done = resolve;
    });
    const server = createServer((request, response) => {
      const path = request.url ?? "/";
      if (path === "/done") void text(request).then(done);
      else if (path === "/") response.writeHead(200, { "content-type": "text/html" }).end(page);
      else if (path in files) response.writeHead(200, script).end(files[path]);
      else if (path.startsWith("/src/")) response.writeHead(200, script).end(readFileSync(join("build", path)));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const folder = t.testdir();
    const args = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--user-data-dir=${folder}`,
    ];
    const child = spawn(chromium!, [...args, `http://127.0.0.1:${port}/`], { stdio: ["ignore", "ignore", "pipe"] });
    let complaints = "";
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      complaints += part;
    });
    const late = new Promise<string>((resolve) => {
      setTimeout(() => resolve(JSON.stringify({ complaints })), 60_000).unref();
      child.once("exit", () => resolve(JSON.stringify({ complaints })));
    });
    const found = JSON.parse(await Promise.race([body, late]));
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
    server.closeAllConnections();
    server.close();
    t.same(found, { page: expected, pool: expected, flat: [1], files: expected, lost: "HALP_POOL" });
  },
);
