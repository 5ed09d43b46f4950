import type { Backend, BackendProblem } from "../backend.js";
import { classesOf, hasEmptyClass } from "../classes.js";
import { impossible } from "../limits.js";
import type { Model } from "../model.js";
import { WasmCore } from "./core.js";
import { bestBuild, compileCore, instantiateCore, type WasmBuild } from "./load.js";

/** The exact algorithms in WebAssembly. Each backend has a memory of its own. */
export function createWasmBackend(build: WasmBuild = bestBuild()): Backend {
  const core = new WasmCore(instantiateCore(compileCore(build)));
  return {
    name: "wasm",
    prepare(model: Model): BackendProblem {
      const classes = classesOf(model);
      if (hasEmptyClass(classes)) return { solve: () => impossible };
      const prepared = core.prepare(classes);
      return { solve: (budget, limits) => core.solve(prepared, budget, limits) };
    },
  };
}
