/** Channels through softmax: its own axis needs all of them; the others are handed on. */
import { intAttr } from "../../graph/attributes.js";
import { handOn } from "../hand-on.js";
import type { ChannelRule } from "../spec.js";

const softmax: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const rank = c.type(x)?.dims.length ?? 0;
  // Before opset 13 everything from the axis on is one long axis.
  const given = intAttr(c.node, "axis", c.opset < 13 ? 1 : -1);
  const first = given < 0 ? given + rank : given;
  const last = c.opset < 13 ? rank - 1 : first;
  for (let axis = first; axis <= last; axis++)
    c.freeze(c.labels(x, axis), `${c.node.opType} over these channels depends on all`);
  handOn(c, x, c.node.outputs[0] ?? "");
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  Softmax: softmax,
  LogSoftmax: softmax,
  Hardmax: softmax,
};
