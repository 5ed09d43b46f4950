/** Machines that the workers of --redis stand for: devices to measure on, and a crew to score and evaluate. */
import { HalpError } from "../errors.js";
import type { Bench, Crew } from "../jobs/index.js";
import type { OptionValues } from "./options.js";

/** Open until disposed of. */
export interface Machines extends AsyncDisposable {
  /** Those of --device, in the order given; empty where this machine measures. */
  readonly benches: readonly Bench[];
  /** With --workers. */
  readonly crew?: Crew;
}

/** @throws HalpError HALP_OPTION_MISSING where one option needs another; what connecting refuses */
export async function openMachines({ redis, device, workers = false }: OptionValues): Promise<Machines> {
  if (redis === undefined) {
    if (workers)
      throw new HalpError(
        "HALP_OPTION_MISSING",
        "--workers shares work among the workers of a Redis: say with --redis URL which.",
      );
    return { benches: [], [Symbol.asyncDispose]: async () => {} };
  }
  const names = [...new Set((device ?? "").split(",").map((name) => name.trim()))].filter((name) => name !== "");
  if (names.length === 0 && !workers)
    throw new HalpError(
      "HALP_OPTION_MISSING",
      "--redis leads to workers; say with --device NAME which is to measure, or with --workers that all are to score. halp devices --redis URL lists them.",
    );
  const { benchOn, crewOf, openFleet } = await import("../jobs/index.js");
  const fleet = await openFleet({ redis });
  const benches: Bench[] = [];
  try {
    for (const name of names) benches.push(benchOn(fleet, await fleet.find(name)));
  } catch (error) {
    await fleet[Symbol.asyncDispose]();
    throw error;
  }
  return {
    benches,
    ...(workers ? { crew: crewOf(fleet) } : {}),
    [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose](),
  };
}

/** @throws HalpError HALP_DEVICE_OPTION where one of them stands for a GPU */
export async function checkTakeModels(benches: readonly Bench[]): Promise<void> {
  const { noModels } = await import("../jobs/index.js");
  for (const { name, takesModels } of benches) if (!takesModels) throw noModels(name);
}
