import t from "tap";
import { makeProgress } from "../../src/cli/progress.js";
import { formatCount, formatDims, formatDuration, formatNs, formatPercent } from "../../src/cli/quantities.js";
import { renderError } from "../../src/cli/render-error.js";
import { makeStyles, printable, visibleLength } from "../../src/cli/style.js";
import { renderTable, truncate, wrap } from "../../src/cli/table.js";
import { HalpError } from "../../src/errors.js";

/** Collects what is written. */
function sink() {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  return { write, out: () => text };
}

t.test("quantities", async (t) => {
  t.equal(formatNs(1_234_567), "1.235 ms");
  t.equal(formatNs(31_560_000), "31.56 ms");
  t.equal(formatNs(800_000), "800.0 us");
  t.equal(formatNs(12), "12 ns");
  t.equal(formatCount(1234), "1234");
  t.equal(formatCount(272_474), "272.5 k");
  t.equal(formatPercent(0.5678), "56.8 %");
  t.equal(formatDuration(75_000), "1:15");
  t.equal(formatDuration(3_675_000), "1:01:15");
  t.equal(formatDims([1, 3, "h", null]), "1x3xhx?");
});

t.test("a table fits the width by cutting flexible columns in their middle", async (t) => {
  const columns = [
    { title: "layer", flexible: true },
    { title: "kept", align: "right" as const },
  ];
  const rows = [
    ["backbone/stage1/block2/conv3/weight", "16"],
    ["a", "128"],
  ];
  const lines = renderTable(columns, rows, 24).split("\n");
  t.ok(
    lines.every((l) => l.length <= 24),
    lines.join("|"),
  );
  t.match(lines[1], /^backbone.*….*weight +16$/);
  t.equal(truncate("abcdef", 6), "abcdef");
  t.equal(truncate("abcdefg", 5), "ab…fg");
  t.equal(visibleLength(makeStyles(true).red("abc")), 3);
  t.equal(makeStyles(false).red("abc"), "abc");
});

t.test("names from the model cannot write to the terminal", async (t) => {
  t.equal(printable("a\u001b[2Jb\nc\u0007"), "a?[2Jb?c?");
});

t.test("text is wrapped at words", async (t) => {
  t.equal(wrap("aaaa bbbb cccc dddd eeee ffff", 20, "  "), "  aaaa bbbb cccc dddd\n  eeee ffff");
  t.equal(wrap("one\ntwo", 40), "one\ntwo");
});

const plain = { verbose: false, width: 80, styles: makeStyles(false), aborted: false };

t.test("errors show code, place and message, and carry their exit code", async (t) => {
  const error = new HalpError("HALP_X", "Expected a, came b. Do c.", { node: "conv1", opType: "Conv", file: "m.onnx" });
  t.strictSame(renderError(error, plain), {
    text: "error HALP_X: m.onnx node conv1 (Conv)\n  Expected a, came b. Do c.",
    exitCode: 2,
  });
  t.equal(renderError(new HalpError("HALP_X", "m", { exitCode: 3 }), plain).exitCode, 3);
  t.match(renderError(error, { ...plain, verbose: true }).text, /rendering\.test/);
});

t.test("other errors", async (t) => {
  const missing = Object.assign(new Error("no"), { code: "ENOENT", path: "a.json" });
  t.match(renderError(missing, plain), { text: /HALP_FILE_MISSING: a\.json/, exitCode: 2 });
  t.match(renderError(new TypeError("x is not a function"), plain), {
    text: /HALP_INTERNAL[\s\S]*--verbose/,
    exitCode: 1,
  });
  t.equal(renderError(new Error("anything"), { ...plain, aborted: true }).exitCode, 130);
  t.equal(renderError(AbortSignal.abort().reason, plain).exitCode, 130);
});

t.test("progress is plain lines where there is no terminal", async (t) => {
  let now = 0;
  const { out, write } = sink();
  const io = { stderr: write, clock: () => now, bars: false };
  const progress = makeProgress(io, { quiet: false });
  for (let i = 0; i <= 100; i++) {
    now += 300;
    progress.update({ phase: "measuring", done: i, total: 100 });
  }
  progress.update({ phase: "solving", done: 0, total: 0 });
  progress.say("warning w");
  progress.end();
  const lines = out().trimEnd().split("\n");
  t.equal(lines[0], "measuring 0/100");
  t.equal(lines.at(-3), "measuring 100/100");
  t.equal(lines.at(-2), "solving");
  t.ok(lines.length < 10, `${lines.length} lines`);
  t.notOk(out().includes("\r") || out().includes("\u001b"), "no control characters");
});

t.test("progress is a bar on a terminal, redrawn below what is said", async (t) => {
  let now = 0;
  const { out, write } = sink();
  const io = { stderr: write, clock: () => now, bars: true };
  const progress = makeProgress(io, { quiet: false });
  progress.update({ phase: "measuring", done: 0, total: 4 });
  now += 10_000;
  progress.update({ phase: "measuring", done: 2, total: 4, note: "conv\u001b1" });
  progress.say("hello");
  progress.end();
  t.match(out(), "[##########----------]   50 %");
  t.match(out(), "0:10 left");
  t.match(out(), "\r\u001b[2Khello\n");
  t.ok(out().endsWith("\r\u001b[2K"), "nothing is left of the bar");
  t.notMatch(out(), "conv\u001b1");
});

t.test("quiet says nothing but what must be said", async (t) => {
  const { out, write } = sink();
  const progress = makeProgress({ stderr: write, clock: () => 0, bars: true }, { quiet: true });
  progress.update({ phase: "measuring", done: 1, total: 2 });
  progress.say("warning w");
  progress.end();
  t.equal(out(), "warning w\n");
});
