import type { Highs } from "highs";
import type { Problem } from "../../../src/solver/index.js";
import type { Answer } from "../answer.js";
import { type LinearProgram, linearise, toLpText } from "../linear-program.js";
import type { Contender } from "./contender.js";

// General integer-programming packages from npm, each fed in its own form. Their answers are read as choices, because the
// objectives they state are rounded.

/** The option of each variable from the columns that are 1; null where some variable has none. */
function choiceOf(problem: Problem, taken: (column: number) => number): number[] | null {
  let column = 0;
  const choice: number[] = [];
  for (const { values } of problem.variables) {
    let best = 0;
    for (let k = 1; k < values.length; k++) if (taken(column + k) > taken(column + best)) best = k;
    if (!(taken(column + best) > 0.5)) return null;
    choice.push(best);
    column += values.length;
  }
  return choice;
}

/** Rows and columns by name, as yalps and javascript-lp-solver want them. */
function rowsByName(program: LinearProgram, budget: number) {
  const variables: Record<string, Record<string, number>> = {};
  program.objective.forEach((value, x) => {
    variables[`x${x}`] = { value, latency: program.latency[x]! };
  });
  const constraints: Record<string, { max: number } | { equal: number }> = { latency: { max: budget } };
  program.equal.forEach(({ terms, right }, i) => {
    constraints[`c${i}`] = { equal: right };
    for (const [x, c] of terms) variables[`x${x}`]![`c${i}`] = c;
  });
  const binaries = program.binary.flatMap((whole, x) => (whole ? [`x${x}`] : []));
  return { variables, constraints, binaries };
}

const highs: Contender = {
  what: "npm highs, relative and absolute gap 0, from LP text",
  unary: true,
  joint: true,
  exact: true,
  pace: "slow",
  async load(limitSeconds) {
    // its types describe an ES module's default as a CommonJS one's
    const { default: create } = (await import("highs")) as unknown as { default: () => Promise<Highs> };
    const solver = await create();
    const options = { mip_rel_gap: 0, mip_abs_gap: 0, time_limit: limitSeconds };
    return (problem, budget) => {
      const text = toLpText(linearise(problem), budget);
      return {
        run: () => solver.solve(text, options),
        read(raw): Answer {
          const { Status, Columns, ObjectiveValue } = raw as ReturnType<Highs["solve"]>;
          if (Status === "Infeasible") return { status: "infeasible", value: Number.NaN, choice: null };
          const columns = Columns as Record<string, { Primal?: number } | undefined>;
          const choice = choiceOf(problem, (x) => columns[`x${x}`]?.Primal ?? 0);
          return { status: Status === "Optimal" ? "optimal" : "unfinished", value: ObjectiveValue, choice };
        },
      };
    };
  },
};

const glpk: Contender = {
  what: "npm glpk.js, gap 0, presolve",
  unary: true,
  joint: true,
  exact: true,
  pace: "slow",
  async load(limitSeconds) {
    const { default: create } = await import("glpk.js/node");
    const solver = await create();
    const name = (x: number): string => `x${x}`;
    return (problem, budget) => {
      const program = linearise(problem);
      const model = {
        name: "halp",
        objective: {
          direction: solver.GLP_MAX,
          name: "value",
          vars: program.objective.map((coef, x) => ({ name: name(x), coef })),
        },
        subjectTo: [
          ...program.equal.map(({ terms, right }, i) => ({
            name: `c${i}`,
            vars: terms.map(([x, coef]) => ({ name: name(x), coef })),
            bnds: { type: solver.GLP_FX, ub: right, lb: right },
          })),
          {
            name: "budget",
            vars: program.latency.map((coef, x) => ({ name: name(x), coef })),
            bnds: { type: solver.GLP_UP, ub: budget, lb: 0 },
          },
        ],
        binaries: program.binary.flatMap((whole, x) => (whole ? [name(x)] : [])),
      };
      const options = { msglev: solver.GLP_MSG_OFF, presol: true, mipgap: 0, tmlim: Math.ceil(limitSeconds) };
      return {
        run: () => solver.solve(model, options),
        read(raw): Answer {
          const { status, z, vars } = (raw as ReturnType<typeof solver.solve>).result;
          // with its presolver GLPK leaves an infeasible problem's status undefined
          if (status === solver.GLP_NOFEAS || status === solver.GLP_INFEAS)
            return { status: "infeasible", value: Number.NaN, choice: null };
          const choice = choiceOf(problem, (x) => vars[name(x)] ?? 0);
          return { status: status === solver.GLP_OPT ? "optimal" : "unfinished", value: z, choice };
        },
      };
    };
  },
};

const yalps: Contender = {
  what: "npm yalps, tolerance 0",
  unary: true,
  joint: false,
  exact: true,
  pace: "crawling",
  async load(limitSeconds) {
    const { solve } = await import("yalps");
    // its own limit of 8,192 pivots takes the larger problems for cycling
    const options = { timeout: limitSeconds * 1000, maxIterations: 1e9, maxPivots: Number.POSITIVE_INFINITY };
    return (problem, budget) => {
      const { variables, constraints, binaries } = rowsByName(linearise(problem), budget);
      const model = {
        direction: "maximize" as const,
        objective: "value",
        constraints,
        variables,
        binaries: new Set(binaries),
      };
      return {
        run: () => solve(model, options),
        read(raw): Answer {
          const { status, result, variables: taken } = raw as ReturnType<typeof solve>;
          if (status === "infeasible") return { status, value: Number.NaN, choice: null };
          const columns = new Map(taken as [string, number][]);
          const choice = choiceOf(problem, (x) => columns.get(`x${x}`) ?? 0);
          return { status: status === "optimal" ? "optimal" : "unfinished", value: result, choice };
        },
      };
    };
  },
};

interface LpSolver {
  Solve(model: object): { feasible: boolean; result: number; isIntegral?: boolean } & Record<string, number | boolean>;
}

const javascriptLpSolver: Contender = {
  what: "npm javascript-lp-solver, tolerance 0",
  unary: true,
  joint: false,
  exact: true,
  pace: "crawling",
  mostOptions: 10_000,
  async load(limitSeconds) {
    const { default: solver } = (await import("javascript-lp-solver")) as unknown as { default: LpSolver };
    return (problem, budget) => {
      const { variables, constraints, binaries } = rowsByName(linearise(problem), budget);
      const model = {
        optimize: "value",
        opType: "max",
        constraints,
        variables,
        binaries: Object.fromEntries(binaries.map((x) => [x, 1])),
        options: { timeout: limitSeconds * 1000, tolerance: 0 },
      };
      let seconds = 0;
      return {
        run() {
          // it writes into the model it is given
          const own = structuredClone(model);
          const start = performance.now();
          const result = solver.Solve(own);
          seconds = (performance.now() - start) / 1000;
          return result;
        },
        read(raw): Answer {
          const result = raw as ReturnType<LpSolver["Solve"]>;
          const choice = choiceOf(problem, (x) => Number(result[`x${x}`] ?? 0));
          // after its time limit it gives what it has, and does not say so
          const late = seconds >= limitSeconds;
          if (!result.feasible) return { status: late ? "unfinished" : "infeasible", value: Number.NaN, choice: null };
          return { status: late ? "unfinished" : "optimal", value: result.result, choice };
        },
      };
    };
  },
};

export const integerPrograms = { highs, glpk, yalps, "javascript-lp-solver": javascriptLpSolver } as const;
