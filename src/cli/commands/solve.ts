import { readFile } from "node:fs/promises";
import { HalpError } from "../../errors.js";
import type { Problem, Solution, SolveAsyncOptions } from "../../solver/index.js";
import type { CommandContext, CommandSpec } from "../command.js";
import type { CliIo } from "../io.js";
import type { OptionValues } from "../options.js";

export const solveCommand: CommandSpec = {
  name: "solve",
  args: [["<PROBLEM>", "JSON file in the form halp.problem/1, one or one a line; - reads stdin"]],
  summary: "solve a knapsack problem exactly: JSON in, JSON out",
  options: ["budgets", "frontier", "hull", "backend", "verify", "timeLimit"],
  examples: [
    "halp solve problem.json",
    "halp solve problem.json --budget 1000000,800000,600000 --verify",
    "halp solve problem.json --frontier",
    "cat problem.json | halp solve - --json",
  ],
  run: async ([path = ""], options, context) => {
    const problems = await readProblems(path, context.io);
    return options.frontier === true || options.hull === true
      ? await printFrontiers(problems, options, context)
      : await printSolutions(problems, options, context);
  },
};

async function printSolutions(
  problems: readonly Problem[],
  options: OptionValues,
  { io, print, signal }: CommandContext,
): Promise<number> {
  const { solveAsync, verify } = await import("../../solver/index.js");
  const solutions: (Solution & { budget?: number; verified?: true })[] = [];
  for (const problem of problems) {
    for (const budget of options.budgets ?? [problem.budget]) {
      const solution = await solveAsync(problem, budget, {
        clock: io.clock,
        signal,
        ...(options.backend === undefined ? {} : { backend: options.backend as Backend }),
        ...(options.timeLimit === undefined ? {} : { timeLimitMs: options.timeLimit }),
      });
      signal.throwIfAborted();
      if (options.verify === true) verify(problem, solution, budget);
      solutions.push({
        ...solution,
        ...(budget === undefined ? {} : { budget }),
        ...(options.verify === true ? { verified: true } : {}),
      });
    }
  }
  const [only] = solutions;
  printJson(print, only && solutions.length === 1 ? only : { format: "halp.solutions/1", solutions });
  if (solutions.some((s) => s.status === "infeasible")) return 3;
  return solutions.some((s) => s.status === "unknown") ? 1 : 0;
}

async function printFrontiers(
  problems: readonly Problem[],
  options: OptionValues,
  { io, print, signal }: CommandContext,
): Promise<number> {
  if (options.budgets !== undefined)
    throw new HalpError(
      "HALP_OPTION_CONFLICT",
      "A frontier covers all budgets: give --frontier or --budget, not both.",
    );
  const { createSolver, verify } = await import("../../solver/index.js");
  const solver = createSolver({
    clock: io.clock,
    ...(options.backend === undefined ? {} : { backend: options.backend as Backend }),
  });
  const frontiers: object[] = [];
  for (const problem of problems) {
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
    frontiers.push({ format: "halp.frontier/1", complete, quantum, ...verified, points });
  }
  const [only] = frontiers;
  printJson(print, only && frontiers.length === 1 ? only : { format: "halp.frontiers/1", frontiers });
  return 0;
}

type Backend = NonNullable<SolveAsyncOptions["backend"]>;

/** JSON with and without --json, which only takes the indents away. */
function printJson(print: CommandContext["print"], document: object): void {
  print(document, () => JSON.stringify(document, null, 2));
}

/** One JSON document, or one on every line. */
async function readProblems(path: string, io: CliIo): Promise<readonly Problem[]> {
  const { parseProblem } = await import("../../solver/index.js");
  const text = path === "-" ? await io.readStdin() : await readFile(path, "utf8");
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const isStream = lines.length > 1 && isJson(lines[0]!);
  if (!isStream) return [parseProblem(text)];
  return lines.map((line, i) => {
    try {
      return parseProblem(line);
    } catch (error) {
      if (!(error instanceof HalpError)) throw error;
      throw new HalpError(error.code, `Problem ${i + 1} of the stream: ${error.message}`, { cause: error });
    }
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
