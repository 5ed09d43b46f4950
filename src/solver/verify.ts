import { HalpError } from "../errors.js";
import { checkBudget, parseProblem } from "./parse-problem.js";
import { quote, show } from "./show.js";
import type { Problem, Solution } from "./types.js";

/** A choice scored again from the problem's own tables. */
export interface Verification {
  readonly value: number;
  /** Of several devices, that of the first of `budgets`. */
  readonly latency: number;
  /** Only with several devices: the latency on each. */
  readonly latencies?: Readonly<Record<string, number>>;
}

function scaleOf(problem: Problem, which: "latency" | "value"): number {
  let total = 0;
  const largest = (x: unknown): number =>
    Array.isArray(x) ? x.reduce((m: number, y) => Math.max(m, largest(y)), 0) : Math.abs((x as number | null) ?? 0);
  for (const factor of problem.factors) total += largest(factor[which] ?? 0);
  if (which === "value") for (const variable of problem.variables) total += largest(variable.values);
  return total;
}

/**
 * Scores a choice straight from the problem: no code shared with any solver.
 * @throws HalpError as parseProblem; HALP_VERIFY_CHOICE if an option is missing, out of range or forbidden
 */
export function scoreChoice(problem: Problem, choice: Readonly<Record<string, number>>): Verification {
  if (typeof choice !== "object" || choice === null)
    throw new HalpError("HALP_VERIFY_CHOICE", `a choice must be an object of names and options, not ${show(choice)}`, {
      exitCode: 1,
    });
  return score(parseProblem(problem), choice);
}

function score(problem: Problem, choice: Readonly<Record<string, number>>): Verification {
  const options = new Map<string, number>();
  let value = 0;
  for (const { name, values } of problem.variables) {
    const option = Object.hasOwn(choice, name) ? choice[name] : undefined;
    if (option === undefined || !Number.isInteger(option) || option < 0 || option >= values.length)
      throw new HalpError(
        "HALP_VERIFY_CHOICE",
        `the choice for variable ${quote(name)} must be an option from 0 to ${values.length - 1}, not ${show(option)}`,
        { name, exitCode: 1 },
      );
    options.set(name, option);
    value += values[option]!;
  }
  let latency = 0;
  const latencies = new Map(Object.keys(problem.budgets ?? {}).map((device) => [device, 0]));
  problem.factors.forEach((factor, at) => {
    const [first, second] = factor.variables.map((name) => options.get(name)!);
    const pick = (table: readonly unknown[]): unknown =>
      second === undefined ? table[first!] : (table[first!] as readonly unknown[])[second];
    const entry = pick(factor.latency);
    if (typeof entry !== "number")
      throw new HalpError(
        "HALP_VERIFY_CHOICE",
        `the choice takes a forbidden entry: factors[${at}] over ${factor.variables.map(quote).join(" and ")} at ${first}${second === undefined ? "" : `, ${second}`}`,
        { name: factor.variables[0], exitCode: 1 },
      );
    latency += entry;
    for (const [device, sum] of latencies) if ((factor.device ?? device) === device) latencies.set(device, sum + entry);
    if (factor.value !== undefined) value += pick(factor.value) as number;
  });
  if (latencies.size === 0) return { value, latency };
  const [first] = latencies.values();
  return { value, latency: first as number, latencies: Object.fromEntries(latencies) };
}

/**
 * Checks a solution against its problem by independent code: every option legal, value and latency as stated, latency
 * within the budget, bound and gap consistent. It does not prove optimality.
 * @param budget the budget the solution was made for; default the problem's own
 * @returns the choice's score
 * @throws HalpError as parseProblem; HALP_BUDGET, HALP_VERIFY_FORMAT, HALP_VERIFY_CHOICE, HALP_VERIFY_VALUE, HALP_VERIFY_LATENCY, HALP_VERIFY_BUDGET, HALP_VERIFY_BOUND
 */
export function verify(problem: Problem, solution: Solution, budget?: number): Verification {
  const checked = parseProblem(problem);
  if (budget !== undefined) checkBudget(budget);
  checkForm(solution);
  return verifyChecked(checked, solution, budget ?? checked.budget);
}

const statuses: readonly unknown[] = ["optimal", "feasible", "infeasible", "unknown"];

function checkForm(solution: unknown): void {
  const { format, status, choice, quantum } = (solution ?? {}) as Partial<Record<keyof Solution, unknown>>;
  const isObject = (x: unknown): boolean => typeof x === "object" && x !== null;
  if (format === "halp.solution/1" && statuses.includes(status) && isObject(choice) && isObject(quantum)) return;
  throw new HalpError(
    "HALP_VERIFY_FORMAT",
    `a solution must be an object of format "halp.solution/1" with status, choice and quantum; this has format ${show(format)}, status ${show(status)}, choice ${show(choice)}, quantum ${show(quantum)}`,
    { exitCode: 1 },
  );
}

function verifyChecked(problem: Problem, solution: Solution, budget: number | undefined): Verification {
  const none = Object.keys(solution.choice).length === 0 && problem.variables.length > 0;
  if (none && (solution.status === "unknown" || solution.status === "infeasible")) return { value: 0, latency: 0 };
  const scored = score(problem, solution.choice);
  const terms = problem.factors.length + problem.variables.length;
  // Sums of integers are exact. On a decimal grid only the sums of doubles here round; on a binary grid each entry was
  // rounded by up to half a quantum as well.
  const slack = (which: "value" | "latency"): number => {
    const quantum = solution.quantum[which];
    if (quantum === 1) return 0;
    const rounded = Number.isInteger(Math.log2(quantum));
    return terms * ((rounded ? quantum : 0) + 2 ** -52 * scaleOf(problem, which));
  };
  const fail = (code: string, message: string): never => {
    throw new HalpError(code, message, { exitCode: 1 });
  };
  if (!(Math.abs(scored.value - solution.value) <= slack("value")))
    fail("HALP_VERIFY_VALUE", `the solution states value ${solution.value}, but its choice is worth ${scored.value}`);
  if (!(Math.abs(scored.latency - solution.latency) <= slack("latency")))
    fail(
      "HALP_VERIFY_LATENCY",
      `the solution states latency ${solution.latency}, but its choice takes ${scored.latency}`,
    );
  for (const [device, latency] of Object.entries(scored.latencies ?? {}))
    if (!(Math.abs(latency - (solution.latencies?.[device] ?? Number.NaN)) <= slack("latency")))
      fail(
        "HALP_VERIFY_LATENCY",
        `the solution states latency ${solution.latencies?.[device]} on ${quote(device)}, but its choice takes ${latency}`,
      );
  if (solution.status === "infeasible") {
    const within = Object.entries(problem.budgets ?? {}).map(
      ([device, most]) => (scored.latencies?.[device] as number) <= most - slack("latency"),
    );
    if (within.length > 0 && within.every(Boolean))
      fail("HALP_VERIFY_BUDGET", "the solution says infeasible, but its choice is within all budgets");
    if (budget !== undefined && scored.latency <= budget - slack("latency"))
      fail(
        "HALP_VERIFY_BUDGET",
        `the solution says infeasible, but its choice takes ${scored.latency}, within ${budget}`,
      );
    return scored;
  }
  for (const [device, most] of Object.entries(problem.budgets ?? {}))
    if (!((scored.latencies?.[device] as number) <= most + slack("latency")))
      fail(
        "HALP_VERIFY_BUDGET",
        `the choice takes ${scored.latencies?.[device]} on ${quote(device)}, more than the budget of ${most}`,
      );
  if (budget !== undefined && !(scored.latency <= budget + slack("latency")))
    fail("HALP_VERIFY_BUDGET", `the choice takes ${scored.latency}, more than the budget of ${budget}`);
  if (!(solution.upperBound >= solution.value - slack("value")) || !(solution.gap >= 0))
    fail("HALP_VERIFY_BOUND", `the upper bound ${solution.upperBound} is below the value ${solution.value}`);
  const size = Math.max(Math.abs(solution.upperBound), Math.abs(solution.value));
  const gap = solution.upperBound > solution.value ? (solution.upperBound - solution.value) / size : 0;
  if (!(Math.abs(solution.gap - gap) <= 1e-9))
    fail("HALP_VERIFY_BOUND", `the solution states a gap of ${solution.gap}, but its bound and value are ${gap} apart`);
  if (solution.status === "optimal" && !(solution.upperBound - solution.value <= slack("value")))
    fail(
      "HALP_VERIFY_BOUND",
      `an optimal value must meet its upper bound, but ${solution.value} is below ${solution.upperBound}`,
    );
  return scored;
}
