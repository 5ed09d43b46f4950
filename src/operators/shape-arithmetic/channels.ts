/**
 * Shape arithmetic carries no channels; a map of one value has its own. What it computes at run time of a pruned value is the pruned extent, which is
 * what the reader of it (a Reshape, an Expand) needs.
 */
import type { ChannelRule } from "../spec.js";

const nothing: ChannelRule = () => {};

/** One value everywhere: in a map [N, C, ...] the channels are born here, and may go with those that they meet. */
const constantMap: ChannelRule = (c) => {
  const [y = ""] = c.node.outputs;
  const dims = c.type(y)?.dims ?? [];
  if (dims.length >= 3) c.setLabels(y, 1, c.fresh(dims[1] ?? 0));
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  Shape: nothing,
  Size: nothing,
  Constant: nothing,
  ConstantOfShape: constantMap,
  Range: nothing,
  EyeLike: nothing,
};
