import { HalpError } from "../../errors.js";
import { checkMemoryLimit } from "../limits.js";
import { scalarWasm, simdWasm } from "../wasm.gen.js";
import type { CoreExports } from "./exports.js";
import { type WasmModule, webAssembly } from "./webassembly.js";

export type WasmBuild = "simd" | "scalar";

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

const compiled = new Map<WasmBuild, WasmModule>();

/** The fastest build this machine can run. */
export function bestBuild(): WasmBuild {
  return webAssembly?.validate(decode(simdWasm)) === true ? "simd" : "scalar";
}

/**
 * The solver core compiled, once per thread and build.
 * @throws HalpError HALP_NO_WASM if the host has no WebAssembly
 */
export function compileCore(build: WasmBuild = bestBuild()): WasmModule {
  if (webAssembly === undefined)
    throw new HalpError("HALP_NO_WASM", 'this JavaScript engine has no WebAssembly; use the backend "js" instead', {
      exitCode: 1,
    });
  let module = compiled.get(build);
  if (module === undefined) {
    module = new webAssembly.Module(decode(build === "simd" ? simdWasm : scalarWasm));
    compiled.set(build, module);
  }
  return module;
}

/**
 * A core with a memory of its own. A search that would need more than `memoryLimitBytes` ends with the best it has.
 * @throws HalpError HALP_LIMIT
 */
export function instantiateCore(module: WasmModule, memoryLimitBytes?: number): CoreExports {
  const limit = checkMemoryLimit(memoryLimitBytes);
  const core = new webAssembly!.Instance(module, {}).exports as CoreExports;
  core.setLimit(Math.min(limit, 2 ** 32 - 2 ** 16));
  return core;
}
