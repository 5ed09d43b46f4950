/**
 * `npm run fuzz [-- --count N] [--seed S] [--only TARGET,...] [--out DIR]`: hands every reader inputs that were made of good
 * ones. Only a HalpError may come out, within ten seconds, and the process must stand. Inputs are numbered: the same number is the
 * same input everywhere. What failed is kept in DIR; once mended it belongs into test/fuzz/corpus/TARGET.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mutated } from "./mutate.js";
import type { Target } from "./target.js";
import { targets } from "./targets.js";

export interface Outcome {
  readonly target: string;
  readonly inputs: number;
  readonly failed: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

export interface FuzzOptions {
  /** Inputs a target. */
  readonly count: number;
  /** Number of the first input. */
  readonly seed: number;
  readonly only?: readonly string[];
  readonly failures: string;
  readonly say: (line: string) => void;
}

/** An input that is not done after so long hangs. */
const hangMs = 10_000;

export async function fuzz({ count, seed, only, failures, say }: FuzzOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const target of targets.filter((t) => only === undefined || only.includes(t.name))) {
    const start = performance.now();
    const { failed, peakBytes } = await fuzzTarget(target, seed, seed + count, failures, say);
    const seconds = (performance.now() - start) / 1000;
    outcomes.push({ target: target.name, inputs: count, failed, seconds, peakBytes });
    say(
      `${target.name.padEnd(16)} ${count} inputs, ${failed} failed, ${seconds.toFixed(0)} s, ${(peakBytes / 2 ** 20).toFixed(0)} MiB at most`,
    );
  }
  return outcomes;
}

async function fuzzTarget(target: Target, first: number, last: number, failures: string, say: (line: string) => void) {
  const seeds = await target.seeds();
  let failed = 0;
  for (let from = first; ; ) {
    const folder = mkdtempSync(join(tmpdir(), "halp-fuzz-"));
    try {
      const stuck = await runChild(target.name, from, last, folder, failures, say);
      if (stuck === undefined) {
        const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as Pick<
          Outcome,
          "failed" | "peakBytes"
        >;
        return { failed: failed + report.failed, peakBytes: report.peakBytes };
      }
      // It hung, or took the process with it: kept, and passed over.
      failed++;
      mkdirSync(failures, { recursive: true });
      writeFileSync(join(failures, `${target.name}-${stuck.number}`), mutated(seeds, stuck.number));
      say(`${target.name} ${stuck.number}: ${stuck.why}`);
      from = stuck.number + 1;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** @returns the input that hung or ended the process; undefined where all went through */
async function runChild(
  name: string,
  first: number,
  last: number,
  folder: string,
  failures: string,
  say: (line: string) => void,
): Promise<{ readonly number: number; readonly why: string } | undefined> {
  const script = fileURLToPath(new URL("./child.js", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--max-old-space-size=512", script, name, String(first), String(last), folder, failures],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NODE_OPTIONS: "" } },
  );
  let text = "";
  let error = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  child.stderr.setEncoding("utf8").on("data", (part: string) => {
    error = (error + part).slice(-500);
  });
  const current = () => {
    const path = join(folder, "progress");
    return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  };
  let seen = current();
  let since = performance.now();
  let hung = false;
  const watch = setInterval(() => {
    const now = current();
    if (now !== seen) {
      seen = now;
      since = performance.now();
    } else if (now !== "" && now !== "done" && performance.now() - since > hangMs) {
      hung = true;
      child.kill("SIGKILL");
    }
  }, 500);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearInterval(watch);
  if (text !== "") say(text.trim());
  if (code === 0) return undefined;
  const number = Number(current());
  if (!Number.isInteger(number) || current() === "") throw new Error(`the target ${name} does not begin: ${error}`);
  return {
    number,
    why: hung ? `not done after ${hangMs / 1000} s` : `the process ended with ${code}: ${error.trim()}`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: String(Math.ceil(1e6 / targets.length)) },
      seed: { type: "string", default: "1" },
      only: { type: "string" },
      out: { type: "string", default: "build/fuzz-failures" },
    },
  });
  const only = values.only?.split(",");
  for (const name of only ?? [])
    if (!targets.some((t) => t.name === name))
      throw new Error(`there is no target "${name}"; there are ${targets.map((t) => t.name).join(", ")}`);
  const outcomes = await fuzz({
    count: Number(values.count),
    seed: Number(values.seed),
    failures: values.out,
    say: (line) => console.log(line),
    ...(only ? { only } : {}),
  });
  const total = outcomes.reduce((n, o) => n + o.inputs, 0);
  const failed = outcomes.reduce((n, o) => n + o.failed, 0);
  console.log(`${total} inputs, ${failed} failed${failed > 0 ? `; they are in ${values.out}` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
}
