/** Channels through operators that change nothing of them. */
import { handOn } from "../hand-on.js";
import type { ChannelRule } from "../spec.js";

const pass: ChannelRule = (c) => {
  for (const output of c.node.outputs) if (output !== "") handOn(c, c.node.inputs[0] ?? "", output);
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  Identity: pass,
  Dropout: pass,
  Cast: pass,
  CastLike: pass,
};
