import { HalpError } from "../../errors.js";
import type { Classes } from "../classes.js";
import type { Outcome, Watch } from "../limits.js";
import { type CoreExports, coreStatus } from "./exports.js";

/** Candidates looked at between two looks at the clock: some milliseconds. */
const workPerSlice = 1_000_000;

/** A problem prepared in the core's memory, or set aside as a copy of the bytes while another is there. */
export interface PreparedClasses {
  readonly classes: Classes;
  bytes: Uint8Array | null;
}

/**
 * The WASM core with its memory. One problem at a time is in it, always at the same addresses; when another is wanted, the
 * bytes of the first are copied out, and put back when it is its turn again. So nothing needs freeing.
 */
export class WasmCore {
  readonly #core: CoreExports;
  #resident: PreparedClasses | null = null;

  constructor(core: CoreExports) {
    this.#core = core;
  }

  /**
   * Prepares classes, none of which is empty.
   * @throws HalpError HALP_SOLVER_MEMORY
   */
  prepare(classes: Classes): PreparedClasses {
    this.#setAside();
    const core = this.#core;
    this.#layout(classes);
    const { buffer } = core.memory;
    new Int32Array(buffer, core.offsetAt() >>> 0, classes.count + 1).set(classes.offset);
    new Float64Array(buffer, core.valueAt() >>> 0, classes.value.length).set(classes.value);
    new Float64Array(buffer, core.weightAt() >>> 0, classes.weight.length).set(classes.weight);
    core.prepare(classes.valueTotal);
    const prepared: PreparedClasses = { classes, bytes: null };
    this.#resident = prepared;
    return prepared;
  }

  /** Solves for a budget in grid numbers. */
  solve(prepared: PreparedClasses, budget: number, limits: Watch): Outcome {
    this.#adopt(prepared);
    const core = this.#core;
    let status = core.begin(budget);
    while (status === coreStatus.running) {
      status = core.run(limits.maxStates, limits.gap, workPerSlice);
      if (status === coreStatus.running && limits.expired()) status = core.finish(coreStatus.feasible);
    }
    if (status === coreStatus.noMemory) throw outOfMemory(prepared.classes);
    const { count, offset, option } = prepared.classes;
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

  #layout(classes: Classes): void {
    if (this.#core.layout(classes.count, classes.value.length) === 0) throw outOfMemory(classes);
  }

  #setAside(): void {
    if (this.#resident === null) return;
    const from = this.#core.preparedFrom() >>> 0;
    this.#resident.bytes = new Uint8Array(
      this.#core.memory.buffer,
      from,
      (this.#core.preparedTo() >>> 0) - from,
    ).slice();
    this.#resident = null;
  }

  #adopt(prepared: PreparedClasses): void {
    if (this.#resident === prepared) return;
    this.#setAside();
    this.#layout(prepared.classes);
    new Uint8Array(this.#core.memory.buffer, this.#core.preparedFrom() >>> 0).set(prepared.bytes!);
    this.#core.adopt();
    prepared.bytes = null;
    this.#resident = prepared;
  }
}

function outOfMemory(classes: Classes): HalpError {
  return new HalpError(
    "HALP_SOLVER_MEMORY",
    `there is not enough memory for ${classes.value.length} options in ${classes.count} variables; offer fewer options`,
    { exitCode: 1 },
  );
}
