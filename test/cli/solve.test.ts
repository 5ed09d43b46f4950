import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t from "tap";
import { hardProblem } from "../solver/hard-problem.js";
import { halpMain, runHalp } from "./run-halp.js";

const problem = {
  format: "halp.problem/1",
  unit: "ns",
  budget: 1000,
  variables: [
    { name: "conv1", values: [0, 1.5, 2.2] },
    { name: "conv2", values: [0, 0.7, 0.9] },
  ],
  factors: [
    { variables: ["conv1"], latency: [0, 400, 700] },
    { variables: ["conv2"], latency: [100, 350, 500] },
  ],
};
const text = JSON.stringify(problem);

t.test("a problem from stdin, as JSON", async (t) => {
  const { status, stdout } = await runHalp(["solve", "-", "--json", "--verify"], text);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), {
    format: "halp.solution/1",
    status: "optimal",
    choice: { conv1: 1, conv2: 2 },
    latency: 900,
    verified: true,
  });
});

t.test("a problem from a file, with several budgets; without --json it is JSON all the same", async (t) => {
  const file = join(t.testdir(), "p.json");
  writeFileSync(file, text);
  const { status, stdout } = await runHalp(["solve", file, "--budget", "1200,500"]);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), {
    format: "halp.solutions/1",
    solutions: [
      { budget: 1200, choice: { conv1: 2, conv2: 2 } },
      { budget: 500, choice: { conv1: 1, conv2: 0 } },
    ],
  });
});

t.test("the frontier: every best pair, each the solution at its own latency", async (t) => {
  const { status, stdout, stderr } = await runHalp(["solve", "-", "--json", "--frontier", "--verify"], text);
  t.equal(status, 0, stderr);
  const { format, complete, points } = JSON.parse(stdout);
  t.strictSame({ format, complete }, { format: "halp.frontier/1", complete: true });
  for (const point of points) {
    const solved = await runHalp(["solve", "-", "--json", "--budget", String(point.latency)], text);
    t.match(JSON.parse(solved.stdout), { status: "optimal", value: point.value, latency: point.latency });
  }
  t.strictSame(
    points.map((p: { latency: number }) => p.latency),
    [100, 350, 500, 750, 900, 1050, 1200],
  );
  t.match(points.at(-1), { value: 3.1, choice: { conv1: 2, conv2: 2 } });
  const hull = JSON.parse((await runHalp(["solve", "-", "--json", "--hull"], text)).stdout);
  t.ok(hull.points.length > 1 && hull.points.length <= points.length);
  const both = await runHalp(["solve", "-", "--frontier", "--budget", "5"], text);
  t.match(both, { status: 2, stderr: /HALP_OPTION_CONFLICT/ });
});

t.test("the exact backends agree", async (t) => {
  for (const backend of ["wasm", "js", "dense"]) {
    const { status, stdout, stderr } = await runHalp(["solve", "-", "--json", "--backend", backend], text);
    t.equal(status, 0, stderr);
    t.match(JSON.parse(stdout), { choice: { conv1: 1, conv2: 2 } }, backend);
  }
  // The paper's dynamic program takes the channels in order and may miss the optimum, but not the budget.
  const paper = await runHalp(["solve", "-", "--json", "--backend", "paper"], text);
  t.equal(paper.status, 0, paper.stderr);
  t.ok(JSON.parse(paper.stdout).latency <= 1000);
});

t.test("a stream of problems, one a line: an answer a line, with the line's number", async (t) => {
  const { status, stdout } = await runHalp(["solve", "-", "--verify"], `${text}\n\n${text}\n`);
  t.equal(status, 0);
  const answers = stdout.trimEnd().split("\n");
  t.match(
    answers.map((line) => JSON.parse(line)),
    [
      { format: "halp.solution/1", line: 1, budget: 1000, latency: 900, verified: true },
      { format: "halp.solution/1", line: 3, budget: 1000, latency: 900, verified: true },
    ],
  );
  const budgets = await runHalp(["solve", "-", "--lines", "--budget", "500,1200"], text);
  t.match(
    budgets.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [
      { line: 1, budget: 500 },
      { line: 1, budget: 1200 },
    ],
  );
  const frontiers = await runHalp(["solve", "-", "--hull"], `${text}\n${text}`);
  t.match(
    frontiers.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [
      { line: 1, format: "halp.frontier/1" },
      { line: 2, format: "halp.frontier/1" },
    ],
  );
  const infeasible = await runHalp(["solve", "-", "--lines", "--budget", "50"], text);
  t.equal(infeasible.status, 3);
});

t.test("a line that holds no problem: exit code 2 and its number, after the answers before it", async (t) => {
  const broken: readonly (readonly [string, RegExp])[] = [
    ['{"format":', /HALP_PROBLEM_JSON[\s\S]*line 3/],
    ["[]", /HALP_PROBLEM_FORMAT[\s\S]*line 3/],
    [JSON.stringify({ ...problem, factors: [{ variables: ["x"], latency: [] }] }), /HALP_PROBLEM_UNKNOWN[\s\S]*line 3/],
  ];
  for (const [line, message] of broken) {
    const { status, stdout, stderr } = await runHalp(["solve", "-"], `${text}\n${text}\n${line}\n${text}\n`);
    t.equal(status, 2);
    t.equal(stdout.trimEnd().split("\n").length, 2);
    t.match(stderr, message);
  }
  t.match(await runHalp(["solve", "-", "--lines"], "{\n"), { status: 2, stdout: "", stderr: /line 1/ });
});

t.test("budgets in percent are shares of the latency with every last option", async (t) => {
  const { status, stdout } = await runHalp(["solve", "-", "--budget", "75%,1200"], text);
  t.equal(status, 0);
  t.match(JSON.parse(stdout).solutions, [{ budget: 900, latency: 900 }, { budget: 1200 }]);
  const forbidden = { ...problem, factors: [{ variables: ["conv1"], latency: [0, 1, null] }] };
  const none = await runHalp(["solve", "-", "--budget", "55%"], JSON.stringify(forbidden));
  t.match(none, { status: 2, stderr: /HALP_BUDGET[\s\S]*factors\[0\]/ });
  for (const wrong of ["", "x", "5ms", "1,,x", "1e999"])
    t.match(await runHalp(["solve", "-", "--budget", wrong], text), { status: 2, stderr: /HALP_OPTION_VALUE/ });
});

const hard = JSON.stringify(hardProblem("strong", 300, 60, 10_000, 1));

t.test("limits", async (t) => {
  for (const limit of ["--time-limit=1ms", "--gap=1%", "--max-states=10", "--memory-limit=4MB"]) {
    const { status, stdout, stderr } = await runHalp(["solve", "-", "--json", "--verify", limit], hard);
    t.equal(status, 0, stderr);
    t.match(JSON.parse(stdout), { status: "feasible", verified: true }, limit);
  }
  const wrong = ["--time-limit=0", "--gap=2", "--max-states=-1", "--memory-limit=much", "--memory-limit=3"];
  for (const limit of wrong) t.equal((await runHalp(["solve", "-", limit], text)).status, 2, limit);
});

/** A halp whose input and output are handled by hand. */
function startHalp(args: readonly string[]): {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: AsyncIterator<string>;
  readonly ended: Promise<{ readonly status: number | null; readonly stderr: string }>;
} {
  const child = spawn(process.execPath, [halpMain, ...args], { env: { ...process.env, NO_COLOR: "1" } });
  child.stdin.on("error", () => {});
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    stderr += part;
  });
  const ended = new Promise<{ status: number | null; stderr: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, stderr })),
  );
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator](), ended };
}

t.test("with --lines each answer comes before the next problem", async (t) => {
  const { child, lines, ended } = startHalp(["solve", "-", "--lines"]);
  for (let i = 1; i <= 3; i++) {
    child.stdin.write(`${text}\n`);
    t.match(JSON.parse((await lines.next()).value), { line: i, status: "optimal" });
  }
  child.stdin.end();
  t.match(await ended, { status: 0, stderr: "" });
});

t.test("Ctrl-C prints the best so far, and ends a wait for input", async (t) => {
  // once the easy budget is answered, the hard one is under way
  const { child, lines, ended } = startHalp(["solve", "-", "--lines", "--verify", "--budget", "100%,50%,40%"]);
  child.stdin.write(`${hard}\n`);
  t.match(JSON.parse((await lines.next()).value), { line: 1, status: "optimal" });
  child.kill("SIGINT");
  t.match(JSON.parse((await lines.next()).value), { line: 1, status: "feasible", verified: true });
  t.match(await ended, { status: 130, stderr: /interrupted/ });
  const waiting = startHalp(["solve", "-", "--lines"]);
  waiting.child.stdin.write(`${text}\n`);
  await waiting.lines.next();
  waiting.child.kill("SIGINT");
  t.match(await waiting.ended, { status: 130 });
});

t.test("whoever reads the answers may leave: it ends quietly", async (t) => {
  const { child, lines, ended } = startHalp(["solve", "-", "--lines"]);
  const feed = setInterval(() => child.stdin.write(`${text}\n`.repeat(100)), 1);
  await lines.next();
  child.stdout.destroy();
  t.match(await ended, { status: 0, stderr: "" });
  clearInterval(feed);
});

t.test("a reader that is slow holds up the reading: memory does not grow", async (t) => {
  const { child, ended } = startHalp(["solve", "-", "--lines"]);
  child.stdout.pause();
  const block = `${text}\n`.repeat(200);
  const most = 64 * 2 ** 20;
  let written = 0;
  // until it takes no more
  while (written < most) {
    written += block.length;
    if (child.stdin.write(block)) continue;
    const more = await Promise.race([
      once(child.stdin, "drain").then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1500)),
    ]);
    if (!more) break;
  }
  t.ok(written < most, `${written} bytes were taken`);
  child.kill("SIGKILL");
  await ended;
});

t.test("a budget that cannot be met: exit code 3, with the smallest latency", async (t) => {
  const { status, stdout } = await runHalp(["solve", "-", "--json", "--budget", "50"], text);
  t.equal(status, 3);
  t.match(JSON.parse(stdout), { status: "infeasible", smallestLatency: 100 });
});

t.test("bad problems: exit code 2, the error's code, nothing on stdout", async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /HALP_PROBLEM_JSON/],
    ["[]", /HALP_PROBLEM_FORMAT/],
    [JSON.stringify({ ...problem, factors: [{ variables: ["conv9"], latency: [0] }] }), /HALP_PROBLEM_UNKNOWN/],
    [JSON.stringify({ ...problem, factors: [{ variables: ["conv1"], latency: [0] }] }), /HALP_PROBLEM_RAGGED/],
  ];
  for (const [input, message] of cases) {
    const { status, stdout, stderr } = await runHalp(["solve", "-"], input);
    t.equal(status, 2);
    t.equal(stdout, "");
    t.match(stderr, message);
  }
  t.match(await runHalp(["solve", "-", "--backend", "magic"], text), { status: 2, stderr: /HALP_BACKEND/ });
});
