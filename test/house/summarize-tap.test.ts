/** The last line of `.ci/run` tells the truth, also about files that crash and subtests that fail without an assertion. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";

const folder = t.testdir();

function summarize(tap: string, exitCode = "0"): { last: string; status: number | null; all: string } {
  const file = join(folder, "tap");
  writeFileSync(file, tap);
  const { stdout, status } = spawnSync(process.execPath, ["scripts/summarize-tap.mjs", file, "", exitCode], {
    encoding: "utf8",
  });
  return { last: stdout.trimEnd().split("\n").at(-1) ?? "", status, all: stdout };
}

const end = "# time=1ms\n";

t.test("assertions are counted, the tests that hold them are not", async (t) => {
  const tap = `TAP version 14
1..1
# Subtest: a.test.js
    # Subtest: outer
        ok 1 - one
        # Subtest: inner
            ok 1 - two
            1..1
        ok 2 - inner # time=1ms
        1..2
    ok 1 - outer # time=2ms
    ok 2 - later # SKIP no data
    1..2
ok 1 - a.test.js # time=3ms
${end}`;
  t.match(summarize(tap), { last: "2 passed, 0 failed, 1 skipped", status: 0 });
});

t.test("a failure is counted once, with its place and diagnostics", async (t) => {
  const tap = `TAP version 14
1..1
# Subtest: a.test.js
    # Subtest: outer
        not ok 1 - bad
          ---
          diff: |
            not ok 7 - only text
          ...
        ok 2 - good
        1..2
    not ok 1 - outer # time=2ms
      ---
      at: somewhere
      ...
    1..1
not ok 1 - a.test.js # time=3ms
${end}`;
  const result = summarize(tap, "1");
  t.match(result, { last: "1 passed, 1 failed", status: 1 });
  t.match(result.all, "FAILED a.test.js > outer > bad");
});

t.test("a crash counts, though no assertion failed", async (t) => {
  const crash =
    "TAP version 14\n1..1\n# Subtest: a.test.js\n    1..0 # no tests found\nnot ok 1 - a.test.js # time=1ms\n";
  t.match(summarize(crash + end, "1"), { last: "0 passed, 1 failed", status: 1 });
  const late = `TAP version 14
1..1
# Subtest: a.test.js
    ok 1 - fine
    1..1
not ok 1 - a.test.js # time=1ms
  ---
  exitCode: 3
  ...
${end}`;
  t.match(summarize(late, "1"), { last: "1 passed, 1 failed", status: 1 });
});

t.test("an exit code, a stream that breaks off and no tests at all are failures", async (t) => {
  const good = "TAP version 14\n1..1\nok 1 - fine\n";
  t.match(summarize(good + end), { last: "1 passed, 0 failed", status: 0 });
  t.match(summarize(good + end, "1"), { last: "1 passed, 1 failed", status: 1 });
  t.match(summarize(good), { last: "1 passed, 1 failed", status: 1 });
  t.match(summarize(""), { last: "0 passed, 1 failed", status: 1 });
  t.equal(summarize(`TAP version 14\n1..0\n${end}`).status, 1);
});
