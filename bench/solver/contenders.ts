import type { Highs } from "highs";
import { createFlatSolver, createSolver, type FlatProblem, type Problem } from "../../src/solver/index.js";
import { linearise, toLpText } from "./linear-program.js";

/** Solves one instance, from input in the contender's own form; gives the value found. */
export type Run = () => number;

/** A solver to be timed. Making the input is not timed; everything a caller pays per solve is. */
export interface Contender {
  /** What it can do: one-variable problems, two-variable problems. */
  readonly unary: boolean;
  readonly joint: boolean;
  /** Not an exact solver: its value may be below the optimum. */
  readonly heuristic?: boolean;
  /** Seconds a solve may take at the sizes of real networks: such contenders run on few instances only. */
  readonly slow?: boolean;
  load(): Promise<(problem: Problem, budget: number) => Run>;
}

export function toFlat(problem: Problem): FlatProblem {
  const offset = new Int32Array(problem.variables.length + 1);
  problem.variables.forEach((v, i) => {
    offset[i + 1] = offset[i]! + v.values.length;
  });
  return {
    offset,
    value: Float64Array.from(problem.variables.flatMap((v) => v.values)),
    latency: Float64Array.from(problem.factors.flatMap((f) => f.latency as number[])),
  };
}

async function prepared(backend: "js" | "wasm"): Promise<(problem: Problem, budget: number) => Run> {
  const solver = createSolver({ backend });
  return (problem, budget) => {
    const ready = solver.prepare(problem);
    return () => ready.solve(budget).value;
  };
}

/** Names and solvers; `halp` comes first: the others are compared with it. */
export const contenders: Readonly<Record<string, Contender>> = {
  halp: {
    unary: true,
    joint: false,
    async load() {
      const solver = createFlatSolver();
      return (problem, budget) => {
        const flat = toFlat(problem);
        const out = solver.solve(flat, budget);
        return () => {
          solver.solveInto(flat, budget, out);
          return out.value;
        };
      };
    },
  },
  "halp-json": {
    unary: true,
    joint: true,
    async load() {
      const solver = createSolver();
      return (problem, budget) => () => solver.solve(problem, budget).value;
    },
  },
  "halp-prepared": { unary: true, joint: true, load: () => prepared("wasm") },
  "js-prepared": { unary: true, joint: true, load: () => prepared("js") },
  "js-json": {
    unary: true,
    joint: false,
    async load() {
      const solver = createSolver({ backend: "js" });
      return (problem, budget) => () => solver.solve(problem, budget).value;
    },
  },
  paper: {
    unary: true,
    joint: false,
    heuristic: true,
    async load() {
      const solver = createSolver({ backend: "paper" });
      return (problem, budget) => {
        const ready = solver.prepare(problem);
        return () => ready.solve(budget).value;
      };
    },
  },
  highs: {
    unary: true,
    joint: true,
    slow: true,
    async load() {
      // its types describe an ES module's default as a CommonJS one's
      const { default: create } = (await import("highs")) as unknown as { default: () => Promise<Highs> };
      const highs = await create();
      return (problem, budget) => {
        const text = toLpText(linearise(problem), budget);
        return () => highs.solve(text, { mip_rel_gap: 0, mip_abs_gap: 0, time_limit: 60 }).ObjectiveValue;
      };
    },
  },
  glpk: {
    unary: true,
    joint: false,
    slow: true,
    async load() {
      const { default: create } = await import("glpk.js/node");
      const glpk = await create();
      return (problem, budget) => {
        const program = linearise(problem);
        const name = (x: number): string => `x${x}`;
        const model = {
          name: "halp",
          objective: {
            direction: glpk.GLP_MAX,
            name: "value",
            vars: program.objective.map((coef, x) => ({ name: name(x), coef })),
          },
          subjectTo: [
            ...program.equal.map(({ terms, right }, i) => ({
              name: `c${i}`,
              vars: terms.map(([x, coef]) => ({ name: name(x), coef })),
              bnds: { type: glpk.GLP_FX, ub: right, lb: right },
            })),
            {
              name: "budget",
              vars: program.latency.map((coef, x) => ({ name: name(x), coef })),
              bnds: { type: glpk.GLP_UP, ub: budget, lb: 0 },
            },
          ],
          binaries: program.binary.flatMap((whole, x) => (whole ? [name(x)] : [])),
        };
        return () => glpk.solve(model, { msglev: glpk.GLP_MSG_OFF, presol: true, mipgap: 0, tmlim: 60 }).result.z;
      };
    },
  },
  yalps: {
    unary: true,
    joint: false,
    slow: true,
    async load() {
      const { solve } = await import("yalps");
      return (problem, budget) => {
        const model = rowsByName(problem, budget);
        return () => solve(model, { tolerance: 0, timeout: 60_000, maxIterations: 1e9 }).result;
      };
    },
  },
  "javascript-lp-solver": {
    unary: true,
    joint: false,
    slow: true,
    async load() {
      const { default: solver } = (await import("javascript-lp-solver")) as unknown as {
        default: { Solve(model: object): { result: number } };
      };
      return (problem, budget) => {
        const { direction, objective, constraints, variables, binaries } = rowsByName(problem, budget);
        const model = { optimize: objective, opType: direction.slice(0, 3), constraints, variables, binaries };
        const ones = Object.fromEntries([...binaries].map((name) => [name, 1]));
        return () => solver.Solve({ ...structuredClone(model), binaries: ones, options: { timeout: 60_000 } }).result;
      };
    },
  },
};

function rowsByName(problem: Problem, budget: number) {
  const program = linearise(problem);
  const variables: Record<string, Record<string, number>> = {};
  program.objective.forEach((value, x) => {
    variables[`x${x}`] = { value, latency: program.latency[x]! };
  });
  const constraints: Record<string, { max: number } | { equal: number }> = { latency: { max: budget } };
  program.equal.forEach(({ terms, right }, i) => {
    constraints[`c${i}`] = { equal: right };
    for (const [x, c] of terms) variables[`x${x}`]![`c${i}`] = c;
  });
  const binaries = new Set(program.binary.flatMap((whole, x) => (whole ? [`x${x}`] : [])));
  return { direction: "maximize" as const, objective: "value", constraints, variables, binaries };
}
