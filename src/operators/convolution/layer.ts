/** A convolution or a transposed one, as their gradients see both. */
import type { Window } from "../window.js";

/** Sizes of a convolution, transposed or not: `small` is the side that a window has one position for, `large` the other. */
export interface Layer {
  readonly window: Window;
  readonly batch: number;
  readonly groups: number;
  readonly small: readonly number[];
  readonly large: readonly number[];
  readonly rank: number;
}

/** Positions between the first tap and the last, both counted. */
export const span = (w: Window, i: number): number => (w.dilations[i] as number) * ((w.kernel[i] as number) - 1) + 1;
