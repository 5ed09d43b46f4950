/** Reshape after channels are gone: its shape speaks of them. */
import { attr, intAttr, intsAttr, withAttribute } from "../../graph/attributes.js";
import { integersOf } from "../../graph/tensors.js";
import type { SliceRule } from "../spec.js";

const reshape: SliceRule = (c) => {
  const [x = "", shape] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const rank = c.type(y)?.dims.length ?? 0;
  const before = c.type(x)?.dims ?? [];
  const attribute = shape === undefined ? intsAttr(c.node, "shape") : undefined;
  const known = shape ? c.constant(shape) : undefined;
  const entries = attribute ?? (known ? integersOf(known) : undefined);
  const copiesZero = intAttr(c.node, "allowzero", 0) === 0;
  const changed = new Map<number, number>();
  for (let axis = 0; axis < rank; axis++) {
    const kept = c.kept(y, axis);
    if (!kept) continue;
    const entry = entries?.[axis];
    if (entry === -1) continue;
    // 0 copies the input's extent: right as long as that is the same axis of channels.
    const copied = copiesZero && entry === 0 && (c.kept(x, axis)?.length ?? before[axis]) === kept.length;
    if (!copied) changed.set(axis, kept.length);
  }
  if (changed.size === 0) return c.node;
  if (attribute) return withAttribute(c.node, "shape", attr.ints(attribute.map((v, axis) => changed.get(axis) ?? v)));
  return { ...c.node, inputs: [x, c.replaceEntries(shape ?? "", changed), ...c.node.inputs.slice(2)] };
};

export const slices: Readonly<Record<string, SliceRule>> = { Reshape: reshape };
