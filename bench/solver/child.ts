import Benchmark from "benchmark";
import { type Checked, checkAnswer } from "./answer.js";
import { contenderNamed } from "./contenders/all.js";
import type { Ready, Solve } from "./contenders/contender.js";
import { type Instance, problemOf } from "./instances/suites.js";

// One contender in a process of its own: solves an instance, has the answer checked, then times it, on demand.
// Started as: child.js CONTENDER SECONDS-LIMIT

/** What the parent asks. */
export interface Ask {
  readonly instance: Instance;
  /** Seconds to spend timing; 0: only solve. */
  readonly seconds: number;
}

/** What the child answers. */
export type Told =
  | {
      readonly checked: Checked;
      /** Seconds a solve, each the mean of many (Benchmark.js); one solve by itself where it is slow. */
      readonly samples: readonly number[];
      /** Seconds of single solves: the tail. */
      readonly calls: readonly number[];
    }
  | { readonly error: string };

/** A solve that takes less, in seconds, is run again before its time counts. */
const repeatBelow = 2;
/** Solves timed one by one for the tail. */
const singleCalls = 200;

function time({ run }: Ready, once: number, seconds: number): { samples: number[]; calls: number[] } {
  // A slow solve is timed by itself: Benchmark.js would repeat it at least twice more.
  if (once * 3 > seconds) return { samples: [once], calls: [once] };
  // as long again untimed: the engine compiles what it sees run, plain JavaScript most of all
  const warm = performance.now() + seconds * 1000;
  while (performance.now() < warm) run();
  const bench = new Benchmark("solve", run, { maxTime: seconds, minSamples: 5, initCount: 1 });
  bench.run();
  if (bench.error !== undefined) throw bench.error;
  const calls: number[] = [];
  for (let left = seconds; calls.length < singleCalls && left > 0; left -= calls[calls.length - 1]!) {
    const start = performance.now();
    run();
    calls.push((performance.now() - start) / 1000);
  }
  return { samples: [...bench.stats.sample], calls };
}

/** Solves small problems for a while: the engine has compiled a contender's code before it is timed. */
function warmUp(solve: Solve, joint: boolean): void {
  const end = performance.now() + 500;
  for (let seed = 1; performance.now() < end; seed = (seed % 5) + 1) {
    const small = { suite: "hard", kind: "zig-zag", classes: 8, items: 6, range: 100, seed } as const;
    // of the middling problems, 8 and 9 have tables over two variables
    const { problem, budget } = problemOf(joint && seed > 3 ? { suite: "agree", seed: seed + 4 } : small);
    const ready = solve(problem, budget);
    ready.read(ready.run());
  }
}

async function serve(): Promise<void> {
  const contender = contenderNamed(process.argv[2]!);
  const solve = await contender.load(Number(process.argv[3]));
  const { exact } = contender;
  if (contender.unary) warmUp(solve, contender.joint);
  process.on("message", ({ instance, seconds }: Ask) => {
    let told: Told;
    try {
      const { problem, budget } = problemOf(instance);
      const ready = solve(problem, budget);
      let start = performance.now();
      const raw = ready.run();
      let once = (performance.now() - start) / 1000;
      const answered = checkAnswer(problem, budget, ready.read(raw));
      // who looks for the optimum and comes back without a proof was stopped by the limit
      const checked: Checked =
        exact && answered.status === "feasible" ? { ...answered, status: "unfinished" } : answered;
      // the first one taught the engine
      if (seconds > 0 && once < repeatBelow) {
        start = performance.now();
        ready.run();
        once = (performance.now() - start) / 1000;
      }
      told = { checked, ...(seconds > 0 ? time(ready, once, seconds) : { samples: [once], calls: [once] }) };
    } catch (error) {
      told = { error: error instanceof Error ? error.message : String(error) };
    }
    process.send!(told);
  });
  process.send!("ready");
}

// The parent decides what an interrupt means: it keeps what was measured.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
await serve();
