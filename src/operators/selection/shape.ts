import type { EvaluateRule, ShapeRule } from "../spec.js";

export const shapes: Readonly<Record<string, ShapeRule>> = {};
export const evaluations: Readonly<Record<string, EvaluateRule>> = {};
