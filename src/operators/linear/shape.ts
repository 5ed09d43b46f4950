import type { ShapeRule } from "../spec.js";

export const shapes: Readonly<Record<string, ShapeRule>> = {};
