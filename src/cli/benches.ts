/** Devices that are named by --device, reached through the workers that --redis leads to. */
import { HalpError } from "../errors.js";
import type { Bench } from "../jobs/index.js";
import type { OptionValues } from "./options.js";

/** Open until disposed of. */
export interface Benches extends AsyncDisposable {
  /** In the order given; empty where this machine measures. */
  readonly list: readonly Bench[];
}

/** @throws HalpError HALP_OPTION_MISSING where a Redis is given but no device; what connecting refuses */
export async function openBenches({ redis, device }: OptionValues): Promise<Benches> {
  if (redis === undefined) return { list: [], [Symbol.asyncDispose]: async () => {} };
  const names = [...new Set((device ?? "").split(",").map((name) => name.trim()))].filter((name) => name !== "");
  if (names.length === 0)
    throw new HalpError(
      "HALP_OPTION_MISSING",
      "--redis leads to workers; say with --device NAME which is to measure. halp devices --redis URL lists them.",
    );
  const { benchOn, openFleet } = await import("../jobs/index.js");
  const fleet = await openFleet({ redis });
  return { list: names.map((name) => benchOn(fleet, name)), [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose]() };
}
