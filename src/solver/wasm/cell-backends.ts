import { HalpError } from "../../errors.js";
import type { Backend, BackendName, BackendProblem } from "../backend.js";
import { type Classes, classesOf, hasEmptyClass } from "../classes.js";
import { prepareClasses } from "../js/prepare.js";
import { impossible, type Outcome } from "../limits.js";
import type { Model } from "../model.js";
import type { CoreExports } from "./exports.js";
import { bestBuild, compileCore, instantiateCore, type WasmBuild } from "./load.js";

// Baselines: dynamic programs over budget cells, for problems of one-variable factors.

/** The cells that the paper's program divides the budget into. */
const paperCells = 110_000;
/** More cells than this, summed over the variables, are refused by the dense program. */
const mostCells = 400_000_000;

/** The least weight of each class, and of all; the largest spread of a class, and the sum of spreads. */
function spreads({ count, offset, weight }: Classes): {
  readonly least: Float64Array;
  readonly lightest: number;
  readonly largest: number;
  readonly range: number;
} {
  const least = new Float64Array(count);
  let lightest = 0;
  let largest = 0;
  let range = 0;
  for (let l = 0; l < count; l++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let j = offset[l]!; j < offset[l + 1]!; j++) {
      low = Math.min(low, weight[j]!);
      high = Math.max(high, weight[j]!);
    }
    least[l] = low;
    lightest += low;
    largest = Math.max(largest, high - low);
    range += high - low;
  }
  return { least, lightest, largest, range };
}

/** The outcome of taking item number picked[l] of each class. */
function scored(classes: Classes, picked: Int32Array, status: Outcome["status"], upperBound: number): Outcome {
  const choice = new Int32Array(classes.count);
  let value = 0;
  let weight = 0;
  for (let l = 0; l < classes.count; l++) {
    const j = classes.offset[l]! + picked[l]!;
    choice[l] = classes.option[j]!;
    value += classes.value[j]!;
    weight += classes.weight[j]!;
  }
  return { status, choice, value, weight, upperBound: status === "optimal" ? value : upperBound, states: 0 };
}

/** The lightest choice, of most value among equals. */
function lightestChoice(classes: Classes): Outcome {
  const picked = new Int32Array(classes.count);
  for (let l = 0; l < classes.count; l++) {
    const from = classes.offset[l]!;
    let best = from;
    for (let j = from; j < classes.offset[l + 1]!; j++) {
      const lighter = classes.weight[j]! - classes.weight[best]!;
      if (lighter < 0 || (lighter === 0 && classes.value[j]! > classes.value[best]!)) best = j;
    }
    picked[l] = best - from;
  }
  return scored(classes, picked, "infeasible", 0);
}

function cellBackend(
  name: BackendName,
  build: WasmBuild,
  memoryLimitBytes: number | undefined,
  solve: (core: CoreExports, classes: Classes, budget: number) => Outcome,
): Backend {
  const core = instantiateCore(compileCore(build), memoryLimitBytes);
  return {
    name,
    prepare(model: Model): BackendProblem {
      if (model.pairs.length > 0)
        throw new HalpError(
          "HALP_BACKEND_JOINT",
          `the backend "${name}" solves problems of one-variable factors only; use "wasm" or "js" for two-variable factors`,
        );
      const classes = classesOf(model);
      if (hasEmptyClass(classes)) return { solve: () => impossible };
      return { solve: (budget) => solve(core, classes, budget) };
    },
  };
}

function tooLarge(cells: number, count: number): HalpError {
  return new HalpError(
    "HALP_DENSE_TOO_LARGE",
    `the dense program needs ${cells} cells for each of ${count} variables, too many; use the backend "wasm", or coarser latencies`,
  );
}

/** The exact dense dynamic program: one cell per grid unit of latency. An oracle for small budgets. */
export function createDenseBackend(build: WasmBuild = bestBuild(), memoryLimitBytes?: number): Backend {
  return cellBackend("dense", build, memoryLimitBytes, (core, classes, budget) => {
    const { count, offset, value, weight } = classes;
    const { least, lightest, largest, range } = spreads(classes);
    if (lightest > budget) return lightestChoice(classes);
    const cells = Math.min(budget - lightest, range) + 1;
    if ((cells + largest) * (count + 1) > mostCells) throw tooLarge(cells, count);
    if (core.denseLayout(count, value.length, cells, largest) === 0) throw tooLarge(cells, count);
    const { buffer } = core.memory;
    new Int32Array(buffer, core.cellOffsetsAt() >>> 0, count + 1).set(offset);
    new Float64Array(buffer, core.cellValuesAt() >>> 0, value.length).set(value);
    const costs = new Int32Array(buffer, core.cellCostsAt() >>> 0, value.length);
    for (let l = 0; l < count; l++) for (let j = offset[l]!; j < offset[l + 1]!; j++) costs[j] = weight[j]! - least[l]!;
    core.denseSolve();
    return scored(classes, new Int32Array(core.memory.buffer, core.pickedAt() >>> 0, count), "optimal", 0);
  });
}

/**
 * HALP's published solver (arXiv 2110.10811, Algorithm 1): a dynamic program over budget cells in which an item joins only
 * where the items before it have. Latency is scaled to cells, rounded up; the answer keeps within the budget but need not be
 * the best. A baseline.
 */
export function createPaperBackend(build: WasmBuild = bestBuild(), memoryLimitBytes?: number): Backend {
  return cellBackend("paper", build, memoryLimitBytes, (core, classes, budget) => {
    const { count, offset, value, weight } = classes;
    let first = 0;
    for (let l = 0; l < count; l++) first += weight[offset[l]!]!;
    // the program starts from the first option of each variable; where that is over the budget it has no answer
    const lightest = lightestChoice(classes);
    if (lightest.weight > budget) return lightest;
    const bound = relaxedBound(classes, budget);
    if (first > budget) return { ...lightest, status: "feasible", upperBound: bound };
    const cell = Math.max(1, (budget - first) / (paperCells - 1));
    const cells = Math.floor((budget - first) / cell) + 1;
    if (core.paperLayout(count, value.length, cells) === 0) throw tooLarge(cells, count);
    const { buffer } = core.memory;
    const offsets = new Int32Array(buffer, core.cellOffsetsAt() >>> 0, count + 1);
    const costs = new Int32Array(buffer, core.cellCostsAt() >>> 0, value.length);
    const gains = new Float64Array(buffer, core.cellValuesAt() >>> 0, value.length);
    let n = 0;
    let total = 0;
    for (let l = 0; l < count; l++) {
      offsets[l] = n;
      const from = offset[l]!;
      let most = 0;
      for (let j = from + 1; j < offset[l + 1]!; j++, n++) {
        const cellsAt = (x: number): number => Math.ceil((weight[x]! - weight[from]!) / cell);
        costs[n] = cellsAt(j) - cellsAt(j - 1);
        gains[n] = value[j]! - value[j - 1]!;
        most = Math.max(most, Math.abs(value[j]! - value[from]!));
      }
      total += most;
    }
    offsets[count] = n;
    core.paperSolve(2 ** 29 / Math.max(1, total));
    const picked = new Int32Array(core.memory.buffer, core.pickedAt() >>> 0, count);
    const found = scored(classes, picked, "feasible", bound);
    return found.weight <= budget ? found : { ...lightest, status: "feasible", upperBound: bound };
  });
}

/** The bound of the linear relaxation. */
function relaxedBound(classes: Classes, budget: number): number {
  const p = prepareClasses(classes);
  let i = 0;
  while (i < p.increments && p.prefixWeight[i + 1]! <= budget) i++;
  if (i === p.increments) return p.prefixValue[i]!;
  return Math.floor(p.prefixValue[i]! + p.slope[i]! * (budget - p.prefixWeight[i]!) + p.margin);
}
