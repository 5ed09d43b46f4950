/** The last line of a test run tells the truth, also about files that crash and subtests that fail without an assertion. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";

/** A place of its own, so that its results do not take the place of those of the run that this is part of. */
const place = t.testdir();
mkdirSync(join(place, "build/test/room"), { recursive: true });
cpSync("scripts", join(place, "scripts"), { recursive: true });

/** @param tests what the files of tests do, or print before they end with exit code 0 or as given */
function runTests(tests: readonly (readonly [printed: string, code?: number] | { readonly script: string })[]) {
  const folder = join(place, "build/test/room");
  const files = tests.map((test, i) => {
    const file = join(folder, `t${i}.test.js`);
    const script =
      "script" in test
        ? test.script
        : `process.stdout.write(${JSON.stringify(test[0])}); process.exitCode = ${test[1] ?? 0};`;
    writeFileSync(file, script);
    return file;
  });
  const { stdout, status } = spawnSync(process.execPath, ["scripts/run-tests.mjs", ...files], {
    cwd: place,
    encoding: "utf8",
  });
  return { last: stdout.trimEnd().split("\n").at(-1) ?? "", status, all: stdout };
}

const end = "# time=1ms\n";

t.test("assertions are counted, the tests that hold them are not", async (t) => {
  const tap = `TAP version 14
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
${end}`;
  t.match(runTests([[tap], [tap]]), { last: "4 passed, 0 failed, 2 skipped", status: 0 });
});

t.test("a test that holds no assertion, such as that of a law, counts as one", async (t) => {
  const tap = `TAP version 14
# Subtest: a law
    1..0
ok 1 - a law # time=2ms
# Subtest: outer
    # Subtest: inner
        1..0
    ok 1 - inner # time=1ms
    1..1
ok 2 - outer # time=1ms
1..2
${end}`;
  t.match(runTests([[tap]]), { last: "2 passed, 0 failed", status: 0 });
});

t.test("a failure is counted once, with its place and diagnostics", async (t) => {
  const tap = `TAP version 14
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
${end}`;
  const result = runTests([[tap, 1]]);
  t.match(result, { last: "1 passed, 1 failed", status: 1 });
  t.match(result.all, "FAILED room/t0 > outer > bad");
  t.match(result.all, "not ok 7 - only text");
});

const good = "TAP version 14\nok 1 - fine\n1..1\n";

t.test("a crash counts, though no assertion failed, and others are run all the same", async (t) => {
  const crash = { script: "console.error('what it said'); throw new Error('broken');" };
  const result = runTests([crash, [good + end]]);
  t.match(result, { last: "1 passed, 1 failed", status: 1 });
  t.match(result.all, /FAILED room\/t0 > ends too early \(exit code 1\)[\s\S]*what it said/);
  t.match(runTests([[good + end, 3]]), { last: "1 passed, 1 failed", status: 1, all: /ends with exit code 3/ });
  t.match(runTests([{ script: "process.kill(process.pid, 'SIGKILL')" }]), {
    last: "0 passed, 1 failed",
    all: /SIGKILL/,
  });
});

t.test("a plan that is not met, a stream that breaks off and no tests at all are failures", async (t) => {
  t.match(runTests([[good + end]]), { last: "1 passed, 0 failed", status: 0 });
  t.match(runTests([[good]]), { last: "1 passed, 1 failed", status: 1 });
  t.match(runTests([[""]]), { last: "0 passed, 1 failed", status: 1 });
  t.match(runTests([[`TAP version 14\n1..0\n${end}`]]), { last: "0 passed, 1 failed", status: 1 });
  const planned = { script: `import t from ${JSON.stringify(import.meta.resolve("tap"))}; t.plan(2); t.pass("one");` };
  writeFileSync(join(place, "package.json"), '{"type": "module"}');
  t.match(runTests([planned]), { last: "1 passed, 1 failed", status: 1 });
});
