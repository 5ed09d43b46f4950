/** What the shape rules of all families share: operands, axes, broadcasting, errors. */
import { HalpError } from "../errors.js";
import type { ValueType } from "../graph/analysis.js";
import { intsAttr } from "../graph/attributes.js";
import type { Node } from "../graph/ir.js";
import { integersOf } from "../graph/tensors.js";
import type { InferContext, ShapeRule } from "./spec.js";

/** HALP_SHAPE: `what` says what was expected and what came. */
export function shapeError(node: Node, what: string): HalpError {
  const name = node.name || (node.outputs[0] ?? "");
  return new HalpError("HALP_SHAPE", `${node.opType} "${name}": ${what}. The model does not fit these input dims.`, {
    node: name,
    opType: node.opType,
  });
}

export function showDims(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}

/** The axis counted from the front. @throws HalpError HALP_SHAPE where there is no such axis. */
export function normalAxis(node: Node, axis: number, rank: number): number {
  if (axis < -rank || axis >= rank) throw shapeError(node, `expected an axis within ${rank} dimensions, came ${axis}`);
  return axis < 0 ? axis + rank : axis;
}

/** The output has the type of the first input. */
export const sameAsFirst: ShapeRule = (c) => c.inputs[0] && [c.inputs[0]];

/** Whether an input is given: named, and not an empty constant (Resize marks an input left out so). */
export function isGiven(c: InferContext, input: number): boolean {
  if (!c.node.inputs[input]) return false;
  return !c.constants[input]?.dims.includes(0);
}

/** Entries of an integer input; undefined where it is left out, "unknown" where only a run tells them. */
export function integersAt(c: InferContext, input: number): number[] | undefined | "unknown" {
  if (!c.node.inputs[input]) return undefined;
  const constant = c.constants[input];
  return constant ? integersOf(constant) : "unknown";
}

/** Axes, or whatever was moved from an attribute to an input: the input where the node has one, else the attribute. */
export function listFrom(c: InferContext, input: number, attribute: string): number[] | undefined | "unknown" {
  return integersAt(c, input) ?? intsAttr(c.node, attribute);
}

/** Extents that several shapes broadcast to, aligned at the last axis. @throws HalpError HALP_SHAPE where they do not fit. */
export function broadcastDims(node: Node, shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1 || own === extent) continue;
      if (extent !== 1)
        throw shapeError(node, `expected shapes that broadcast, came ${shapes.map(showDims).join(" and ")}`);
      extent = own;
    }
    return extent;
  });
}

/** Types of all given inputs; undefined where one is unknown. */
export function allInputs(c: InferContext): ValueType[] | undefined {
  const types: ValueType[] = [];
  for (let i = 0; i < c.node.inputs.length; i++) {
    const type = c.inputs[i];
    if (type) types.push(type);
    else if (c.node.inputs[i]) return undefined;
  }
  return types.length > 0 ? types : undefined;
}
