/** Gradients of the reduction family, by operator type. */
import type { GradientRule } from "../spec.js";

export const gradients: Readonly<Record<string, GradientRule>> = {};
