import { HalpError } from "../errors.js";
import { quote, show } from "./show.js";
import type { Factor, Problem, Variable } from "./types.js";

/** More options or table entries than this in one problem are refused: they would not fit the solver's memory. */
export const maxEntries = 4_000_000;

type Json = Record<string, unknown>;

function fail(code: string, message: string, name?: string): never {
  throw new HalpError(code, message, name === undefined ? {} : { name });
}

function isObject(x: unknown): x is Json {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

function finite(x: unknown): x is number {
  return typeof x === "number" && Number.isFinite(x);
}

function parseVariable(x: unknown, i: number, seen: ReadonlyMap<string, number>): Variable {
  if (!isObject(x))
    fail("HALP_PROBLEM_VARIABLE", `variables[${i}] must be an object with name and values, not ${show(x)}`);
  const { name, values } = x;
  if (typeof name !== "string" || name === "")
    fail("HALP_PROBLEM_VARIABLE", `variables[${i}].name must be a string that is not empty, not ${show(name)}`);
  if (seen.has(name))
    fail(
      "HALP_PROBLEM_DUPLICATE",
      `variables[${i}] has the name ${quote(name)} of variables[${seen.get(name)}]; names must differ`,
      name,
    );
  if (!Array.isArray(values))
    fail(
      "HALP_PROBLEM_VARIABLE",
      `variable ${quote(name)}: values must be an array of numbers, not ${show(values)}`,
      name,
    );
  if (values.length === 0)
    fail("HALP_PROBLEM_EMPTY", `variable ${quote(name)} has no options; values needs at least one number`, name);
  for (let k = 0; k < values.length; k++)
    if (!finite(values[k]))
      fail(
        "HALP_PROBLEM_NUMBER",
        `variable ${quote(name)}: values[${k}] must be a finite number, not ${show(values[k])}`,
        name,
      );
  return { name, values: values as number[] };
}

/** Checks one row of a table: its length, and that each entry is a finite number (or null where that is allowed). */
function checkRow(row: unknown, length: number, where: string, variable: string, nullable: boolean): void {
  if (!Array.isArray(row))
    fail("HALP_PROBLEM_FACTOR", `${where} must be an array of ${length} entries, not ${show(row)}`, variable);
  if (row.length !== length)
    fail(
      "HALP_PROBLEM_RAGGED",
      `${where} has ${row.length} entries, but variable ${quote(variable)} has ${length} options`,
      variable,
    );
  for (let k = 0; k < length; k++)
    if (!finite(row[k]) && !(nullable && row[k] === null))
      fail(
        "HALP_PROBLEM_NUMBER",
        `${where}[${k}] must be a finite number${nullable ? " or null (forbidden)" : ""}, not ${show(row[k])}`,
        variable,
      );
}

function checkTable(table: unknown, over: readonly Variable[], where: string, nullable: boolean): void {
  const first = over[0]!;
  const second = over[1];
  if (second === undefined) {
    checkRow(table, first.values.length, where, first.name, nullable);
    return;
  }
  if (!Array.isArray(table))
    fail(
      "HALP_PROBLEM_FACTOR",
      `${where} must be an array of ${first.values.length} rows, not ${show(table)}`,
      first.name,
    );
  if (table.length !== first.values.length)
    fail(
      "HALP_PROBLEM_RAGGED",
      `${where} has ${table.length} rows, but variable ${quote(first.name)} has ${first.values.length} options`,
      first.name,
    );
  for (let i = 0; i < table.length; i++)
    checkRow(table[i], second.values.length, `${where}[${i}]`, second.name, nullable);
}

function parseFactor(
  x: unknown,
  i: number,
  index: ReadonlyMap<string, number>,
  variables: readonly Variable[],
  budgets: Readonly<Record<string, number>> | undefined,
): Factor {
  const where = `factors[${i}]`;
  if (!isObject(x))
    fail("HALP_PROBLEM_FACTOR", `${where} must be an object with variables and latency, not ${show(x)}`);
  const names = x.variables;
  if (!Array.isArray(names) || names.length < 1 || names.length > 2)
    fail("HALP_PROBLEM_FACTOR", `${where}.variables must name one or two variables, not ${show(names)}`);
  const over = Array.from(names, (name: unknown, k) => {
    if (typeof name !== "string")
      fail("HALP_PROBLEM_FACTOR", `${where}.variables[${k}] must be a name, not ${show(name)}`);
    const at = index.get(name);
    if (at === undefined)
      fail("HALP_PROBLEM_UNKNOWN", `${where}.variables[${k}]: there is no variable ${quote(name)}`, name);
    return variables[at]!;
  });
  if (over.length === 2 && over[0] === over[1])
    fail(
      "HALP_PROBLEM_FACTOR",
      `${where} names ${quote(over[0]!.name)} twice; two-variable factors need two variables`,
      over[0]!.name,
    );
  const { latency, value, device } = x;
  checkTable(latency, over, `${where}.latency`, true);
  if (value !== undefined) checkTable(value, over, `${where}.value`, false);
  if (device !== undefined) checkDevice(device, budgets, where);
  const factor = {
    variables: over.map((v) => v.name),
    latency,
    ...(value === undefined ? {} : { value }),
    ...(device === undefined ? {} : { device }),
  };
  return factor as unknown as Factor;
}

function checkDevice(device: unknown, budgets: Readonly<Record<string, number>> | undefined, where: string): void {
  if (typeof device === "string" && budgets !== undefined && Object.hasOwn(budgets, device)) return;
  const known = budgets === undefined ? "the problem has no budgets" : `budgets has ${Object.keys(budgets).map(quote)}`;
  fail("HALP_PROBLEM_DEVICE", `${where}.device must be one of budgets, not ${show(device)}: ${known}`);
}

/** More devices than this would take the solver forever. */
const maxDevices = 16;

function parseBudgets(budgets: unknown, hasBudget: boolean): Readonly<Record<string, number>> {
  if (hasBudget)
    fail("HALP_PROBLEM_DEVICE", "the problem has a budget and budgets: give one for all, or one for each device");
  if (!isObject(budgets))
    fail("HALP_PROBLEM_DEVICE", `budgets must be an object of devices and numbers, not ${show(budgets)}`);
  const devices = Object.entries(budgets);
  if (devices.length === 0 || devices.length > maxDevices)
    fail("HALP_PROBLEM_DEVICE", `budgets must have 1 to ${maxDevices} devices, not ${devices.length}`);
  for (const [device, budget] of devices)
    if (!finite(budget)) fail("HALP_BUDGET", `budgets[${quote(device)}] must be a finite number, not ${show(budget)}`);
  return Object.fromEntries(devices) as Record<string, number>;
}

/** Counts entries before anything is read, so that a huge problem is refused at once. */
function checkSize(variables: readonly unknown[], factors: readonly unknown[]): void {
  const length = (x: unknown): number => (Array.isArray(x) ? x.length : 0);
  let entries = variables.length + factors.length;
  if (entries <= maxEntries) {
    for (const v of variables) entries += isObject(v) ? length(v.values) : 0;
    for (const f of factors) {
      const table = isObject(f) ? f.latency : undefined;
      entries += length(table) * Math.max(1, Array.isArray(table) ? length(table[0]) : 0);
    }
  }
  if (entries > maxEntries)
    fail(
      "HALP_PROBLEM_TOO_LARGE",
      `the problem has ${entries} variables, factors, options and table entries; at most ${maxEntries} can be solved`,
    );
}

/**
 * Checks a budget.
 * @throws HalpError HALP_BUDGET
 */
export function checkBudget(budget: unknown): number {
  if (!finite(budget))
    fail(
      "HALP_BUDGET",
      `the budget must be a finite number, not ${show(budget)}; give one to solve() or in the problem's "budget"`,
    );
  return budget;
}

/**
 * Checks a problem in the form `halp.problem/1`, given as JSON text or as the object it holds. Properties the format does
 * not know are dropped. The tables are not copied.
 * @throws HalpError HALP_PROBLEM_JSON, _FORMAT, _VARIABLE, _DUPLICATE, _EMPTY, _FACTOR, _UNKNOWN, _RAGGED, _NUMBER, _TOO_LARGE,
 * and HALP_BUDGET; each message names the variable, the factor and the entry.
 */
export function parseProblem(json: unknown): Problem {
  try {
    return checkProblem(typeof json === "string" ? parseJson(json) : json);
  } catch (cause) {
    if (cause instanceof HalpError) throw cause;
    // a getter or a proxy of the caller's
    throw new HalpError("HALP_PROBLEM_FORMAT", `the problem cannot be read: ${reason(cause)}`, { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HalpError("HALP_PROBLEM_JSON", `the problem is not valid JSON: ${reason(cause)}`, { cause });
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : show(cause);
}

function checkProblem(x: unknown): Problem {
  if (!isObject(x))
    fail("HALP_PROBLEM_FORMAT", `a problem must be an object of format "halp.problem/1", not ${show(x)}`);
  const { format, unit, budget, budgets: givenBudgets, variables: givenVariables, factors: givenFactors } = x;
  if (format !== "halp.problem/1")
    fail("HALP_PROBLEM_FORMAT", `the problem's format must be "halp.problem/1", not ${show(format)}`);
  if (unit !== undefined && typeof unit !== "string")
    fail("HALP_PROBLEM_FORMAT", `the problem's unit must be a string such as "ns", not ${show(unit)}`);
  const hasBudget = budget !== undefined && budget !== null;
  if (hasBudget) checkBudget(budget);
  const budgets = givenBudgets === undefined ? undefined : parseBudgets(givenBudgets, hasBudget);
  if (!Array.isArray(givenVariables))
    fail("HALP_PROBLEM_FORMAT", `the problem's variables must be an array, not ${show(givenVariables)}`);
  if (!Array.isArray(givenFactors))
    fail("HALP_PROBLEM_FORMAT", `the problem's factors must be an array, not ${show(givenFactors)}`);
  checkSize(givenVariables, givenFactors);
  const index = new Map<string, number>();
  const variables = Array.from(givenVariables, (v: unknown, i) => {
    const variable = parseVariable(v, i, index);
    index.set(variable.name, i);
    return variable;
  });
  const factors = Array.from(givenFactors, (f: unknown, i) => parseFactor(f, i, index, variables, budgets));
  return {
    format: "halp.problem/1",
    ...(unit === undefined ? {} : { unit: unit as string }),
    ...(hasBudget ? { budget: budget as number } : {}),
    ...(budgets === undefined ? {} : { budgets }),
    variables,
    factors,
  };
}
