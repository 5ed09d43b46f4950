/**
 * Shape arithmetic carries no channels. What it computes at run time of a pruned value is the pruned extent, which is
 * what the reader of it (a Reshape, an Expand) needs.
 */
import type { ChannelRule } from "../spec.js";

const nothing: ChannelRule = () => {};

export const channels: Readonly<Record<string, ChannelRule>> = {
  Shape: nothing,
  Size: nothing,
  Constant: nothing,
  ConstantOfShape: nothing,
  Range: nothing,
  EyeLike: nothing,
};
