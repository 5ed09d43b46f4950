import type { BackendProblem } from "../backend.js";
import type { Classes } from "../classes.js";
import { type GridPoints, hullCorners, type PartFinder } from "../frontier.js";
import type { Outcome, Watch } from "../limits.js";
import { coreStatus, frontierStatus } from "./exports.js";
import { memoryError } from "./memory-error.js";
import type { Residence, Tenant } from "./resident.js";

/** Candidates looked at between two looks at the clock: some milliseconds. */
const workPerSlice = 1_000_000;
/** All corners of most problems: what parts have in common is found for each. */
const cornersPerPart = 512;
/** Pairs of partial choices looked at for one part of the frontier: some hundredths of a second. */
const workPerPart = 20_000_000;
/** Cells times items of the dense program for a frontier: about a second. */
const mostCells = 1_000_000_000;

/** A multiple-choice knapsack prepared in the core. While another problem is in its memory, the prepared bytes wait here. */
export class ClassProblem implements BackendProblem, Tenant {
  readonly #residence: Residence;
  readonly #classes: Classes;
  #bytes: Uint8Array | null = null;
  readonly memoryBytes: number;

  /**
   * @param classes none of them empty
   * @throws HalpError HALP_SOLVER_MEMORY
   */
  constructor(residence: Residence, classes: Classes) {
    this.#residence = residence;
    this.#classes = classes;
    residence.clearFor(this);
    this.#layout();
    const { core } = residence;
    const { buffer } = core.memory;
    new Int32Array(buffer, core.offsetAt() >>> 0, classes.count + 1).set(classes.offset);
    new Float64Array(buffer, core.valueAt() >>> 0, classes.value.length).set(classes.value);
    new Float64Array(buffer, core.weightAt() >>> 0, classes.weight.length).set(classes.weight);
    core.prepare(classes.valueTotal);
    this.memoryBytes = core.usedBytes() >>> 0;
  }

  solve(budget: number, limits: Watch): Outcome {
    this.#residence.visit(this);
    const { core } = this.#residence;
    let status = core.begin(budget);
    while (status === coreStatus.running) {
      status = core.run(limits.maxStates, limits.gap, workPerSlice);
      if (status === coreStatus.running && limits.expired()) status = core.finish(coreStatus.feasible);
    }
    return this.#outcome(status);
  }

  *slices(budget: number, limits: Watch): Generator<undefined, Outcome> {
    this.#residence.visit(this);
    const { core } = this.#residence;
    let status = core.begin(budget);
    while (status === coreStatus.running) {
      yield;
      status = limits.expired()
        ? core.finish(coreStatus.feasible)
        : core.run(limits.maxStates, limits.gap, workPerSlice);
    }
    return this.#outcome(status);
  }

  hull(): GridPoints {
    this.#residence.visit(this);
    const { core } = this.#residence;
    const { buffer } = core.memory;
    const length = core.getIncrementCount() + 1;
    return hullCorners(
      new Float64Array(buffer, core.prefixWeightAt() >>> 0, length),
      new Float64Array(buffer, core.prefixValueAt() >>> 0, length),
    );
  }

  parts(): PartFinder {
    this.#residence.visit(this);
    const { core } = this.#residence;
    const corners = new Float64Array(
      core.memory.buffer,
      core.prefixWeightAt() >>> 0,
      core.getIncrementCount() + 1,
    ).slice();
    return {
      corners,
      span: cornersPerPart,
      between: (a, b) => {
        this.#residence.visit(this);
        if (core.frontierLayout() === 0 || core.frontierPoints(a, b, workPerPart) !== frontierStatus.found) return null;
        return new Float64Array(core.memory.buffer, core.pointsAt() >>> 0, 2 * core.getPointCount()).slice();
      },
      all: () => {
        this.#residence.visit(this);
        const cells = corners[corners.length - 1]! - corners[0]! + 1;
        if (cells * this.#classes.value.length > mostCells || core.frontierDense(cells) === 0) return null;
        return new Float64Array(core.memory.buffer, core.densePointsAt() >>> 0, 2 * core.getDensePointCount()).slice();
      },
    };
  }

  #outcome(status: number): Outcome {
    const { core } = this.#residence;
    if (status === coreStatus.noMemory) throw this.#outOfMemory();
    const { count, offset, option } = this.#classes;
    const items = new Int32Array(core.memory.buffer, core.choiceAt() >>> 0, count);
    return {
      status: status === coreStatus.optimal ? "optimal" : status === coreStatus.infeasible ? "infeasible" : "feasible",
      choice: items.map((number, l) => option[offset[l]! + number]!),
      value: core.getValue(),
      weight: core.getWeight(),
      upperBound: core.getBound(),
      states: core.getStates(),
    };
  }

  leave(): void {
    const { core } = this.#residence;
    const from = core.preparedFrom() >>> 0;
    this.#bytes = new Uint8Array(core.memory.buffer, from, (core.preparedTo() >>> 0) - from).slice();
  }

  enter(): void {
    const { core } = this.#residence;
    this.#layout();
    new Uint8Array(core.memory.buffer, core.preparedFrom() >>> 0).set(this.#bytes!);
    core.adopt();
    this.#bytes = null;
  }

  #layout(): void {
    if (this.#residence.core.layout(this.#classes.count, this.#classes.value.length) !== 0) return;
    this.#residence.abandon();
    throw this.#outOfMemory();
  }

  #outOfMemory() {
    const { value, count } = this.#classes;
    return memoryError(this.#residence.core, `a problem of ${value.length} options in ${count} variables`);
  }
}
