import fc from "fast-check";
import t from "tap";
import {
  parseBudget,
  parseDims,
  parseFraction,
  parseInput,
  parseInteger,
  parseNumbers,
  parseTime,
} from "../../src/cli/values.js";

t.test("budgets as fractions and as times", async (t) => {
  t.strictSame(parseBudget("55%"), { kind: "ratio", ratio: 0.55 });
  t.strictSame(parseBudget("0.55"), { kind: "ratio", ratio: 0.55 });
  t.strictSame(parseBudget(" 99 % "), { kind: "ratio", ratio: 0.99 });
  t.strictSame(parseBudget("3.2ms"), { kind: "ns", ns: 3.2e6 });
  t.strictSame(parseBudget("800us"), { kind: "ns", ns: 800e3 });
  t.strictSame(parseBudget("800 µs"), { kind: "ns", ns: 800e3 });
  t.strictSame(parseBudget("2s"), { kind: "ns", ns: 2e9 });
});

t.test("budgets out of range", async (t) => {
  for (const text of ["0%", "100%", "101%", "-3ms", "0", "0ms", "-0.5", "55", "1.01", "1e300%"])
    t.throws(() => parseBudget(text), { code: "HALP_BUDGET_RANGE", exitCode: 2 }, text);
  t.match(
    catchMessage(() => parseBudget("55")),
    /55% or 55ms/,
  );
});

t.test("budgets that are none", async (t) => {
  for (const text of ["", "fast", "3 parsecs", "55%%", "1/2", "NaN", "Infinity", "0x10", "3.2.1ms"])
    t.throws(() => parseBudget(text), { code: "HALP_BUDGET_FORMAT", exitCode: 2 }, text);
});

t.test("every percentage within the range is read back", async () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 99.9, noNaN: true }), (percent) => {
      const budget = parseBudget(`${percent}%`);
      return budget.kind === "ratio" && Math.abs(budget.ratio * 100 - percent) <= percent * 1e-12;
    }),
  );
});

t.test("shapes and inputs", async (t) => {
  t.strictSame(parseDims("1x3x320x320"), [1, 3, 320, 320]);
  t.strictSame(parseDims("1,3,8"), [1, 3, 8]);
  t.strictSame(parseInput("a=b=2x2"), ["a=b", [2, 2]]);
  for (const text of ["x", "x=", "=1x3", "x=1x-3", "x=1x0", "x=1x3.5", "x=1xx3"])
    t.throws(() => parseInput(text), { code: "HALP_INPUT_FORMAT", exitCode: 2 }, text);
});

t.test("numbers", async (t) => {
  t.strictSame(parseNumbers("--mean")("0.485,0.456, 0.406"), [0.485, 0.456, 0.406]);
  t.throws(() => parseNumbers("--mean")("0.4;0.5"), { code: "HALP_OPTION_VALUE" });
  t.throws(() => parseNumbers("--mean")(""), { code: "HALP_OPTION_VALUE" });
  t.equal(parseInteger("--steps", 1, 10)("7"), 7);
  for (const text of ["0", "11", "1.5", "", "x"])
    t.throws(() => parseInteger("--steps", 1, 10)(text), { code: "HALP_OPTION_VALUE" }, text);
  t.equal(parseFraction("--tolerance")("3%"), 0.03);
  t.equal(parseFraction("--tolerance")("0.5"), 0.5);
  for (const text of ["-1%", "101%", "2", "a", "3%%"])
    t.throws(() => parseFraction("--tolerance")(text), { code: "HALP_OPTION_VALUE" }, text);
  t.equal(parseTime("--time-limit")("2s"), 2000);
  t.equal(parseTime("--time-limit")("250"), 250);
  t.throws(() => parseTime("--time-limit")("-1s"), { code: "HALP_OPTION_VALUE" });
});

function catchMessage(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}
