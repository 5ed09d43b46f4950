// Runs compiled tests, each file in a Node of its own, two at a time, and beside them those of test/jobs, which wait more than they
// work; tells of each as it ends, then what failed, and ends with the line 'N passed, N failed[, N skipped]' and the exit code that
// goes with it.
// Arguments: files and folders under build/test; none: all. What each printed lies in build/test-results afterwards.
//
// tap's own runner hooks module loaders into every process and every thread that a test starts, for mocks and coverage that
// nothing here uses: with them the tests took twice as long.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { readTap } from "./read-tap.mjs";

const tests = resolve("build/test");
const results = resolve("build/test-results");
const jobs = 2;
const timeoutSeconds = 300;

/** @returns {string[]} the test files of a folder, or the file itself */
function filesOf(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(path, name))
    .sort();
}

/** @returns {Promise<{ stdout: string, stderr: string, end: string | undefined }>} `end` says how it ended, if not well */
function run(file) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--enable-source-maps", file], {
    env: { ...env, TAP: "1", TAP_TIMEOUT: String(timeoutSeconds) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr, late] = ["", "", false];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  // tap itself ends a test at its timeout; this is for one that is too busy to notice.
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, 1.1e3 * timeoutSeconds);
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      done({ stdout, stderr, end: howItEnded(code, signal, late) });
    });
  });
}

/** @returns {string | undefined} undefined where it ended well */
function howItEnded(code, signal, late) {
  if (late) return `it was not done after ${timeoutSeconds} seconds`;
  if (signal) return `it was ended by ${signal}`;
  return code === 0 ? undefined : `exit code ${code}`;
}

/** Runs one file and says what came of it. */
async function test(file) {
  const name = relative(tests, file).replace(/\.test\.js$/, "");
  const began = performance.now();
  const { stdout, stderr, end } = await run(file);
  const { passed, failed, skipped } = readTap(stdout);
  if (!/^# time=/m.test(stdout)) failed.push(`ends too early (${end ?? "exit code 0"})\n${stdout.slice(-2000)}`);
  else if (end !== undefined && failed.length === 0) failed.push(`ends with ${end}, though no assertion failed`);
  else if (passed + failed.length + skipped.length === 0) failed.push("holds no assertion");
  const out = join(results, `${name}.tap`);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, stdout + stderr.replace(/^/gm, "# "));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${failed.length > 0 ? "FAILED" : "ok    "} ${name}  ${passed} passed, ${seconds} s`);
  const errors = failed.length > 0 && stderr.trim() !== "" ? [`${name} on stderr:\n${stderr.slice(-4000)}`] : [];
  return { name, passed, failed, skipped, errors };
}

const asked = process.argv.slice(2);
const files = (asked.length > 0 ? asked.map((path) => resolve(path)) : [tests]).flatMap(filesOf);
rmSync(results, { recursive: true, force: true });
const waits = (file) => dirname(file) === join(tests, "jobs");
const [waiting, working] = [files.filter(waits), files.filter((file) => !waits(file))];
const done = [];
await Promise.all(
  [waiting, ...Array(jobs).fill(working)].map(async (queue) => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) done.push(await test(file));
  }),
);
done.sort((a, b) => (a.name < b.name ? -1 : 1));
for (const { name, failed, errors } of done) {
  for (const each of failed) console.log(`\nFAILED ${name} > ${each}`);
  for (const each of errors) console.log(`\n${each}`);
}
for (const { name, skipped } of done) for (const each of skipped) console.log(`skipped ${name} > ${each}`);
const total = (key) => done.reduce((n, one) => n + (key === "passed" ? one.passed : one[key].length), 0);
const [passed, failed, skipped] = ["passed", "failed", "skipped"].map(total);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
