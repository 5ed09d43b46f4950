import { readFile } from "node:fs/promises";
import { HalpError } from "../../errors.js";
import type { Problem, Solution, SolveOptions } from "../../solver/index.js";
import type { CommandSpec } from "../command.js";
import type { CliIo } from "../io.js";

export const solveCommand: CommandSpec = {
  name: "solve",
  args: [["<PROBLEM>", "JSON file in the form halp.problem/1, one or one a line; - reads stdin"]],
  summary: "solve a knapsack problem exactly: JSON in, JSON out",
  options: ["budgets", "backend", "verify", "timeLimit"],
  examples: [
    "halp solve problem.json",
    "halp solve problem.json --budget 1000000,800000,600000 --verify",
    "cat problem.json | halp solve - --json",
  ],
  run: async ([path = ""], options, { io, print }) => {
    const { createSolver, verify } = await import("../../solver/index.js");
    const problems = await readProblems(path, io);
    const solver = createSolver({
      clock: io.clock,
      ...(options.backend === undefined ? {} : { backend: options.backend as NonNullable<SolveOptions["backend"]> }),
    });
    const limits = options.timeLimit === undefined ? {} : { timeLimitMs: options.timeLimit };
    const solutions: (Solution & { budget?: number; verified?: true })[] = [];
    for (const problem of problems) {
      for (const budget of options.budgets ?? [problem.budget]) {
        const solution = solver.solve(problem, budget, limits);
        if (options.verify === true) verify(problem, solution, budget);
        solutions.push({
          ...solution,
          ...(budget === undefined ? {} : { budget }),
          ...(options.verify === true ? { verified: true } : {}),
        });
      }
    }
    const document = solutions.length === 1 ? solutions[0]! : { format: "halp.solutions/1", solutions };
    print(document, () => JSON.stringify(document, null, 2));
    if (solutions.some((s) => s.status === "infeasible")) return 3;
    return solutions.some((s) => s.status === "unknown") ? 1 : 0;
  },
};

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
