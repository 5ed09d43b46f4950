/** Channels through arithmetic between tensors: what meets element by element stays or goes together. */
import { joinBroadcast } from "../broadcast.js";
import type { ChannelRule } from "../spec.js";

const elementwise: ChannelRule = (c) => joinBroadcast(c, c.node.inputs, c.node.outputs[0] ?? "");

const names =
  "Add Sub Mul Div Pow Min Max Sum Mean Mod Where Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor BitShift".split(
    " ",
  );

export const channels: Readonly<Record<string, ChannelRule>> = Object.fromEntries(names.map((n) => [n, elementwise]));
