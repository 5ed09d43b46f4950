import { HalpError } from "../../errors.js";
import { checkLimits, defaultStates, type Limits } from "../limits.js";
import { checkBudget, maxEntries } from "../parse-problem.js";
import { budgetToGrid } from "../quantise.js";
import { show } from "../show.js";
import { relativeGap } from "../solution.js";
import { type CoreExports, coreStatus } from "./exports.js";
import { compileCore, instantiateCore, type WasmBuild } from "./load.js";
import { memoryError } from "./memory-error.js";

/**
 * A problem of one-variable factors as typed arrays. The options of variable i are offset[i] .. offset[i + 1] - 1; each has a
 * value and a latency, NaN where it is forbidden.
 */
export interface FlatProblem {
  readonly offset: Int32Array;
  readonly value: Float64Array;
  readonly latency: Float64Array;
}

/** Where an answer is written. */
export interface FlatSolution {
  status: "optimal" | "feasible" | "infeasible";
  /** The option of each variable; with `infeasible`, those of smallest latency. -1: every option of the variable forbidden. */
  readonly choice: Int32Array;
  value: number;
  latency: number;
  upperBound: number;
  gap: number;
}

/** A solver for flat problems, with a core of its own. */
export interface FlatSolver {
  /** @throws HalpError as solveInto */
  solve(problem: FlatProblem, budget: number, limits?: Limits): FlatSolution;
  /**
   * Solves without allocating (but for what the clock returns, under a time limit); `out.choice` has one element per variable.
   * @throws HalpError HALP_FLAT for arrays that do not fit together, a number that is not finite, or a choice too short;
   * HALP_BUDGET; HALP_LIMIT; HALP_SOLVER_MEMORY
   */
  solveInto(problem: FlatProblem, budget: number, out: FlatSolution, limits?: Limits): void;
  /**
   * Answers the problem of the last solve for another budget; nothing is copied or prepared again.
   * @throws HalpError HALP_FLAT if there is none, or the choice is too short; HALP_BUDGET; HALP_LIMIT
   */
  resolveInto(budget: number, out: FlatSolution, limits?: Limits): void;
}

export interface FlatSolverOptions {
  readonly build?: WasmBuild;
  /** Milliseconds from any origin, for time limits. Default performance.now. */
  readonly clock?: () => number;
  /** What the WASM may grow to; a search that needs more ends with the best it has. Default 2 GiB. */
  readonly memoryLimitBytes?: number;
}

const workPerSlice = 1_000_000;

function refuse(message: string): never {
  throw new HalpError("HALP_FLAT", message);
}

/** Of any realm; allocates nothing. */
function isNumbers(x: unknown): x is ArrayLike<number> {
  return ArrayBuffer.isView(x) && typeof (x as Partial<Int32Array>)[0] !== "bigint" && "length" in x;
}

/**
 * Checks that a flat problem is made of typed arrays, as far as its reader relies on it.
 * @param where what messages begin with
 * @throws HalpError HALP_FLAT
 */
export function checkArrays(problem: FlatProblem, where = ""): void {
  if (typeof problem !== "object" || problem === null)
    refuse(`${where}a flat problem must be an object with offset, value and latency, not ${show(problem)}`);
  if (!isNumbers(problem.offset)) refuse(`${where}offset must be an Int32Array, not ${show(problem.offset)}`);
  if (!isNumbers(problem.value)) refuse(`${where}value must be a Float64Array, not ${show(problem.value)}`);
  if (!isNumbers(problem.latency)) refuse(`${where}latency must be a Float64Array, not ${show(problem.latency)}`);
}

/** The scale of numbers whose total is 2^1023 or more: see chooseScale of assembly/quantise.ts. */
const overflowScale = 2 ** -980;

class WasmFlatSolver implements FlatSolver {
  readonly #core: CoreExports;
  readonly #clock: () => number;
  /** Views of the whole memory; renewed when it has grown, which detaches them. */
  #ints: Int32Array;
  #doubles: Float64Array;
  /** Variables of the problem in memory; -1: none. */
  #count = -1;
  #possible = true;
  #valueScale = 1;
  #weightScale = 1;

  constructor(core: CoreExports, clock: () => number) {
    this.#core = core;
    this.#clock = clock;
    this.#ints = new Int32Array(core.memory.buffer);
    this.#doubles = new Float64Array(core.memory.buffer);
  }

  solve(problem: FlatProblem, budget: number, limits?: Limits): FlatSolution {
    checkArrays(problem);
    const choice = new Int32Array(Math.max(0, problem.offset.length - 1));
    const out: FlatSolution = { status: "infeasible", choice, value: 0, latency: 0, upperBound: 0, gap: 0 };
    this.solveInto(problem, budget, out, limits);
    return out;
  }

  solveInto(problem: FlatProblem, budget: number, out: FlatSolution, limits?: Limits): void {
    checkBudget(budget);
    checkArrays(problem);
    this.#load(problem);
    this.resolveInto(budget, out, limits);
  }

  resolveInto(budget: number, out: FlatSolution, limits?: Limits): void {
    checkBudget(budget);
    if (limits !== undefined) checkLimits(limits);
    const count = this.#count;
    if (typeof out !== "object" || out === null || !isNumbers(out.choice))
      refuse(`out must be an object with a choice array, not ${show(out)}`);
    if (count < 0) refuse("resolveInto needs a problem that was solved before");
    if (out.choice.length < count) refuse(`out.choice has ${out.choice.length} elements; ${count} are needed`);
    if (!this.#possible) {
      out.status = "infeasible";
      out.choice.fill(-1, 0, count);
      out.value = 0;
      out.latency = Number.NaN;
      out.upperBound = 0;
      out.gap = 0;
      return;
    }
    const core = this.#core;
    const end = limits?.timeLimitMs === undefined ? Number.POSITIVE_INFINITY : this.#clock() + limits.timeLimitMs;
    const maxStates = limits?.maxStates ?? defaultStates;
    const gap = limits?.gap ?? 0;
    let status = core.begin(budgetToGrid(budget, this.#weightScale, count));
    while (status === coreStatus.running) {
      status = core.run(maxStates, gap, workPerSlice);
      if (status !== coreStatus.running) break;
      const late = end !== Number.POSITIVE_INFINITY && this.#clock() >= end;
      if (late || limits?.stopped?.() === true) status = core.finish(coreStatus.feasible);
    }
    if (status === coreStatus.noMemory) this.#outOfMemory();
    this.#renewViews();
    const from = (core.choiceAt() >>> 0) >> 2;
    const ints = this.#ints;
    for (let i = 0; i < count; i++) out.choice[i] = ints[from + i]!;
    out.status =
      status === coreStatus.optimal ? "optimal" : status === coreStatus.infeasible ? "infeasible" : "feasible";
    out.value = core.getValue() / this.#valueScale;
    out.latency = core.getWeight() / this.#weightScale;
    out.upperBound = status === coreStatus.feasible ? core.getBound() / this.#valueScale : out.value;
    out.gap = status === coreStatus.feasible ? relativeGap(out.upperBound, out.value) : 0;
  }

  #load({ offset, value, latency }: FlatProblem): void {
    const core = this.#core;
    const count = offset.length - 1;
    const size = value.length;
    this.#count = -1;
    if (count < 0 || offset[0] !== 0 || offset[count] !== size || latency.length !== size)
      refuse(
        `offset must run from 0 to the number of values and latencies; it has ${offset.length} elements, ending in ${offset[count]}, for ${size} values and ${latency.length} latencies`,
      );
    if (size > maxEntries) refuse(`the problem has ${size} options; at most ${maxEntries} can be solved`);
    for (let i = 0; i < count; i++)
      if (offset[i]! >= offset[i + 1]!) refuse(`variable ${i} has no options: offset must rise at every step`);
    if (core.layout(count, size) === 0) this.#outOfMemory();
    this.#renewViews();
    this.#ints.set(offset, (core.offsetAt() >>> 0) >> 2);
    this.#doubles.set(value, (core.valueAt() >>> 0) >> 3);
    this.#doubles.set(latency, (core.weightAt() >>> 0) >> 3);
    const bad = core.quantise();
    if (bad >= 0) refuse(`variable ${bad} has a value that is not finite, or an infinite latency`);
    this.#possible = core.forbiddenClass() < 0;
    this.#valueScale = core.getValueScale();
    this.#weightScale = core.getWeightScale();
    if (this.#valueScale <= overflowScale || this.#weightScale <= overflowScale)
      refuse("the numbers are so large that their sum overflows; give them in a larger unit");
    if (this.#possible) core.prepare(core.getValueTotal());
    this.#count = count;
  }

  #renewViews(): void {
    const { buffer } = this.#core.memory;
    if (this.#ints.buffer === buffer) return;
    this.#ints = new Int32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  #outOfMemory(): never {
    this.#count = -1;
    throw memoryError(this.#core, "the problem");
  }
}

/**
 * Creates a solver for problems given as typed arrays: the fastest way in.
 * @throws HalpError HALP_NO_WASM, HALP_LIMIT
 */
export function createFlatSolver(options: FlatSolverOptions = {}): FlatSolver {
  const core = instantiateCore(compileCore(options.build), options.memoryLimitBytes);
  return new WasmFlatSolver(core, options.clock ?? (() => performance.now()));
}
