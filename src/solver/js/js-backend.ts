import type { Backend, BackendProblem } from "../backend.js";
import { classesOf, hasEmptyClass } from "../classes.js";
import { impossible } from "../limits.js";
import type { Model } from "../model.js";
import { prepareClasses } from "./prepare.js";
import { solveClasses } from "./solve-classes.js";

/** The exact algorithms in plain TypeScript: the reference that the WASM is checked against. */
export const jsBackend: Backend = {
  name: "js",
  prepare(model: Model): BackendProblem {
    const classes = classesOf(model);
    if (hasEmptyClass(classes)) return { solve: () => impossible };
    const prepared = prepareClasses(classes);
    return { solve: (budget, limits) => solveClasses(prepared, budget, limits) };
  },
};
