import { HalpError } from "../../errors.js";
import type { CoreExports } from "./exports.js";

const inMiB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Tells how much memory a core was last refused, and how much it may have. @param what such as "the problem" */
export function memoryError(core: CoreExports, what: string): HalpError {
  const wanted = core.wantedBytes() >>> 0;
  const limit = core.limitBytes() >>> 0;
  return new HalpError(
    "HALP_SOLVER_MEMORY",
    `${what} needs ${inMiB(wanted)} of memory at least, and the solver ${wanted > limit ? `may take ${inMiB(limit)}: raise memoryLimitBytes, or` : "did not get it:"} offer fewer options`,
    { exitCode: 1 },
  );
}
