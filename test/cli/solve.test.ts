import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runHalp } from "./run-halp.js";

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

t.test("a stream of problems, one a line", async (t) => {
  const { status, stdout } = await runHalp(["solve", "-", "--json"], `${text}\n${text}\n`);
  t.equal(status, 0);
  t.equal(JSON.parse(stdout).solutions.length, 2);
  const broken = await runHalp(["solve", "-"], `${text}\n{"format":\n`);
  t.equal(broken.status, 2);
  t.match(broken.stderr, /HALP_PROBLEM_JSON[\s\S]*Problem 2 of the stream/);
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
