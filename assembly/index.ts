// The exports of the solver core. Functions answer with status codes and never trap on data.
import { incrementCount, inputValue, inputWeight, offset, prefixValue, prefixWeight, preparedEnd } from "./classes";
import { pointCount, points } from "./frontier";
import { densePointCount, densePoints } from "./frontier-dense";
import { jointCorners, jointPointCount, jointPoints } from "./joint-frontier";
import { backward, decode, decodedValue, decodedWeight } from "./joint-potentials";
import { structure, tables } from "./joint-program";
import { jointBound, jointChoice, jointStates, jointValue, jointWeight } from "./joint-solve";
import { heapStart, limit, top, wanted } from "./memory";
import { choice, resultBound, resultValue, resultWeight, states } from "./solve";

export { adopt, layout, prepare } from "./classes";
export { setLimit } from "./memory";
export { forbiddenClass, getValueScale, getValueTotal, getWeightScale, quantise } from "./quantise";
export { begin, finish, run } from "./solve";

export function offsetAt(): usize {
  return offset;
}
export function valueAt(): usize {
  return inputValue;
}
export function weightAt(): usize {
  return inputWeight;
}
/** The bytes of a prepared problem are those from preparedFrom to preparedTo. */
export function preparedFrom(): usize {
  return heapStart();
}
export function preparedTo(): usize {
  return preparedEnd;
}
/** Bytes in use: of the problem, and of what was last done with it. */
export function usedBytes(): usize {
  return top;
}
/** What the memory may grow to. */
export function limitBytes(): usize {
  return limit;
}
/** What the memory would have had to grow to, at least, when it was last refused. */
export function wantedBytes(): usize {
  return wanted;
}
export function choiceAt(): usize {
  return choice;
}
export function getValue(): f64 {
  return resultValue;
}
export function getWeight(): f64 {
  return resultWeight;
}
export function getBound(): f64 {
  return resultBound;
}
export function getStates(): f64 {
  return states;
}

// ---- joint problems
export { jointLayout } from "./joint-program";
export { jointBegin, jointFinish, jointPrepare, jointRun } from "./joint-solve";

export function structureAt(): usize {
  return structure;
}
export function tablesAt(): usize {
  return tables;
}
export function jointChoiceAt(): usize {
  return jointChoice;
}
export function getJointValue(): f64 {
  return jointValue;
}
export function getJointWeight(): f64 {
  return jointWeight;
}
export function getJointBound(): f64 {
  return jointBound;
}
export function getJointStates(): f64 {
  return jointStates;
}

/** Evaluates the dual at a multiplier; the choice found is read by getDecodedValue and getDecodedWeight. */
export function jointEvaluate(lambda: f64): void {
  backward(false, lambda);
  decode();
}
export function getDecodedValue(): f64 {
  return decodedValue;
}
export function getDecodedWeight(): f64 {
  return decodedWeight;
}
/** Sorted hull increments: f64[incrementCount + 1] prefix sums. */
export function getIncrementCount(): i32 {
  return incrementCount;
}
export function prefixWeightAt(): usize {
  return prefixWeight;
}
export function prefixValueAt(): usize {
  return prefixValue;
}

export { jointFrontier, jointFrontierLayout } from "./joint-frontier";
export function jointCornersAt(): usize {
  return jointCorners;
}
export function jointPointsAt(): usize {
  return jointPoints;
}
export function getJointPointCount(): i32 {
  return jointPointCount;
}

// ---- dynamic programs over budget cells
export {
  cellCostsAt, cellOffsetsAt, cellValuesAt, denseLayout, denseSolve, paperLayout, paperSolve, pickedAt,
} from "./dense";

// ---- frontiers
export { frontierLayout, frontierPoints } from "./frontier";
export { frontierDense } from "./frontier-dense";
export function densePointsAt(): usize {
  return densePoints;
}
export function getDensePointCount(): i32 {
  return densePointCount;
}
export function pointsAt(): usize {
  return points;
}
export function getPointCount(): i32 {
  return pointCount;
}
