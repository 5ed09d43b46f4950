/** Resize after channels are gone: its `sizes` speak of them. Scales do not. */
import { intsAttr } from "../../graph/attributes.js";
import type { SliceRule } from "../spec.js";

const resize: SliceRule = (c) => {
  const [y = ""] = c.node.outputs;
  const sizes = c.node.inputs[3];
  if (!sizes) return c.node;
  const rank = c.type(y)?.dims.length ?? 0;
  const axes = (intsAttr(c.node, "axes") ?? Array.from({ length: rank }, (_, i) => i)).map((a) =>
    a < 0 ? a + rank : a,
  );
  const changed = new Map<number, number>();
  axes.forEach((axis, entry) => {
    const kept = c.kept(y, axis);
    if (kept) changed.set(entry, kept.length);
  });
  if (changed.size === 0) return c.node;
  const inputs = [...c.node.inputs];
  inputs[3] = c.replaceEntries(sizes, changed);
  return { ...c.node, inputs };
};

export const slices: Readonly<Record<string, SliceRule>> = { Resize: resize };
