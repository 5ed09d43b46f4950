import type { WasmMemory } from "./webassembly.js";

/**
 * What assembly/index.ts exports; a test compares this with the module. Addresses are 32-bit and may come out negative: use
 * `>>> 0`. Conditions are 0 or 1.
 */
export interface CoreExports {
  readonly memory: WasmMemory;
  /** Lays out memory for a problem; 0 if there is not enough. */
  layout(classes: number, items: number): number;
  offsetAt(): number;
  valueAt(): number;
  weightAt(): number;
  /** 0 if a class is empty. */
  prepare(valueTotal: number): number;
  /** Puts a flat problem's numbers on integer grids; -1, or the first class with a number that is not finite. */
  quantise(): number;
  /** The first class of which every item is forbidden; -1 if there is none. */
  forbiddenClass(): number;
  getValueScale(): number;
  getWeightScale(): number;
  getValueTotal(): number;
  getIncrementCount(): number;
  prefixWeightAt(): number;
  prefixValueAt(): number;
  preparedFrom(): number;
  preparedTo(): number;
  adopt(): void;
  usedBytes(): number;
  limitBytes(): number;
  /** What the memory would have had to grow to, at least, when it was last refused. */
  wantedBytes(): number;
  /** A status, see below. */
  begin(budget: number): number;
  run(maxStates: number, gap: number, work: number): number;
  finish(status: number): number;
  choiceAt(): number;
  getValue(): number;
  getWeight(): number;
  getBound(): number;
  getStates(): number;
  /** Gets ready for frontierPoints; 0 if there is not enough memory. What one solve left in memory is gone. */
  frontierLayout(): number;
  /** Undominated points between two points of the hull, by number. A frontier status, see below. */
  frontierPoints(from: number, to: number, work: number): number;
  /** Pairs of weight and value. */
  pointsAt(): number;
  getPointCount(): number;
  /** All undominated points by a dynamic program over `cells` weights; 0 if there is not enough memory. */
  frontierDense(cells: number): number;
  densePointsAt(): number;
  getDensePointCount(): number;
  setLimit(bytes: number): void;
  /** Lays out memory for a plan; 0 if there is not enough. Lengths in numbers. */
  jointLayout(structureLength: number, tableLength: number): number;
  structureAt(): number;
  tablesAt(): number;
  /** 0 if memory runs out. */
  jointPrepare(valueTotal: number, weightTotal: number): number;
  jointBegin(budget: number): number;
  jointRun(maxStates: number, gap: number, work: number): number;
  jointFinish(status: number): number;
  /** Evaluates the dual at a multiplier. */
  jointEvaluate(lambda: number): void;
  getDecodedValue(): number;
  getDecodedWeight(): number;
  jointChoiceAt(): number;
  getJointValue(): number;
  getJointWeight(): number;
  getJointBound(): number;
  getJointStates(): number;
  /** Gets ready for jointFrontier between so many corners less one, which the host then writes: pairs of weight and value. */
  jointFrontierLayout(segments: number): number;
  jointCornersAt(): number;
  /** Undominated points from the first corner to the last. A frontier status, see below. */
  jointFrontier(segments: number, work: number): number;
  jointPointsAt(): number;
  getJointPointCount(): number;
  /** Memory for the dense program; 0 if there is not enough. */
  denseLayout(classes: number, items: number, cells: number, largest: number): number;
  /** Cells used; -1 if nothing fits. */
  denseSolve(): number;
  paperLayout(classes: number, items: number, cells: number): number;
  paperSolve(scale: number): void;
  cellOffsetsAt(): number;
  cellCostsAt(): number;
  cellValuesAt(): number;
  pickedAt(): number;
}

/** Status codes of begin, run and finish, and of their joint twins. */
export const coreStatus = { running: 0, optimal: 1, feasible: 2, infeasible: 3, noMemory: 4, impossible: 5 } as const;

/** Status codes of frontierPoints and jointFrontier. */
export const frontierStatus = { found: 0, noMemory: 1, tooMuch: 2 } as const;
