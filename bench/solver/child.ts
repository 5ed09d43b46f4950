import Benchmark from "benchmark";
import { contenders, type Run } from "./contenders.js";
import { type Instance, problemOf } from "./suites.js";

// One contender in a process of its own: solves an instance, then times it, on demand.

/** What the parent asks. */
export interface Ask {
  readonly instance: Instance;
  /** Seconds to spend timing; 0: only solve. */
  readonly seconds: number;
}

/** What the child answers: seconds a solve. */
export type Told = { readonly value: number; readonly samples: readonly number[] } | { readonly error: string };

const solver = await contenders[process.argv[2]!]!.load();
let last: { key: string; run: Run } | undefined;

function runOf(instance: Instance): Run {
  const key = JSON.stringify(instance);
  if (last?.key !== key) {
    const { problem, budget } = problemOf(instance);
    last = { key, run: solver(problem, budget) };
  }
  return last.run;
}

function time(run: Run, seconds: number): number[] {
  const start = performance.now();
  run();
  const once = (performance.now() - start) / 1000;
  // A slow solve is timed by itself: Benchmark.js would repeat it at least twice more.
  if (once * 3 > seconds) return [once];
  const bench = new Benchmark("solve", run, { maxTime: seconds, minSamples: 5, initCount: 1 });
  bench.run();
  return [...bench.stats.sample];
}

process.on("message", ({ instance, seconds }: Ask) => {
  let told: Told;
  try {
    const run = runOf(instance);
    told = { value: run(), samples: seconds > 0 ? time(run, seconds) : [] };
  } catch (error) {
    told = { error: error instanceof Error ? error.message : String(error) };
  }
  process.send!(told);
});
