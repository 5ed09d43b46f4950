import t from "tap";
import { type Problem, parseProblem, solve, verify } from "../../src/solver/index.js";

const good = {
  format: "halp.problem/1",
  unit: "ns",
  budget: 700,
  variables: [
    { name: "a", values: [0, 1.5, 2.2] },
    { name: "b", values: [0, 1] },
  ],
  factors: [
    { variables: ["a"], latency: [0, 400, 700] },
    {
      variables: ["a", "b"],
      latency: [
        [0, 0],
        [0, 350],
        [null, 500],
      ],
    },
  ],
};

/** The good problem with one part replaced, at a path such as "factors.1.latency.2". */
function withPart(path: string, part: unknown): unknown {
  const copy = structuredClone(good) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  let at = copy;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[keys[keys.length - 1]!] = part;
  return copy;
}

t.test("a good problem comes through as it is, from text or from an object", async (t) => {
  t.same(parseProblem(good), good);
  t.same(parseProblem(JSON.stringify(good)), good);
  t.equal(parseProblem(withPart("budget", null)).budget, undefined);
});

const bad: readonly (readonly [string, unknown, string, RegExp])[] = [
  ["text that is not JSON", "{", "HALP_PROBLEM_JSON", /not valid JSON/],
  ["null", null, "HALP_PROBLEM_FORMAT", /must be an object/],
  ["another format", withPart("format", "halp.problem/2"), "HALP_PROBLEM_FORMAT", /"halp.problem\/2"/],
  ["a unit that is no string", withPart("unit", 3), "HALP_PROBLEM_FORMAT", /unit/],
  ["a budget that is a string", withPart("budget", "3ms"), "HALP_BUDGET", /"3ms"/],
  ["a budget that is NaN", withPart("budget", Number.NaN), "HALP_BUDGET", /NaN/],
  ["variables that are no array", withPart("variables", {}), "HALP_PROBLEM_FORMAT", /variables must be an array/],
  ["no factors at all", withPart("factors", undefined), "HALP_PROBLEM_FORMAT", /factors must be an array, not nothing/],
  [
    "a variable without a name",
    withPart("variables.1", { values: [1] }),
    "HALP_PROBLEM_VARIABLE",
    /variables\[1\]\.name/,
  ],
  ["a duplicate name", withPart("variables.1.name", "a"), "HALP_PROBLEM_DUPLICATE", /variables\[1\].*variables\[0\]/],
  ["an empty variable", withPart("variables.0.values", []), "HALP_PROBLEM_EMPTY", /"a" has no options/],
  ["a value that is NaN", withPart("variables.0.values.2", Number.NaN), "HALP_PROBLEM_NUMBER", /"a": values\[2\].*NaN/],
  ["a value that is null", withPart("variables.0.values.1", null), "HALP_PROBLEM_NUMBER", /"a": values\[1\].*null/],
  ["an unknown variable", withPart("factors.1.variables.1", "c"), "HALP_PROBLEM_UNKNOWN", /factors\[1\].*"c"/],
  ["a variable twice", withPart("factors.1.variables", ["a", "a"]), "HALP_PROBLEM_FACTOR", /names "a" twice/],
  ["three variables", withPart("factors.1.variables", ["a", "b", "a"]), "HALP_PROBLEM_FACTOR", /one or two variables/],
  [
    "a short table",
    withPart("factors.0.latency", [0, 1]),
    "HALP_PROBLEM_RAGGED",
    /factors\[0\]\.latency has 2 entries/,
  ],
  ["too few rows", withPart("factors.1.latency", [[0, 0]]), "HALP_PROBLEM_RAGGED", /factors\[1\]\.latency has 1 rows/],
  ["a ragged row", withPart("factors.1.latency.1", [0, 1, 2]), "HALP_PROBLEM_RAGGED", /latency\[1\] has 3 entries/],
  ["an entry that is text", withPart("factors.1.latency.1.0", "x"), "HALP_PROBLEM_NUMBER", /latency\[1\]\[0\].*"x"/],
  ["an infinite entry", withPart("factors.0.latency.2", Infinity), "HALP_PROBLEM_NUMBER", /latency\[2\].*Infinity/],
  ["a value table with null", withPart("factors.0.value", [0, null, 1]), "HALP_PROBLEM_NUMBER", /value\[1\]/],
  ["a value table too long", withPart("factors.0.value", [0, 1, 2, 3]), "HALP_PROBLEM_RAGGED", /value has 4 entries/],
  [
    "a typed array of values",
    withPart("variables.0.values", new Float64Array(3)),
    "HALP_PROBLEM_VARIABLE",
    /"a".*Float64Array/,
  ],
  [
    "a typed array of latencies",
    withPart("factors.0.latency", new Float64Array(3)),
    "HALP_PROBLEM_FACTOR",
    /Float64Array/,
  ],
  ["a hole in a table", withPart("factors.0.latency", holed(3)), "HALP_PROBLEM_NUMBER", /latency\[0\].*nothing/],
  ["a hole among variables", withPart("variables", holed(2)), "HALP_PROBLEM_VARIABLE", /variables\[0\].*nothing/],
  ["a hole among factors", withPart("factors", holed(2)), "HALP_PROBLEM_FACTOR", /factors\[0\].*nothing/],
  ["a hole among names", withPart("factors.1.variables", holed(2)), "HALP_PROBLEM_FACTOR", /variables\[0\].*nothing/],
  ["a bigint", withPart("variables.0.values.1", 3n), "HALP_PROBLEM_NUMBER", /values\[1\].*3n/],
  ["a symbol for a name", withPart("variables.0.name", Symbol("a")), "HALP_PROBLEM_VARIABLE", /Symbol\(a\)/],
  ["sums that overflow", withPart("factors.0.latency", [0, 1, 1e308]), "HALP_PROBLEM_NUMBER", /overflow/],
  ["a getter that throws", withGetter(), "HALP_PROBLEM_FORMAT", /cannot be read: no entry/],
  ["a proxy that was revoked", revoked(), "HALP_PROBLEM_FORMAT", /cannot be read/],
];

function holed(length: number): unknown[] {
  return new Array(length);
}

function withGetter(): unknown {
  return {
    ...good,
    get factors() {
      throw new Error("no entry");
    },
  };
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

for (const [what, problem, code, message] of bad)
  t.test(`${what} is refused with ${code}`, async (t) => {
    for (const backend of ["wasm", "js"] as const)
      t.throws(() => solve(problem as never, 1, { backend }), { code, message });
  });

t.test("numbers at the edge, names like those of objects, and objects without a prototype are fine", async (t) => {
  const bare = Object.assign(Object.create(null), good);
  t.same(parseProblem(bare), good);
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const problem: Problem = {
    format: "halp.problem/1",
    variables: names.map((name) => ({ name, values: [-0, 5e-324, 1e300] })),
    factors: names.map((name) => ({ variables: [name], latency: [-0, 1e-320, 2e300] })),
  };
  for (const backend of ["wasm", "js"] as const) {
    const solution = solve(problem, 4e300, { backend });
    verify(problem, solution, 4e300);
    t.same(Object.keys(solution.choice), names);
    // to the quantum: 1e300 is no decimal
    t.ok(Math.abs(solution.value - 2e300) < 1e288 && solution.status === "optimal");
  }
});

t.test("ten million options are refused at once", async (t) => {
  const values = new Array<number>(10_000_000).fill(0);
  const problem = { ...good, variables: [{ name: "a", values }], factors: [] };
  t.throws(() => parseProblem(problem), { code: "HALP_PROBLEM_TOO_LARGE" });
});

t.test("no budget anywhere, or one that is no finite number, is refused", async (t) => {
  const { budget: _, ...without } = good;
  for (const budget of [undefined, Number.NaN, Infinity, "5" as unknown as number])
    t.throws(() => solve(without as never, budget), { code: "HALP_BUDGET" });
  t.throws(() => solve(good as never, 1, { backend: "best" as never }), { code: "HALP_BACKEND" });
});
