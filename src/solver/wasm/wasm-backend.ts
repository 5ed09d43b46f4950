import type { Backend, BackendProblem } from "../backend.js";
import { classesOf, hasEmptyClass } from "../classes.js";
import { planJoint } from "../joint/plan.js";
import { widened } from "../joint/solve-wide.js";
import { impossible } from "../limits.js";
import type { Model } from "../model.js";
import { ClassProblem } from "./class-problem.js";
import { JointProblem } from "./joint-problem.js";
import { bestBuild, compileCore, instantiateCore, type WasmBuild } from "./load.js";
import { Residence } from "./resident.js";

/** The exact algorithms in WebAssembly. Each backend has a memory of its own. */
export function createWasmBackend(build: WasmBuild = bestBuild(), memoryLimitBytes?: number): Backend {
  const residence = new Residence(instantiateCore(compileCore(build), memoryLimitBytes));
  return {
    name: "wasm",
    prepare(model: Model): BackendProblem {
      if (model.pairs.length > 0) {
        const plan = planJoint(model);
        if (plan === null) return { solve: () => impossible };
        const exact = new JointProblem(residence, plan, model);
        return plan.severed === 0 ? exact : widened(model, exact);
      }
      const classes = classesOf(model);
      return hasEmptyClass(classes) ? { solve: () => impossible } : new ClassProblem(residence, classes);
    },
  };
}
