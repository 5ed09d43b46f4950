/** GroupNormalization after whole groups are gone: it counts them. */
import { attr, intAttr, withAttribute } from "../../graph/attributes.js";
import type { SliceRule } from "../spec.js";

const groupNormalization: SliceRule = (c) => {
  const [x = ""] = c.node.inputs;
  const kept = c.kept(x, 1);
  const extent = c.type(x)?.dims[1];
  if (!kept || !extent) return c.node;
  const groups = (intAttr(c.node, "num_groups", 1) * kept.length) / extent;
  return withAttribute(c.node, "num_groups", attr.int(groups));
};

export const slices: Readonly<Record<string, SliceRule>> = { GroupNormalization: groupNormalization };
