/** ConstantOfShape after channels are gone: its shape speaks of them. */
import type { SliceRule } from "../spec.js";

const constantOfShape: SliceRule = (c) => {
  const [shape = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const changed = new Map<number, number>();
  (c.type(y)?.dims ?? []).forEach((_, axis) => {
    const kept = c.kept(y, axis);
    if (kept) changed.set(axis, kept.length);
  });
  return changed.size === 0 ? c.node : { ...c.node, inputs: [c.replaceEntries(shape, changed)] };
};

export const slices: Readonly<Record<string, SliceRule>> = { ConstantOfShape: constantOfShape };
