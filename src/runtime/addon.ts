import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The addon's exports; `native/addon.d.ts` says what each does. */
export type Addon = typeof import("../../native/addon.js");

export type LoadedAddon =
  | { readonly addon: Addon }
  /** `reason` says why it is missing and what to do; everything but thread pinning and CUDA timing works without it. */
  | { readonly addon: undefined; readonly reason: string };

const require = createRequire(import.meta.url);

/**
 * Loads the C++ addon, or tells why it cannot be loaded: it is a convenience, so nothing is thrown.
 * @param path the .node file; by default the one that `npm run build:native` leaves in build/native/
 */
export function loadAddon(
  path: string = fileURLToPath(new URL("../../native/halp_native.node", import.meta.url)),
): LoadedAddon {
  if (!existsSync(path)) {
    return {
      addon: undefined,
      reason:
        "The C++ addon is not built. Build it with 'npm run build:native' (a C++17 compiler, make and Python 3 are needed).",
    };
  }
  try {
    return { addon: require(path) as Addon };
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return {
      addon: undefined,
      reason: `The C++ addon cannot be loaded (${text.split("\n")[0]}). It may be built for another system: build it again with 'npm run build:native'.`,
    };
  }
}
