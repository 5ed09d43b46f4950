/** `npm run bench`: every bench, each in a process of its own, into one JSON and one page. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { escapeHtml } from "../src/report/render-page.js";
import { describeMachine, type Machine } from "./solver/machine.js";
import { writeWhole } from "./solver/write-results.js";

/** A bench as it was run. */
export interface BenchRun {
  readonly name: string;
  /** What is promised and measured, for the page. */
  readonly about: string;
  /** Repeats it: `npm run bench -- NAME ...`. Seeds are among the arguments, or stated in the output. */
  readonly args: readonly string[];
  readonly startedAt: string;
  readonly seconds: number;
  /** 0: done. Null: ended by a signal. */
  readonly exitCode: number | null;
  readonly output: string;
  /** Last lines of what went to stderr, where it failed. */
  readonly error: string;
}

/** `halp.bench/1`. */
export interface BenchResults {
  readonly format: "halp.bench/1";
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly quick: boolean;
  readonly runs: readonly BenchRun[];
  readonly skipped: Readonly<Record<string, string>>;
}

interface Plan {
  readonly about: string;
  readonly args: readonly string[];
  readonly quick: readonly string[];
  /** Writes files of its own where -o says. */
  readonly writes?: boolean;
}

const plans: Readonly<Record<string, Plan>> = {
  solver: {
    about: "The solver beside plain JavaScript, the paper's algorithm, HiGHS, glpk.js and others",
    args: ["--suite", "pruning,joint,measured,hard"],
    quick: ["--suite", "pruning", "--seeds", "1", "--only", "halp,js,paper,highs", "--limit", "5"],
    writes: true,
  },
  prediction: {
    about: "Networks predicted from single layers against networks measured whole",
    args: ["--seed", "1"],
    quick: ["classifier-b1", "--seed", "1", "--variants", "2", "--samples", "10"],
  },
  training: {
    about: "A step of training: forward, loss, backward and optimiser, beside PyTorch where it is installed",
    args: [],
    quick: ["resnet20", "--rounds", "2"],
  },
  fleet: {
    about: "Scoring through a queue against one process, and what that comes to with 64 workers",
    args: [],
    quick: ["--rounds", "2", "--tasks", "4"],
  },
  models: {
    about: "Networks at hand, pruned to 60 % of their latency, without data",
    args: [],
    quick: ["--only", "VGG"],
  },
  scale: {
    about: "10,000 nodes read and analysed; a network of 1 GB pruned",
    args: [],
    quick: ["--nodes-only"],
  },
};

const needsData = "needs a model and labelled data: npm run bench -- criteria MODEL --data DIR";

/** `npm run bench [-- --quick] [--only NAME,...] [-o DIR]`: see docs/bench.md. */
export async function benchAll(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      output: { type: "string", short: "o", default: "build/bench-results" },
    },
  });
  const { quick, output } = values;
  const names = values.only?.split(",") ?? Object.keys(plans);
  for (const name of names)
    if (!Object.hasOwn(plans, name))
      throw new Error(`there is no bench "${name}" here; there are ${Object.keys(plans).join(", ")}`);
  const runs: BenchRun[] = [];
  const write = () => {
    const results: BenchResults = {
      format: "halp.bench/1",
      machine,
      versions: versions(),
      quick,
      runs,
      skipped: values.only === undefined ? { criteria: needsData } : {},
    };
    writeWhole(output, "bench.json", `${JSON.stringify(results, null, 2)}\n`);
    writeWhole(output, "bench.html", renderPage(results, plotsIn(output, runs[0]?.startedAt)));
  };
  const machine = describeMachine();
  for (const name of names) {
    const { about, args, quick: few, writes } = plans[name] as Plan;
    const run = await runBench(name, about, [...(quick ? few : args)], writes ? ["-o", output] : []);
    runs.push(run);
    // After each: an interruption loses only the one at work.
    write();
  }
  console.log(`\nwritten ${join(output, "bench.json")} and ${join(output, "bench.html")}`);
  if (runs.some((r) => r.exitCode !== 0)) process.exitCode = 1;
}

async function runBench(name: string, about: string, args: string[], more: readonly string[]): Promise<BenchRun> {
  console.log(`\n${name}: ${about}\n`);
  const startedAt = new Date().toISOString();
  const start = performance.now();
  const child = spawn(process.execPath, ["build/bench/main.js", name, ...args, ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let error = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    error = (error + text).slice(-2000);
    process.stderr.write(text);
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const seconds = (performance.now() - start) / 1000;
  return { name, about, args, startedAt, seconds, exitCode, output, error: exitCode === 0 ? "" : error };
}

function versions(): Record<string, string> {
  const versionOf = (path: string) =>
    existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version : "absent";
  return {
    halp: versionOf("package.json"),
    node: process.version,
    v8: process.versions.v8,
    "onnxruntime-node": versionOf("node_modules/onnxruntime-node/package.json"),
  };
}

/** Plots that the benches drew since then. */
function plotsIn(folder: string, since = ""): ReadonlyMap<string, string> {
  const from = Date.parse(since);
  const files = readdirSync(folder).filter((f) => f.endsWith(".svg") && statSync(join(folder, f)).mtimeMs >= from);
  return new Map(files.map((f) => [f, readFileSync(join(folder, f), "utf8")]));
}

/** One page that stands alone: machine, versions, and what every bench printed. */
export function renderPage(results: BenchResults, plots: ReadonlyMap<string, string>): string {
  const { machine, runs, skipped } = results;
  const facts = [
    ["machine", `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`],
    ["system", `${machine.platform}, load ${machine.load} when it began`],
    ...Object.entries(results.versions),
    ["measured", runs[0]?.startedAt ?? "nothing"],
  ];
  const section = (run: BenchRun) => `<section><h2>${escapeHtml(run.name)}</h2>
<p>${escapeHtml(run.about)}. ${run.seconds.toFixed(0)} s${run.exitCode === 0 ? "" : `, <strong>failed with ${run.exitCode}</strong>`}.
Repeat it: <code>npm run bench -- ${escapeHtml([run.name, ...run.args].join(" "))}</code></p>
<pre tabindex="0">${escapeHtml(run.output.trim())}${run.error === "" ? "" : `\n\n${escapeHtml(run.error)}`}</pre>
${run.name === "solver" ? [...plots.values()].join("\n") : ""}</section>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>halp: benches</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
pre{overflow-x:auto;font-size:.8rem;line-height:1.35;padding:1rem;border:1px solid #8888;border-radius:6px}
th{text-align:left;padding-right:1.5rem;font-weight:600}svg{max-width:100%;height:auto;background:#fff}
</style></head><body><h1>halp: benches</h1>
<table>${facts.map(([name = "", value = ""]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`).join("")}</table>
<p>Two things that are compared took turns in one run; figures are medians, and spreads are stated where they are given.${results.quick ? " <strong>This was a quick run, with few seeds and short limits.</strong>" : ""}</p>
${runs.map(section).join("\n")}
${Object.entries(skipped)
  .map(([name, why]) => `<section><h2>${escapeHtml(name)}</h2><p>Not run: ${escapeHtml(why)}</p></section>`)
  .join("\n")}
</body></html>
`;
}
