import { HalpError } from "../errors.js";
import type { BackendName } from "./backend.js";
import { show } from "./show.js";

const names: readonly BackendName[] = ["wasm", "js", "dense", "paper"];

/** @throws HalpError HALP_BACKEND */
export function checkBackend(name: unknown): BackendName {
  if (names.includes(name as BackendName)) return name as BackendName;
  throw new HalpError(
    "HALP_BACKEND",
    `there is no solver backend ${show(name)}; the backends are: ${names.join(", ")}`,
  );
}
