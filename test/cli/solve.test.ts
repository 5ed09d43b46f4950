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
