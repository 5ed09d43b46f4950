/** Data on the command line: what commands that read some have in common. */
import type { DataOptions } from "../pipeline/types.js";
import { given } from "./given.js";
import type { OptionName, OptionValues } from "./options.js";

export const dataOptionNames: readonly OptionName[] = ["data", "dataKind", "labels", "limit", "mean", "std"];

/** What --data and its companions say; undefined without --data. */
export function dataOptions(options: OptionValues): DataOptions | undefined {
  if (options.data === undefined) return undefined;
  return {
    path: options.data,
    ...given("kind", options.dataKind),
    ...given("limit", options.limit),
    ...given("mean", options.mean),
    ...given("std", options.std),
    ...given("labels", options.labels),
  };
}
