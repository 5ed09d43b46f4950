import { HalpError } from "../../errors.js";
import type { Limits } from "../limits.js";
import { answerEach, numbered } from "../requests.js";
import { createSolver, type Solver } from "../solver.js";
import { createFlatSolver, type FlatSolver } from "../wasm/flat-solver.js";
import type { Failure, Reply, SentLimits, Setup, Task } from "./messages.js";
import { answerPacked } from "./packing.js";
import { insideWorker } from "./threads.js";

// A worker of the pool: answers tasks one after the other. Loading it is enough.

let setup: Setup | undefined;
let solver: Solver | undefined;
let flat: FlatSolver | undefined;

function answer({ id, work, limits: sent }: Task): Reply {
  const start = performance.now();
  try {
    const { backend = "wasm", memoryLimitBytes } = setup ?? {};
    const memory = memoryLimitBytes === undefined ? {} : { memoryLimitBytes };
    const limits = limitsOf(sent);
    if (work.kind === "flat") {
      flat ??= createFlatSolver(memory);
      const into = flat;
      const answers = answerPacked(work.problems, (i, problem, budget, out) => {
        try {
          into.solveInto(problem, budget, out, limits);
        } catch (error) {
          throw error instanceof HalpError ? numbered(error, work.first + i) : error;
        }
      });
      return { id, kind: "flat", answers, elapsedMs: performance.now() - start };
    }
    solver ??= createSolver({ backend, ...memory });
    const one = solver;
    const answers = answerEach(work.requests, (r) => one.solve(r.problem, r.budget, limits), work.first);
    return { id, kind: "problems", answers, elapsedMs: performance.now() - start };
  } catch (error) {
    return { id, kind: "failure", failure: describe(error) };
  }
}

function limitsOf({ timeLimitMs, maxStates, gap, stop }: SentLimits): Limits {
  const stopped = stop === null ? undefined : (): boolean => Atomics.load(stop, 0) !== 0;
  return { timeLimitMs, maxStates, gap, stopped };
}

function describe(error: unknown): Failure {
  if (error instanceof HalpError) {
    const { code, message, exitCode, node, opType, file } = error;
    return { code, message, exitCode, node, opType, file };
  }
  const message = `a solver worker failed: ${error instanceof Error ? error.message : String(error)}`;
  return { code: "HALP_POOL", message, exitCode: 1, node: undefined, opType: undefined, file: undefined };
}

/** Answers the pool's messages, where this runs in one of its workers; elsewhere does nothing. False there. */
export async function serveSolverPool(): Promise<boolean> {
  const port = await insideWorker();
  port?.listen((message) => {
    if (setup === undefined) {
      setup = message as Setup;
      return;
    }
    const reply = answer(message as Task);
    const memory =
      reply.kind === "flat"
        ? [reply.answers.numbers, reply.answers.choices, reply.answers.spare.ints, reply.answers.spare.doubles]
        : [];
    port.post(
      reply,
      memory.map((x) => x.buffer),
    );
  });
  return port !== null;
}

void serveSolverPool();
