import type { ProgramStep } from "../js/joint-program.js";
import type { Guide } from "./guide.js";

/** Partial choices up to some step; `link`: parent label * domain size + option. */
export interface Labels {
  readonly value: number[];
  /** By device. */
  readonly weights: readonly number[][];
  readonly state: number[];
  readonly link: number[];
}

export function emptyLabels(devices: number): Labels {
  return { value: [], weights: Array.from({ length: devices }, () => []), state: [], link: [] };
}

export function pushLabel(
  labels: Labels,
  value: number,
  weights: ArrayLike<number>,
  state: number,
  link: number,
): void {
  labels.value.push(value);
  for (let d = 0; d < weights.length; d++) labels.weights[d]!.push(weights[d]!);
  labels.state.push(state);
  labels.link.push(link);
}

/** Labels of one state that a new one is compared with, the last ones: a label too many costs time, not truth. */
const mostCompared = 400;

/** Numbers of the labels that none of the same state dominates (worth as much, and nowhere heavier), by state and falling value. */
export function undominated({ value, weights, state }: Labels): number[] {
  const heavier = (a: number, b: number): number => {
    for (const w of weights) if (w[a] !== w[b]) return w[a]! - w[b]!;
    return a - b;
  };
  const order = Int32Array.from(value.keys()).sort(
    (a, b) => state[a]! - state[b]! || value[b]! - value[a]! || heavier(a, b),
  );
  const kept: number[] = [];
  for (const i of order) {
    let dominated = false;
    for (let j = kept.length - 1; !dominated && j >= 0 && j >= kept.length - mostCompared; j--) {
      const other = kept[j]!;
      if (state[other] !== state[i]) break;
      dominated = weights.every((w) => w[other]! <= w[i]!);
    }
    if (!dominated) kept.push(i);
  }
  return kept;
}

/** The choice behind a link of step k, completed by a guide from the state that it leads to. */
export function unwind(
  steps: readonly ProgramStep[],
  kept: readonly Labels[],
  k: number,
  link: number,
  state: number,
  guide: Guide,
): Int32Array {
  const choice = new Int32Array(steps.length);
  for (let j = k + 1; j < steps.length; j++) {
    choice[j] = guide.taken[j]![state]!;
    state = steps[j]!.next[state]! + choice[j]! * steps[j]!.stride;
  }
  for (let j = k; j >= 0; j--) {
    const n = steps[j]!.domain.length;
    choice[j] = link % n;
    if (j > 0) link = kept[j - 1]!.link[Math.floor(link / n)]!;
  }
  return choice;
}
