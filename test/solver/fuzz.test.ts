// Whatever comes in, out comes a HalpError or a solution that verify accepts.
import fc from "fast-check";
import t from "tap";
import { HalpError } from "../../src/errors.js";
import {
  createFlatSolver,
  createSolver,
  type FlatProblem,
  type Limits,
  type Problem,
  parseProblem,
  solve,
  verify,
} from "../../src/solver/index.js";
import { randomProblem } from "./random-problem.js";

const solvers = { wasm: createSolver(), js: createSolver({ backend: "js" }) };

function throwing(): object {
  return {
    get anything() {
      throw new TypeError("a getter that throws");
    },
  };
}

/** What may stand in place of anything. */
const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      Number.NaN,
      Infinity,
      -Infinity,
      1e308,
      -1e308,
      1.7976931348623157e308,
      5e-324,
      -5e-324,
      -0,
      0,
      1e-320,
      2 ** 53,
    ],
    ...[null, undefined, true, "", "v0", "__proto__", "constructor", "3", 10n, Symbol("s"), () => 1, [], {}, [[]]],
    ...[[null], [undefined], new Array(3), new Array(9_999_999), new Float64Array([1, 2]), new Date(0), new Map()],
    ...[Object.create(null), throwing(), new Proxy({}, { get: () => 1 }), new Proxy([1, 2], {}), "v".repeat(1000)],
  ),
  fc.double(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom([["v0"]], [["v0", "v0"]], [["v0", "v1", "v2"]]).map(([x]) => x),
  fc.jsonValue({ maxDepth: 3 }),
);

type Place = Record<string | number, unknown>;

/** Every object and array within a value, getters left alone. */
function places(x: unknown, found: Place[] = []): Place[] {
  if (typeof x === "object" && x !== null && !found.includes(x as Place)) {
    found.push(x as Place);
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(x))) places(value, found);
  }
  return found;
}

/** Finite numbers as they come from nowhere good. */
const odd = [
  1e308,
  -1e308,
  1e300,
  5e-324,
  -5e-324,
  1e-310,
  -0,
  2 ** 53,
  2 ** 53 + 2,
  0.1,
  1 / 3,
  1e-9,
  1e15,
  -(2 ** 31),
  1e22,
];

interface Change {
  readonly where: number;
  readonly key: number;
  readonly how: "number" | "set" | "remove" | "repeat" | "getter" | "swap";
  readonly by: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  where: fc.nat(1000),
  key: fc.nat(1000),
  how: fc.constantFrom("number", "number", "number", "number", "set", "set", "remove", "repeat", "getter", "swap"),
  by: junk,
});

function put(place: Place, name: string | number, value: unknown): void {
  Reflect.defineProperty(place, name, { value, enumerable: true, configurable: true, writable: true });
}

function mutate(problem: unknown, { where, key, how, by }: Change): void {
  const all = places(problem).filter(
    (p) => !Object.isFrozen(p) && !ArrayBuffer.isView(p) && Object.keys(p).length < 100,
  );
  const place = all[where % all.length]!;
  const keys = Object.keys(place);
  const name = keys[key % Math.max(1, keys.length)] ?? "extra";
  if (how === "number") {
    // another finite number in the place of one: still a problem
    const numbers = all.filter(
      (p) => Array.isArray(p) && typeof Object.getOwnPropertyDescriptor(p, 0)?.value === "number",
    );
    const row = numbers[where % Math.max(1, numbers.length)];
    if (row !== undefined) put(row, key % (row as unknown as unknown[]).length, odd[key % odd.length]);
  } else if (how === "set") put(place, name, by);
  else if (how === "remove") Reflect.deleteProperty(place, name);
  else if (how === "repeat" && Array.isArray(place))
    put(place, place.length, Object.getOwnPropertyDescriptor(place, place.length - 1)?.value);
  else if (how === "swap") put(place, name, all[key % all.length]);
  else if (how === "getter")
    Object.defineProperty(place, name, {
      enumerable: true,
      configurable: true,
      get() {
        throw new Error("a getter that throws");
      },
    });
}

/** A HalpError, or what `check` accepts; anything else fails. */
function isAnswered(run: () => void): true {
  try {
    run();
  } catch (error) {
    if (!(error instanceof HalpError)) throw error;
    if (!/^HALP_[A-Z_]+$/.test(error.code) || error.message.length < 15 || error.message.length > 400)
      throw new Error(`a poor message: ${error.code} ${error.message}`);
    if (error.code.startsWith("HALP_VERIFY")) throw new Error(`a wrong answer: ${error.message}`);
  }
  return true;
}

/** fc.assert(), with the cause in the message. */
function holds<Ts>(property: fc.IProperty<Ts>, parameters: fc.Parameters<Ts>): void {
  const { failed, error, counterexamplePath, errorInstance } = fc.check(property, parameters) as fc.RunDetails<Ts> & {
    readonly error?: string;
  };
  if (failed) throw new Error(`${counterexamplePath}: ${error ?? ""} ${(errorInstance as Error | null)?.stack}`);
}

const limitsOf: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 9, arbitrary: fc.constant({}) },
  fc.record({ maxStates: junk }),
  fc.record({ gap: fc.oneof(junk, fc.double({ min: 0, max: 1 })) }),
  fc.record({ timeLimitMs: fc.oneof(junk, fc.constant(0)) }),
);

t.test("problems changed anyhow", async (t) => {
  let accepted = 0;
  holds(
    fc.property(
      fc.nat(500),
      fc.boolean(),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, junk),
      limitsOf,
      (seed, pairs, changes, otherBudget, limits) => {
        const { problem, budget } = randomProblem(seed, { pairs });
        const copy = structuredClone(problem) as unknown as Problem;
        for (const c of changes) mutate(copy, c);
        const given = (otherBudget === undefined ? budget : otherBudget) as number;
        const values: number[] = [];
        for (const backend of ["wasm", "js"] as const)
          isAnswered(() => {
            const solution = solvers[backend].solve(copy, given, limits as Limits);
            verify(copy, solution, given);
            accepted++;
            if (solution.status === "optimal") values.push(solution.value);
          });
        if (values.length === 2 && values[0] !== values[1]) throw new Error(`backends differ: ${values.join(" and ")}`);
        isAnswered(() => void solvers.wasm.frontier(copy, { hull: seed % 2 === 0, maxPoints: 50 }).latency);
        return isAnswered(() => void solve(copy, given, { backend: otherBudget as never }));
      },
    ),
    { numRuns: 3000, seed: 11 },
  );
  t.ok(accepted > 500, `${accepted} were still problems`);
});

t.test("text changed anyhow", async (t) => {
  const edit = fc.record({
    at: fc.nat(2000),
    cut: fc.nat(3),
    put: fc.constantFrom(...'[]{},:"0-9.eE n', "1e999", "null"),
  });
  holds(
    fc.property(fc.nat(200), fc.array(edit, { minLength: 1, maxLength: 3 }), (seed, edits) => {
      const { problem, budget } = randomProblem(seed, { pairs: true });
      let text = JSON.stringify(problem);
      for (const { at, cut, put } of edits) {
        const from = at % text.length;
        text = text.slice(0, from) + put + text.slice(from + cut);
      }
      return isAnswered(() => {
        const parsed = parseProblem(text);
        verify(parsed, solvers.wasm.solve(parsed, budget), budget);
      });
    }),
    { numRuns: 2000, seed: 12 },
  );
  for (const deep of ["[".repeat(100_000), `${'{"variables":'.repeat(50_000)}1${"}".repeat(50_000)}`])
    t.ok(isAnswered(() => void parseProblem(deep)));
  t.throws(() => parseProblem(`${"[".repeat(100_000)}${"]".repeat(100_000)}`), { code: "HALP_PROBLEM_FORMAT" });
});

t.test("flat problems changed anyhow", async (t) => {
  const number = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -50, max: 50 }) },
    { weight: 2, arbitrary: fc.double() },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity, 1e308, -1e308, 5e-324, -0, 2 ** 60) },
  );
  const solver = createFlatSolver();
  holds(
    fc.property(
      fc.array(fc.integer({ min: -1, max: 6 }), { maxLength: 6 }),
      fc.array(number, { maxLength: 24 }),
      fc.array(number, { maxLength: 24 }),
      fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) }),
      fc.oneof(number, junk as fc.Arbitrary<number>),
      limitsOf,
      (sizes, value, latency, off, budget, limits) => {
        const offset = Int32Array.from([0, ...sizes]);
        for (let i = 0; i < sizes.length; i++) offset[i + 1]! += offset[i]!;
        const total = Math.max(0, offset[sizes.length]! + off);
        const fill = (x: number[]): Float64Array =>
          Float64Array.from({ length: total }, (_, i) => x[i % x.length] ?? i);
        const flat: FlatProblem = { offset, value: fill(value), latency: fill(latency) };
        return isAnswered(() => {
          const found = solver.solve(flat, budget, limits as Limits);
          let v = 0;
          let w = 0;
          let size = 0;
          found.choice.forEach((x, i) => {
            if (x < 0) return;
            if (x >= sizes[i]!) throw new Error("an option that does not exist");
            v += flat.value[offset[i]! + x]!;
            w += flat.latency[offset[i]! + x]!;
            size += Math.max(0, ...flat.value.map(Math.abs), ...flat.latency.map((y) => Math.abs(y) || 0));
          });
          if (found.choice.includes(-1)) return;
          const slack = 1e-9 * size + 1e-290;
          if (!(Math.abs(v - found.value) <= slack && Math.abs(w - found.latency) <= slack))
            throw new Error(`stated ${found.value}, ${found.latency}, but it is ${v}, ${w}`);
          if (found.status !== "infeasible" && !(w <= budget + slack)) throw new Error("over the budget");
        });
      },
    ),
    { numRuns: 4000, seed: 13 },
  );
  for (const x of [null, undefined, 3, "x", {}, { offset: [] }, { offset: new Int32Array(1) }])
    t.throws(() => solver.solve(x as never, 1), { code: "HALP_FLAT" });
});
