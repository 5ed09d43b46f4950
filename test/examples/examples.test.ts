/** The examples do what they say. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import { type Problem, type Solution, solve, verify } from "../../src/solver/index.js";
import { ownCache } from "../cli/own-cache.js";
import { writeSmallModel } from "../cli/small-model.js";
import { randomProblem } from "../solver/random-problem.js";

const listening = (server: Server) =>
  new Promise<string>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

t.test("a service answers budgets with plans", async (t) => {
  const path = join(process.cwd(), "examples/service/server.mjs");
  const { createService } = (await import(path)) as { createService: (o: { workers: number }) => Promise<Server> };
  const server = await createService({ workers: 2 });
  t.teardown(() => server.close());
  const base = await listening(server);
  const problems = Array.from({ length: 12 }, (_, i) => randomProblem(i + 1, { pairs: i % 2 === 0 }));
  for (const [i, { problem }] of problems.entries()) {
    const put = await fetch(`${base}/problems/p${i}`, { method: "PUT", body: JSON.stringify(problem) });
    t.equal(put.status, 201);
  }
  await Promise.all(
    problems.map(async ({ problem, budget }, i) => {
      const answer = (await (await fetch(`${base}/problems/p${i}?budget=${budget}`)).json()) as Solution;
      const expected = solve(problem, budget);
      t.match(answer, { status: expected.status, choice: expected.choice, value: expected.value });
      t.ok(verify(problem, answer, budget));
    }),
  );
  t.equal((await fetch(`${base}/problems/none`)).status, 404);
  const wrong = await fetch(`${base}/problems/x`, {
    method: "PUT",
    body: '{"format":"halp.problem/1","variables":[{}]}',
  });
  t.match([wrong.status, await wrong.json()], [400, { code: /^HALP_/ }]);
  t.equal((await fetch(`${base}/problems/x`, { method: "PUT", body: "{" })).status, 400);
});

t.test("a build prunes a model, or fails with the command's exit codes", async (t) => {
  const folder = t.testdir();
  writeSmallModel(join(folder, "model.onnx"), 32, [1, 3, 16, 16]);
  const cache = await ownCache(join(folder, "cache"));
  const build = (...args: string[]) =>
    spawnSync(process.execPath, ["examples/ci/prune.mjs", join(folder, "model.onnx"), ...args, cache], {
      encoding: "utf8",
    });
  const output = join(folder, "small.onnx");
  const { status, stdout, stderr } = build(output, "70");
  t.ok(status === 0 || (status === 4 && /HALP_BUDGET_MISSED/.test(stderr)), stderr);
  if (status === 0) t.match(stdout, /ms -> .* ms \(/);
  t.ok(existsSync(output));
  const never = build(join(folder, "never.onnx"), "0.1");
  t.match([never.status, never.stderr], [3, /^HALP_INFEASIBLE_BUDGET/m]);
  t.notOk(existsSync(join(folder, "never.onnx")));
});

const python = spawnSync("python3", ["--version"]).status === 0;

t.test("scores and latencies from Python, a plan out", { skip: python ? false : "there is no python3" }, async (t) => {
  const command = [process.execPath, "build/src/cli/main.js"];
  const { status, stdout, stderr } = spawnSync("python3", ["examples/pytorch/plan.py", ...command], {
    encoding: "utf8",
  });
  t.equal(status, 0, stderr);
  const steps = (n: number) => 2 * Math.ceil(n / 2);
  const problem: Problem = {
    format: "halp.problem/1",
    variables: [
      { name: "conv1", values: [0, 0.9, 1.4, 1.8, 1.9] },
      { name: "conv2", values: [0, 0.8, 1.1, 1.3] },
    ],
    factors: [
      { variables: ["conv1"], latency: [0, 1, 2, 3, 4].map((a) => 60 * steps(a)) },
      {
        variables: ["conv1", "conv2"],
        latency: [0, 1, 2, 3, 4].map((a) => [0, 1, 2, 3].map((b) => 40 * steps(a) * steps(b))),
      },
    ],
  };
  const expected = solve(problem, 600);
  const found = JSON.parse(stdout) as { status: string; latency: number; plan: Record<string, number[]> };
  t.match(found, { status: "optimal", latency: expected.latency });
  t.equal(found.plan.conv1?.length, expected.choice?.conv1);
  t.ok(found.plan.conv1?.includes(0), "the best channel stays");
});

const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);

t.test("the solver in a page", { skip: chromium ? false : "no chromium here" }, async (t) => {
  const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript" };
  const report = `<script type="module">fetch("/done", { method: "POST", body: document.querySelector("#plan").value })</script>`;
  let done = (_text: string) => {};
  const shown = new Promise<string>((resolve) => {
    done = resolve;
  });
  const server = createServer(async (request, response) => {
    const { url = "" } = request;
    if (url === "/done") return done(await text(request));
    const file = url === "/" ? "examples/browser/index.html" : url.replace("/node_modules/halp/", "");
    response.writeHead(200, { "content-type": types[file.split(".").at(-1) ?? ""] ?? "text/plain" });
    response.end(existsSync(file) ? `${readFileSync(file, "utf8")}${url === "/" ? report : ""}` : "");
  });
  const base = await listening(server);
  const browser = spawn(chromium as string, [
    ...["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${t.testdir()}`, `${base}/`],
  ]);
  browser.on("exit", () => done("the browser ended"));
  t.teardown(() => {
    browser.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  });
  const dom = await shown;
  t.match(dom, /^optimal: \{"conv1":2,"conv2":0\}, value 2.2, latency 700$/);
});
