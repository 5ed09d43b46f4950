import { createReadStream } from "node:fs";
import { HalpError } from "../../errors.js";
import type { Problem, Solution, SolveAsyncOptions } from "../../solver/index.js";
import type { CommandContext, CommandSpec } from "../command.js";
import type { OptionValues } from "../options.js";
import { type ReadProblem, readProblems } from "../read-problems.js";
import { interruptedExitCode } from "../render-error.js";
import type { SolverBudget } from "../values.js";

export const solveCommand: CommandSpec = {
  name: "solve",
  args: [["<PROBLEM>", "JSON file in the form halp.problem/1, one or one a line; - reads stdin"]],
  summary: "solve a knapsack problem exactly: JSON in, JSON out",
  options: [
    ...(["budgets", "frontier", "hull", "backend", "verify", "timeLimit", "gap", "maxStates", "memoryLimit"] as const),
    "lines",
  ],
  examples: [
    "halp solve problem.json",
    "halp solve problem.json --budget 1000000,800000,55% --verify",
    "halp solve problem.json --frontier",
    "halp solve - --lines < problems.jsonl > solutions.jsonl",
  ],
  run: async ([path = ""], options, context) => {
    if ((options.frontier === true || options.hull === true) && options.budgets !== undefined)
      throw new HalpError(
        "HALP_OPTION_CONFLICT",
        "A frontier covers all budgets: give --frontier or --budget, not both.",
      );
    const { io, signal } = context;
    const text = path === "-" ? io.stdin() : createReadStream(path, { encoding: "utf8", signal });
    const answer = options.frontier === true || options.hull === true ? frontierOf : solutionsOf;
    let exitCode = 0;
    try {
      for await (const read of readProblems(text, options.lines === true)) {
        const outcome = await answer(read, options, context);
        exitCode = Math.max(exitCode, outcome);
        // whoever reads the answers sets the pace
        await io.drained();
        if (signal.aborted) break;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted) return exitCode;
    context.warn("interrupted: what was found by then is printed, the rest is left");
    return interruptedExitCode;
  },
};

type Backend = NonNullable<SolveAsyncOptions["backend"]>;

/** Solves one problem for all budgets and prints that. */
async function solutionsOf(
  { problem, line }: ReadProblem,
  options: OptionValues,
  context: CommandContext,
): Promise<number> {
  const { solveAsync, verify } = await import("../../solver/index.js");
  const { io, signal } = context;
  const solutions: object[] = [];
  let exitCode = 0;
  for (const given of options.budgets ?? [problem.budget]) {
    const budget = budgetOf(problem, given);
    const solution: Solution = await solveAsync(problem, budget, {
      clock: io.clock,
      signal,
      backend: options.backend as Backend | undefined,
      timeLimitMs: options.timeLimit,
      gap: options.gap,
      maxStates: options.maxStates,
      memoryLimitBytes: options.memoryLimit,
    });
    if (options.verify === true) verify(problem, solution, budget);
    const document = {
      ...(line === undefined ? {} : { line }),
      ...solution,
      ...(budget === undefined ? {} : { budget }),
      ...(options.verify === true ? { verified: true } : {}),
    };
    if (line === undefined) solutions.push(document);
    else printLine(context, document);
    if (solution.status === "infeasible") exitCode = 3;
    if (solution.status === "unknown") exitCode = Math.max(exitCode, 1);
    if (signal.aborted) break;
  }
  const [only] = solutions;
  if (only !== undefined)
    printDocument(context, solutions.length === 1 ? only : { format: "halp.solutions/1", solutions });
  return exitCode;
}

/** Prints the frontier of one problem. */
async function frontierOf(
  { problem, line }: ReadProblem,
  options: OptionValues,
  context: CommandContext,
): Promise<number> {
  const { createSolver, verify } = await import("../../solver/index.js");
  const { io, signal } = context;
  const solver = createSolver({
    clock: io.clock,
    backend: options.backend as Backend | undefined,
    memoryLimitBytes: options.memoryLimit,
  });
  const { latency, value, complete, quantum, solution } = solver.frontier(problem, {
    hull: options.hull === true,
    ...(options.timeLimit === undefined ? {} : { timeLimitMs: options.timeLimit }),
  });
  const points: object[] = [];
  for (let i = 0; i < latency.length; i++) {
    const solved = solution(i);
    if (options.verify === true) verify(problem, solved, latency[i]!);
    points.push({ latency: latency[i], value: value[i], choice: solved.choice });
    // Each point is solved for: give way now and then, so that Ctrl-C is heard.
    if (i % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  const verified = options.verify === true ? { verified: true } : {};
  const document = { format: "halp.frontier/1", complete, quantum, ...verified, points };
  if (line === undefined) printDocument(context, document);
  else printLine(context, { line, ...document });
  return 0;
}

/** A share is one of the latency with every variable at its last option: the dense network's. */
function budgetOf(problem: Problem, given: SolverBudget | undefined): number | undefined {
  if (typeof given !== "object") return given;
  let dense = 0;
  problem.factors.forEach((factor, i) => {
    const last = factor.latency[factor.latency.length - 1]!;
    const entry = typeof last === "object" && last !== null ? last[last.length - 1]! : last;
    if (entry === null)
      throw new HalpError(
        "HALP_BUDGET",
        `--budget in percent is a share of the latency with every variable at its last option, which factors[${i}] forbids; give a latency`,
      );
    dense += entry;
  });
  return given.ratio * dense;
}

/** JSON with and without --json, which only takes the indents away. */
function printDocument({ print }: CommandContext, document: object): void {
  print(document, () => JSON.stringify(document, null, 2));
}

function printLine({ print }: CommandContext, document: object): void {
  print(document, () => JSON.stringify(document));
}
