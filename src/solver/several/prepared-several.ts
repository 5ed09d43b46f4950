import { HalpError } from "../../errors.js";
import type { Backend } from "../backend.js";
import { type Plan, planJoint } from "../joint/plan.js";
import { type Limits, type Watch, watch } from "../limits.js";
import type { Frontier, PreparedProblem } from "../prepared-problem.js";
import { relativeGap } from "../solution.js";
import type { Problem, Solution } from "../types.js";
import { neighbourhoods, type Scored } from "./climb.js";
import { buildDevices, type Devices } from "./devices.js";
import { searchLabels } from "./labels.js";
import { relax } from "./relax.js";

/** A problem with a budget for each of several devices. */
export class PreparedSeveral implements PreparedProblem {
  readonly memoryBytes = undefined;
  readonly #devices: Devices;
  readonly #backend: Backend;
  readonly #clock: () => number;

  /** @throws HalpError HALP_PROBLEM_NUMBER, HALP_BACKEND_DEVICES */
  constructor(problem: Problem, backend: Backend, clock: () => number) {
    if (backend.name !== "wasm" && backend.name !== "js")
      throw new HalpError(
        "HALP_BACKEND_DEVICES",
        `the backend ${backend.name} knows one budget; a problem of several devices takes wasm or js`,
      );
    this.#devices = buildDevices(problem);
    this.#backend = backend;
    this.#clock = clock;
  }

  solve(budget?: number, limits: Limits = {}): Solution {
    return this.solveSince(this.#clock(), budget, limits);
  }

  solveSince(start: number, budget: number | undefined, limits: Limits): Solution {
    const search = this.solveInSlices(start, budget, limits, () => false);
    for (let step = search.next(); ; step = search.next()) if (step.done === true) return step.value;
  }

  *solveInSlices(
    start: number,
    budget: number | undefined,
    limits: Limits,
    stopped: () => boolean,
  ): Generator<undefined, Solution> {
    if (budget !== undefined)
      throw new HalpError(
        "HALP_BUDGET",
        "a problem of several devices has its budgets within, by device: give no other",
      );
    const limit = watch(limits, this.#clock);
    const found = yield* search(this.#devices, this.#backend, {
      ...limit,
      expired: () => stopped() || limit.expired(),
    });
    return toSolution(this.#devices, found, this.#clock() - start);
  }

  /** @throws HalpError HALP_BUDGET always */
  frontier(): Frontier {
    throw new HalpError("HALP_BUDGET", "a frontier is over the budget of one device; this problem has several");
  }
}

interface Found {
  readonly status: Solution["status"];
  /** With `infeasible`, the choice that passes the budgets least, of those met. */
  readonly best: Scored | null;
  readonly bound: number;
}

function* search(devices: Devices, backend: Backend, limits: Watch): Generator<undefined, Found> {
  const plans = devices.models.map(planJoint);
  if (plans.includes(null)) return { status: "infeasible", best: null, bound: 0 };
  const near = neighbourhoods(devices);
  const relaxed = yield* relax(devices, near, backend, limits);
  const { known, bound } = relaxed;
  const close = (best: Scored, bound: number): Found =>
    best.value >= bound ? { status: "optimal", best, bound: best.value } : { status: "feasible", best, bound };
  if (relaxed.infeasible) return { status: "infeasible", best: relaxed.nearest, bound: 0 };
  const proven = known !== null && bound - known.value <= limits.gap * Math.abs(known.value);
  if (proven || limits.expired() || plans.some((p) => (p as Plan).severed > 0))
    return known === null ? { status: "unknown", best: null, bound } : close(known, bound);
  const labelled = yield* searchLabels(devices, plans as Plan[], near, relaxed, limits);
  if (labelled.known === null)
    return labelled.complete
      ? { status: "infeasible", best: relaxed.nearest, bound: 0 }
      : { status: "unknown", best: null, bound: labelled.bound };
  return close(labelled.known, labelled.complete ? labelled.known.value : labelled.bound);
}

function toSolution({ names, models }: Devices, { status, best, bound }: Found, elapsedMs: number): Solution {
  const [{ valueScale, weightScale, names: variables }] = models as [Devices["models"][number]];
  const latencies = names.map((name, d) => [name, best === null ? 0 : best.weights[d]! / weightScale] as const);
  const value = best === null ? 0 : best.value / valueScale;
  const upperBound = status === "optimal" ? value : status === "infeasible" ? 0 : bound / valueScale;
  return {
    format: "halp.solution/1",
    status,
    choice: best === null ? {} : Object.fromEntries(variables.map((name, i) => [name, best.choice[i]!])),
    value,
    latency: latencies[0]![1],
    latencies: Object.fromEntries(latencies),
    upperBound,
    gap: status === "infeasible" ? 0 : relativeGap(upperBound, value),
    elapsedMs,
    quantum: { value: 1 / valueScale, latency: 1 / weightScale },
  };
}
