/** Shapes of the softmax family: the input's. */
import { sameAsFirst } from "../inference.js";
import type { ShapeRule } from "../spec.js";

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Softmax: sameAsFirst,
  LogSoftmax: sameAsFirst,
  Hardmax: sameAsFirst,
};
