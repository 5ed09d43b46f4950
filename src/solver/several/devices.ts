import type { Plan } from "../joint/plan.js";
import { buildModel, latencyScale, type Model } from "../model.js";
import { budgetToGrid } from "../quantise.js";
import type { Factor, Problem } from "../types.js";

/** A problem of several devices as numbers: one model each, of the same variables, values, pairs and forbidden entries. */
export interface Devices {
  readonly names: readonly string[];
  readonly models: readonly Model[];
  /** In grid numbers; all models have one grid. */
  readonly budgets: readonly number[];
}

/** @throws HalpError HALP_PROBLEM_NUMBER if sums may overflow */
export function buildDevices(problem: Problem): Devices {
  const entries = Object.entries(problem.budgets!);
  const scale = latencyScale(problem);
  const models = entries.map(([device]) => buildModel({ ...problem, factors: factorsOf(problem, device) }, scale));
  return {
    names: entries.map(([device]) => device),
    models,
    budgets: entries.map(([, budget], d) => budgetToGrid(budget, scale, models[d]!.terms)),
  };
}

/** The factors as one device sees them: another's take nothing, but their values count and what they forbid is forbidden. */
function factorsOf({ factors }: Problem, device: string): Factor[] {
  const none = (x: number | null): number | null => (x === null ? null : 0);
  return factors.map((f) => {
    if (f.device === undefined || f.device === device) return f;
    const latency = (f.latency as readonly unknown[]).map((row) =>
      Array.isArray(row) ? row.map(none) : none(row as number | null),
    );
    return { ...f, latency } as unknown as Factor;
  });
}

/** Weights and budgets of all devices, each times its multiplier, as those of one. */
export interface Combined {
  readonly model: Model;
  readonly budget: number;
}

/** Grid numbers that a combined total may come to. */
const combinedTotal = 2 ** 40;

/**
 * A relaxation: whatever is within every budget is within the combined one (Glover 1968: a surrogate constraint). Weights are
 * rounded down.
 * @param multipliers zero or more, not all zero
 */
export function combineModels({ models, budgets }: Devices, multipliers: readonly number[]): Combined {
  const [first] = models as [Model];
  const total = models.reduce((sum, { weightTotal }, d) => sum + multipliers[d]! * weightTotal, 0);
  const scale = total > 0 ? combinedTotal / total : 1;
  const sum = (tables: readonly Float64Array[]): Float64Array => {
    const out = new Float64Array(tables[0]!.length);
    for (let d = 0; d < tables.length; d++) {
      const m = multipliers[d]! * scale;
      const table = tables[d]!;
      for (let i = 0; i < out.length; i++) out[i]! += m * table[i]!;
    }
    for (let i = 0; i < out.length; i++) out[i] = Math.floor(out[i]!);
    return out;
  };
  // what rounding in the products above may add to each term
  const rounding = first.terms * models.length * 2 ** -12;
  const budget = Math.floor(budgets.reduce((b, x, d) => b + multipliers[d]! * scale * x, 0) + 1 + rounding);
  return {
    model: {
      ...first,
      weights: first.weights.map((_, i) => sum(models.map((m) => m.weights[i]!))),
      pairs: first.pairs.map((pair, i) => ({ ...pair, weight: sum(models.map((m) => m.pairs[i]!.weight)) })),
      weightScale: 1,
      weightTotal: combinedTotal + first.terms,
    },
    budget,
  };
}

/** The plans of all devices (of one order) as one, each weight times its device's multiplier, in doubles. */
export function combinePlans(plans: readonly Plan[], multipliers: readonly number[]): Plan {
  const [first] = plans as [Plan];
  const sum = (tables: readonly Float64Array[]): Float64Array =>
    tables[0]!.map((_, i) => tables.reduce((w, table, d) => w + multipliers[d]! * table[i]!, 0));
  return {
    ...first,
    steps: first.steps.map((step, k) => ({
      ...step,
      weight: sum(plans.map((p) => p.steps[k]!.weight)),
      edges: step.edges.map((edge, e) => ({ ...edge, weight: sum(plans.map((p) => p.steps[k]!.edges[e]!.weight)) })),
    })),
  };
}
