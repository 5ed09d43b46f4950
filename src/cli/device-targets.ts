/** The devices that a network is pruned for: what --device, --table and --budget say together. */
import { existsSync } from "node:fs";
import { HalpError } from "../errors.js";
import type { Bench } from "../jobs/index.js";
import type { Budget, DeviceTarget } from "../pipeline/types.js";
import { given } from "./given.js";
import type { OptionValues } from "./options.js";

/**
 * @param benches workers that --device names
 * @throws HalpError HALP_OPTION_VALUE where there are neither one nor as many budgets (or tables) as devices
 */
export function deviceTargets(
  { budget = [], device, table, redis }: OptionValues,
  benches: readonly Bench[],
): readonly DeviceTarget[] {
  const tables = tablesOf(table, benches);
  const count = Math.max(1, benches.length, tables.length);
  if (tables.length > 0 && tables.length !== count)
    throw new HalpError(
      "HALP_OPTION_VALUE",
      `--device names ${count} devices, and --table ${tables.length}: give a table for each, in the same order, or a name with {device} in it.`,
    );
  if (budget.length > 1 && budget.length !== count)
    throw new HalpError(
      "HALP_OPTION_VALUE",
      `There are ${budget.length} budgets for ${count === 1 ? "one device" : `${count} devices`}: give one for all, or one for each.`,
    );
  return Array.from({ length: count }, (_, i) => ({
    budget: (budget[i] ?? budget[0]) as Budget,
    ...given("bench", benches[i]),
    ...given("table", tables[i]),
    ...given("device", redis === undefined ? device : undefined),
  }));
}

function tablesOf(table: string | undefined, benches: readonly Bench[]): readonly string[] {
  if (table === undefined) return [];
  if (table.includes("{device}") && benches.length > 0)
    return benches.map(({ name }) => table.replaceAll("{device}", name));
  // a file may have a comma in its name
  return existsSync(table) ? [table] : table.split(",").map((part) => part.trim());
}

/** @throws HalpError HALP_OPTION_VALUE */
export function onlyBudget(budgets: readonly Budget[]): Budget {
  const [budget, ...more] = budgets;
  if (budget && more.length === 0) return budget;
  throw new HalpError("HALP_OPTION_VALUE", `One budget is wanted here, not ${budgets.length}.`);
}
