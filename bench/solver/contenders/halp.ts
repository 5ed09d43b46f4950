import {
  type BackendName,
  createFlatSolver,
  createSolver,
  type FlatProblem,
  type FlatSolution,
  type Problem,
  type Solution,
} from "../../../src/solver/index.js";
import { buildModel } from "../../../src/solver/model.js";
import type { Answer } from "../answer.js";
import type { Contender, Solve } from "./contender.js";

/** A problem of one table per variable as typed arrays. */
export function toFlat(problem: Problem): FlatProblem {
  const offset = new Int32Array(problem.variables.length + 1);
  problem.variables.forEach((v, i) => {
    offset[i + 1] = offset[i]! + v.values.length;
  });
  const at = new Map(problem.variables.map((v, i) => [v.name, i]));
  const value = Float64Array.from(problem.variables.flatMap((v) => v.values));
  const latency = new Float64Array(value.length);
  for (const factor of problem.factors) {
    const from = offset[at.get(factor.variables[0])!]!;
    factor.latency.forEach((x, k) => {
      latency[from + k]! += x === null ? Number.NaN : (x as number);
      if (factor.value !== undefined) value[from + k]! += factor.value[k] as number;
    });
  }
  return { offset, value, latency };
}

/** A flat answer in the problem's names, as `verify` wants it. */
export function toSolution(problem: Problem, out: FlatSolution): Solution {
  const model = buildModel(problem);
  return {
    format: "halp.solution/1",
    status: out.status,
    choice: out.choice.includes(-1)
      ? {}
      : Object.fromEntries(problem.variables.map((v, i) => [v.name, out.choice[i]!])),
    value: out.value,
    latency: out.latency,
    upperBound: out.upperBound,
    gap: out.gap,
    elapsedMs: 0,
    quantum: { value: 1 / model.valueScale, latency: 1 / model.weightScale },
  };
}

export function answerOf(problem: Problem, solution: Solution): Answer {
  const { status, value } = solution;
  const some = Object.keys(solution.choice).length > 0 || problem.variables.length === 0;
  return {
    status: status === "unknown" ? "unfinished" : status,
    value,
    choice: some ? problem.variables.map((v) => solution.choice[v.name]!) : null,
    solution,
  };
}

/** Solves from the JSON form, or from a prepared problem. */
function throughProblem(backend: BackendName, prepared: boolean, limitSeconds: number): Solve {
  const solver = createSolver({ backend });
  const limits = { timeLimitMs: limitSeconds * 1000 };
  return (problem, budget) => {
    const ready = prepared ? solver.prepare(problem) : undefined;
    return {
      run: ready ? () => ready.solve(budget, limits) : () => solver.solve(problem, budget, limits),
      read: (raw) => answerOf(problem, raw as Solution),
    };
  };
}

/** Gives the first answer found: to make room for one. */
const atOnce = { timeLimitMs: 0 };

/** halp's own ways in. */
export const halpContenders = {
  halp: {
    what: "typed arrays in, one shot: copying, quantising, preparing, solving",
    unary: true,
    joint: false,
    exact: true,
    async load(limitSeconds) {
      const solver = createFlatSolver();
      const limits = { timeLimitMs: limitSeconds * 1000 };
      return (problem, budget) => {
        const flat = toFlat(problem);
        const out = solver.solve(flat, budget, atOnce);
        return {
          run: () => solver.solveInto(flat, budget, out, limits),
          read: () => answerOf(problem, toSolution(problem, out)),
        };
      };
    },
  },
  "halp-again": {
    what: "typed arrays, prepared: another budget for the problem in memory",
    unary: true,
    joint: false,
    exact: true,
    async load(limitSeconds) {
      const solver = createFlatSolver();
      const limits = { timeLimitMs: limitSeconds * 1000 };
      return (problem, budget) => {
        const out = solver.solve(toFlat(problem), budget, atOnce);
        return {
          run: () => solver.resolveInto(budget, out, limits),
          read: () => answerOf(problem, toSolution(problem, out)),
        };
      };
    },
  },
  "halp-json": {
    what: "halp.problem/1 in, one shot: checking, building, preparing, solving",
    unary: true,
    joint: true,
    exact: true,
    load: async (limit) => throughProblem("wasm", false, limit),
  },
  "halp-prepared": {
    what: "halp.problem/1 prepared, one budget",
    unary: true,
    joint: true,
    exact: true,
    load: async (limit) => throughProblem("wasm", true, limit),
  },
} satisfies Record<string, Contender>;

/** Other backends through the same API. */
export const backendContenders = {
  "js-json": {
    what: "the same algorithm in plain JavaScript, from halp.problem/1, one shot",
    unary: true,
    joint: true,
    exact: true,
    load: async (limit) => throughProblem("js", false, limit),
  },
  "js-prepared": {
    what: "the same algorithm in plain JavaScript, prepared, one budget",
    unary: true,
    joint: true,
    exact: true,
    load: async (limit) => throughProblem("js", true, limit),
  },
  paper: {
    what: "the paper's Algorithm 1 over 110,000 budget cells, in WASM with SIMD; its preparing is not counted",
    unary: true,
    joint: false,
    exact: false,
    load: async (limit) => throughProblem("paper", true, limit),
  },
  dense: {
    what: "exact dynamic program over every grid unit of latency, in WASM with SIMD; its preparing is not counted",
    unary: true,
    joint: false,
    exact: true,
    load: async (limit) => throughProblem("dense", true, limit),
  },
} satisfies Record<string, Contender>;
