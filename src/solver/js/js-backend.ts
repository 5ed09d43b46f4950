import { HalpError } from "../../errors.js";
import type { Backend, BackendProblem } from "../backend.js";
import { classesOf } from "../classes.js";
import type { Outcome } from "../limits.js";
import type { Model } from "../model.js";
import { prepareClasses } from "./prepare.js";
import { solveClasses } from "./solve-classes.js";

/** No choice at all: some variable has every option forbidden. */
export const impossible: Outcome = {
  status: "infeasible",
  choice: null,
  value: 0,
  weight: 0,
  upperBound: 0,
  states: 0,
};

/** The exact algorithms in plain TypeScript: the reference that the WASM is checked against. */
export const jsBackend: Backend = {
  name: "js",
  prepare(model: Model): BackendProblem {
    if (model.pairs.length > 0)
      throw new HalpError(
        "HALP_SOLVER_JOINT",
        "this backend solves problems of one-variable factors only; the problem has two-variable factors",
      );
    const classes = classesOf(model);
    for (let l = 0; l < classes.count; l++)
      if (classes.offset[l] === classes.offset[l + 1]) return { solve: () => impossible };
    const prepared = prepareClasses(classes);
    return { solve: (budget, limits) => solveClasses(prepared, budget, limits) };
  },
};
