import { classesOf } from "../../../src/solver/classes.js";
import { parseProblem, verify } from "../../../src/solver/index.js";
import { watch } from "../../../src/solver/limits.js";
import { buildModel } from "../../../src/solver/model.js";
import { toSolution } from "../../../src/solver/solution.js";
import { ClassProblem } from "../../../src/solver/wasm/class-problem.js";
import { compileCore, instantiateCore } from "../../../src/solver/wasm/load.js";
import { Residence } from "../../../src/solver/wasm/resident.js";
import { hardProblem } from "../instances/pisinger.js";
import type { Tell } from "./tell.js";

export interface HardRun {
  readonly seed: number;
  /** Seconds allowed, and taken, preparing included. */
  readonly limitSeconds: number;
  readonly seconds: number;
  readonly status: string;
  readonly gap: number;
  /** What the core's memory had grown to. */
  readonly memoryBytes: number;
}

/** Milliseconds kept back from a limit: the clock is only looked at between slices. */
const reserveMs = 60;

/** Strongly correlated 1000 x 100 under time limits, each in a core of its own of at most `memoryBytes`. */
export async function stronglyCorrelated(
  argument: { seeds: number; range: number; limitsSeconds: readonly number[]; memoryBytes: number },
  tell: Tell<HardRun[]>,
): Promise<HardRun[]> {
  const runs: HardRun[] = [];
  const clock = (): number => performance.now();
  const solve = (seed: number, classes: number, limitSeconds: number): HardRun => {
    const problem = hardProblem("strong", classes, 100, argument.range, seed);
    const start = clock();
    const model = buildModel(parseProblem(problem));
    const core = instantiateCore(compileCore(), argument.memoryBytes);
    const prepared = new ClassProblem(new Residence(core), classesOf(model));
    const timeLimitMs = Math.max(0, limitSeconds * 1000 - reserveMs - (clock() - start));
    const outcome = prepared.solve(problem.budget!, watch({ timeLimitMs }, clock));
    const solution = toSolution(model, outcome, clock() - start);
    verify(problem, solution);
    const { status, gap, elapsedMs } = solution;
    return {
      seed,
      limitSeconds,
      seconds: elapsedMs / 1000,
      status,
      gap,
      memoryBytes: core.memory.buffer.byteLength,
    };
  };
  // the engine compiles the core while it runs: not at the measured problem's cost
  solve(1, 100, 0.5);
  for (let seed = 1; seed <= argument.seeds; seed++)
    for (const limitSeconds of argument.limitsSeconds) {
      runs.push(solve(seed, 1000, limitSeconds));
      tell(runs, `seed ${seed}, ${limitSeconds} s`);
    }
  return runs;
}
