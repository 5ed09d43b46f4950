/**
 * What a run would have kept under other budgets: the problem of its last step, solved again. Runs in Node and, bundled, in
 * the page.
 */
import type { SearchRecord } from "../pipeline/search-record.js";
import { createSolver } from "../solver/solver.js";
import type { Problem, Solution, SolutionStatus } from "../solver/types.js";

/** The answer to one budget. */
export interface WhatIf {
  /** What was asked for, as nanoseconds of the whole network. */
  readonly budgetNs: number;
  readonly status: SolutionStatus;
  /** Predicted nanoseconds of the whole network. */
  readonly latencyNs: number;
  /** Share of the original's importance, 0 to 1. */
  readonly share: number;
  /** In the problem's own terms. */
  readonly solution: Solution;
  /** Channels kept, by group of the original. */
  readonly kept: ReadonlyMap<string, number>;
  /** Channels kept, by group of the network that the last step began with; in the search's order. */
  readonly counts: readonly number[];
}

export interface Frontier {
  /** Predicted nanoseconds of the whole network, rising. */
  readonly latencyNs: readonly number[];
  /** Share of the original's importance, rising. */
  readonly share: readonly number[];
  /** False where time or points ran out before the smallest latency. */
  readonly complete: boolean;
}

export interface WhatIfs {
  /** Budgets in the problem's terms, rising: a grid, and the budget that the run's own choice is the answer to. */
  readonly budgets: readonly number[];
  /** Which of {@link budgets} gives the run's choice. */
  readonly run: number;
  /** @param budget in the problem's terms */
  at(budget: number): WhatIf;
  frontier(limits: { readonly timeLimitMs: number; readonly maxPoints: number }): Frontier;
}

/** Steps of budgets, as shares of the dense latency; the finest that makes no more than so many is taken. */
const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05];
const mostBudgets = 160;
/** A frame of a page should not wait longer; the answer then says that its proof is open. */
const solveLimitMs = 250;

/** @param search of which `solution` is not null */
export function openWhatIfs(problem: Problem, search: SearchRecord, clock?: () => number): WhatIfs {
  const prepared = createSolver({ clock }).prepare(problem);
  const { latencyNs, importance, groups } = search;
  const own = search.solution?.latency ?? problem.budget ?? 0;
  const offsetNs = latencyNs.chosen - own;
  const shareOf = (value: number) => (importance.whole > 0 ? (importance.share * value) / importance.whole : 1);
  const at = (budget: number): WhatIf => {
    const solution = prepared.solve(budget, { timeLimitMs: solveLimitMs });
    const kept = new Map<string, number>();
    const counts = groups.map(({ name, options, origins }) => {
      const option = solution.choice[name] ?? options.length - 1;
      for (const { group, kept: by } of origins) kept.set(group, (kept.get(group) ?? 0) + (by[option] ?? 0));
      return options[option] ?? 0;
    });
    return {
      budgetNs: budget + offsetNs,
      status: solution.status,
      latencyNs: solution.latency + offsetNs,
      share: shareOf(solution.value),
      solution,
      kept,
      counts,
    };
  };
  // Below any choice the answer is the smallest that there is; above all of them, the most valuable.
  const least = at(-Number.MAX_SAFE_INTEGER).solution.latency;
  const most = at(Number.MAX_SAFE_INTEGER).solution.latency;
  const span = (most - least) / latencyNs.dense;
  const step = (steps.find((s) => span / s <= mostBudgets) ?? span / mostBudgets) * latencyNs.dense;
  const grid = new Set([least, own, most]);
  for (let i = Math.ceil((least + offsetNs) / step); i * step - offsetNs < most; i++) grid.add(i * step - offsetNs);
  const budgets = [...grid].sort((a, b) => a - b);
  return {
    budgets,
    run: budgets.indexOf(own),
    at,
    frontier({ timeLimitMs, maxPoints }) {
      const { latency, value, complete } = prepared.frontier({ timeLimitMs });
      // Every point that stays is one of the frontier; which do not stay no one could tell apart in a drawing.
      const stride = Math.max(1, (latency.length - 1) / (maxPoints - 1));
      const chosen = new Set<number>();
      for (let i = 0; i < latency.length - 1; i += stride) chosen.add(Math.round(i));
      if (latency.length > 0) chosen.add(latency.length - 1);
      const indices = [...chosen];
      return {
        latencyNs: indices.map((i) => (latency[i] as number) + offsetNs),
        share: indices.map((i) => shareOf(value[i] as number)),
        complete,
      };
    },
  };
}
