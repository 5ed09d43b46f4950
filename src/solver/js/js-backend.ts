import type { Backend, BackendProblem } from "../backend.js";
import { classesOf, hasEmptyClass } from "../classes.js";
import { hullCorners } from "../frontier.js";
import { planJoint } from "../joint/plan.js";
import { widened } from "../joint/solve-wide.js";
import { checkMemoryLimit, impossible } from "../limits.js";
import type { Model } from "../model.js";
import { prepareClasses } from "./prepare.js";
import { searchClasses, solveClasses } from "./solve-classes.js";
import { jointHull, searchJoint, solveJoint } from "./solve-joint.js";

/**
 * The exact algorithms in plain TypeScript: the reference that the WASM is checked against.
 * @throws HalpError HALP_LIMIT
 */
export function createJsBackend(memoryLimitBytes?: number): Backend {
  const memory = checkMemoryLimit(memoryLimitBytes);
  return { name: "js", prepare: (model) => prepare(model, memory) };
}

function prepare(model: Model, memory: number): BackendProblem {
  if (model.pairs.length > 0) {
    const plan = planJoint(model);
    if (plan === null) return { solve: () => impossible };
    const exact: BackendProblem = {
      solve: (budget, limits) => solveJoint(plan, model, budget, limits, memory),
      slices: (budget, limits) => searchJoint(plan, model, budget, limits, memory),
      hull: (limits) => jointHull(plan, model, limits),
    };
    return plan.severed === 0 ? exact : widened(model, exact);
  }
  const classes = classesOf(model);
  if (hasEmptyClass(classes)) return { solve: () => impossible };
  const prepared = prepareClasses(classes);
  return {
    solve: (budget, limits) => solveClasses(prepared, budget, limits, memory),
    slices: (budget, limits) => searchClasses(prepared, budget, limits, memory),
    hull: () => hullCorners(prepared.prefixWeight, prepared.prefixValue),
  };
}
