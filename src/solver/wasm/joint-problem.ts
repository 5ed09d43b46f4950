import type { BackendProblem } from "../backend.js";
import { type Evaluate, type GridPoints, hullBetween, type PartFinder } from "../frontier.js";
import type { Plan } from "../joint/plan.js";
import { impossible, type Outcome, unlimited, type Watch } from "../limits.js";
import { coreStatus, frontierStatus } from "./exports.js";
import { memoryError } from "./memory-error.js";
import type { Residence, Tenant } from "./resident.js";

/** Candidates looked at between two looks at the clock: some milliseconds. */
const workPerSlice = 1_000_000;

/** Above so much work in one evaluation of the dual, which the core counts as 100,000 candidates, a slice has only one. */
const largeEvaluation = 500_000;

/** Hull corners of a part of the frontier, and pairs of partial choices and options looked at for it. */
const cornersPerPart = 4;
const workPerPart = 4_000_000;

/** A point, and the multiplier of the segment from it to the next. */
interface Corner {
  readonly weight: number;
  readonly value: number;
  readonly slope: number;
}

/** A plan as the core reads it: see assembly/joint-program.ts. */
interface Encoded {
  readonly structure: Int32Array;
  readonly tables: Float64Array;
}

/** Table rows are padded to whole SIMD rows. */
function padded(n: number): number {
  return (n + 3) & ~3;
}

function encode(plan: Plan): Encoded {
  const structure: number[] = [plan.steps.length, ...plan.steps.map(() => 0)];
  let length = 0;
  const parts: { at: number; rows: number; columns: number; value: Float64Array; weight: Float64Array }[] = [];
  const add = (rows: number, columns: number, value: Float64Array, weight: Float64Array): number => {
    const at = length;
    parts.push({ at, rows, columns, value, weight });
    length += 2 * rows * padded(columns);
    return at;
  };
  plan.steps.forEach((step, k) => {
    const n = step.options.length;
    structure[1 + k] = structure.length;
    const own = add(1, n, step.value, step.weight);
    structure.push(step.variable, n, step.joins ? 1 : 0, step.edges.length, own, step.stay.length, ...step.stay);
    for (const edge of step.edges) {
      const rows = edge.value.length / n;
      structure.push(edge.from, edge.position, rows, add(rows, n, edge.value, edge.weight));
    }
  });
  const tables = new Float64Array(length);
  for (const { at, rows, columns, value, weight } of parts) {
    const stride = padded(columns);
    tables.fill(Number.NEGATIVE_INFINITY, at, at + rows * stride);
    for (let i = 0; i < rows; i++) {
      tables.set(value.subarray(i * columns, (i + 1) * columns), at + i * stride);
      tables.set(weight.subarray(i * columns, (i + 1) * columns), at + (rows + i) * stride);
    }
  }
  return { structure: Int32Array.from(structure), tables };
}

/** A joint problem in the core. It is prepared anew when it comes back to memory. */
export class JointProblem implements BackendProblem, Tenant {
  readonly #residence: Residence;
  readonly #plan: Plan;
  readonly #encoded: Encoded;
  readonly #workPerSlice: number;
  readonly #totals: { readonly valueTotal: number; readonly weightTotal: number };

  memoryBytes = 0;

  /** @throws HalpError HALP_SOLVER_MEMORY */
  constructor(residence: Residence, plan: Plan, totals: { readonly valueTotal: number; readonly weightTotal: number }) {
    this.#residence = residence;
    this.#plan = plan;
    this.#encoded = encode(plan);
    this.#workPerSlice = plan.totalWork > largeEvaluation ? 1 : workPerSlice;
    this.#totals = totals;
    residence.clearFor(this);
    this.enter();
  }

  solve(budget: number, limits: Watch): Outcome {
    this.#residence.visit(this);
    const { core } = this.#residence;
    let status = core.jointBegin(budget);
    while (status === coreStatus.running) {
      status = core.jointRun(limits.maxStates, limits.gap, this.#workPerSlice);
      if (status === coreStatus.running && limits.expired()) status = core.jointFinish(coreStatus.feasible);
    }
    return this.#outcome(status);
  }

  *slices(budget: number, limits: Watch): Generator<undefined, Outcome> {
    this.#residence.visit(this);
    const { core } = this.#residence;
    let status = core.jointBegin(budget);
    while (status === coreStatus.running) {
      yield;
      status = limits.expired()
        ? core.jointFinish(coreStatus.feasible)
        : core.jointRun(limits.maxStates, limits.gap, this.#workPerSlice);
    }
    return this.#outcome(status);
  }

  hull(limits: Watch): GridPoints {
    return this.#cornersBetween(-this.#totals.weightTotal - 1, this.#totals.weightTotal, limits);
  }

  parts(from: number, to: number, limits: Watch): PartFinder | null {
    const { weight, value, complete } = this.#cornersBetween(from, to, limits);
    if (!complete) return null;
    const corners: Corner[] = Array.from(weight, (w, i) => {
      const next = Math.min(i + 1, weight.length - 1);
      const slope = next > i ? (value[next]! - value[i]!) / (weight[next]! - w) : 0;
      return { weight: w, value: value[i]!, slope };
    });
    return {
      corners: weight,
      span: cornersPerPart,
      all: () => null,
      between: (a, b) =>
        a === b
          ? Float64Array.of(weight[a]!, value[a]!)
          : b - a > 1
            ? this.#points(corners.slice(a, b + 1))
            : this.#pointsInSegment(corners[a]!, corners[b]!),
    };
  }

  /** All points between corners; null if that is too much at once. */
  #points(corners: readonly Corner[]): Float64Array | null {
    this.#residence.visit(this);
    const { core } = this.#residence;
    const segments = corners.length - 1;
    if (core.jointFrontierLayout(segments) === 0) return null;
    new Float64Array(core.memory.buffer, core.jointCornersAt() >>> 0, 3 * corners.length).set(
      corners.flatMap((c) => [c.weight, c.value, c.slope]),
    );
    if (core.jointFrontier(segments, workPerPart) !== frontierStatus.found) return null;
    return new Float64Array(core.memory.buffer, core.jointPointsAt() >>> 0, 2 * core.getJointPointCount()).slice();
  }

  /** All points between two corners; where they are too many, the segment is cut in two by solving for a budget between. */
  #pointsInSegment(first: Corner, last: Corner): Float64Array {
    const found = this.#points([first, last]);
    if (found !== null) return found;
    const budget = Math.floor((first.weight + last.weight) / 2);
    if (budget === first.weight) return Float64Array.of(first.weight, first.value, last.weight, last.value);
    const { weight, value } = this.solve(budget, unlimited);
    // what is best within the budget may be much lighter: no point lies between
    const low =
      weight > first.weight
        ? this.#pointsInSegment(first, { weight, value, slope: first.slope })
        : Float64Array.of(first.weight, first.value);
    const high = this.#pointsInSegment({ weight: budget, value, slope: first.slope }, last);
    const both = new Float64Array(low.length + high.length - 2);
    both.set(low);
    both.set(high.subarray(2), low.length);
    return both;
  }

  /** The best points within two weights (the lightest if nothing is within the first), and the corners of the hull between. */
  #cornersBetween(from: number, to: number, limits: Watch): GridPoints {
    const last = this.solve(to, limits);
    if (last.status !== "optimal") return { weight: [], value: [], complete: last.status === "infeasible" };
    let first = this.solve(from, limits);
    if (first.status === "infeasible") first = this.solve(first.weight, limits);
    if (first.status !== "optimal") return { weight: [], value: [], complete: false };
    const { core } = this.#residence;
    const evaluate: Evaluate = (lambda) => {
      core.jointEvaluate(lambda);
      return { value: core.getDecodedValue(), weight: core.getDecodedWeight() };
    };
    return hullBetween(first, last, evaluate, limits);
  }

  #outcome(status: number): Outcome {
    if (status === coreStatus.impossible) return impossible;
    const { core } = this.#residence;
    const { steps } = this.#plan;
    const taken = new Int32Array(core.memory.buffer, core.jointChoiceAt() >>> 0, steps.length);
    const choice = new Int32Array(steps.length);
    for (let k = 0; k < steps.length; k++) choice[steps[k]!.variable] = steps[k]!.options[taken[k]!]!;
    return {
      status: status === coreStatus.optimal ? "optimal" : status === coreStatus.infeasible ? "infeasible" : "feasible",
      choice,
      value: core.getJointValue(),
      weight: core.getJointWeight(),
      upperBound: core.getJointBound(),
      states: core.getJointStates(),
    };
  }

  leave(): void {}

  enter(): void {
    const { core } = this.#residence;
    const { structure, tables } = this.#encoded;
    let enough = core.jointLayout(structure.length, tables.length) !== 0;
    if (enough) {
      const { buffer } = core.memory;
      new Int32Array(buffer, core.structureAt() >>> 0, structure.length).set(structure);
      new Float64Array(buffer, core.tablesAt() >>> 0, tables.length).set(tables);
      enough = core.jointPrepare(this.#totals.valueTotal, this.#totals.weightTotal) !== 0;
    }
    this.memoryBytes = core.usedBytes() >>> 0;
    if (enough) return;
    this.#residence.abandon();
    throw memoryError(core, `a joint problem of ${tables.length} table entries`);
  }
}
