/** Channels through normalisations. Those with statistics of each channel alone hand channels on; the others freeze them. */
import { intAttr } from "../../graph/attributes.js";
import { handOn } from "../hand-on.js";
import type { ChannelContext, ChannelRule } from "../spec.js";

/** BatchNormalization, InstanceNormalization: scale, bias (and statistics) have one entry a channel. */
const perChannel: ChannelRule = (c) => {
  const [x = "", ...parameters] = c.node.inputs;
  const labels = c.labels(x, 1);
  for (const p of parameters) if (p !== "") c.setLabels(p, 0, labels);
  handOn(c, x, c.node.outputs[0] ?? "");
};

function overAxes(axesOf: (c: ChannelContext, rank: number) => number[], what: string): ChannelRule {
  return (c) => {
    const [x = ""] = c.node.inputs;
    const rank = c.type(x)?.dims.length ?? 0;
    for (const axis of axesOf(c, rank))
      c.freeze(c.labels(x, axis), `${what} takes its statistics over these channels, so each depends on all`);
    handOn(c, x, c.node.outputs[0] ?? "");
  };
}

/** Statistics over all axes behind the channels': what lies there must stay. */
const instanceNormalization: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const rank = c.type(x)?.dims.length ?? 0;
  for (let axis = 2; axis < rank; axis++)
    c.freeze(
      c.labels(x, axis),
      "InstanceNormalization takes its statistics over these channels, so each depends on all",
    );
  perChannel(c);
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  BatchNormalization: perChannel,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: overAxes((c, rank) => {
    const first = intAttr(c.node, "axis", -1);
    const from = first < 0 ? first + rank : first;
    return Array.from({ length: rank - from }, (_, i) => from + i);
  }, "LayerNormalization"),
  GroupNormalization: overAxes(() => [1], "GroupNormalization"),
  LRN: overAxes(() => [1], "LRN"),
  LpNormalization: overAxes((c) => [intAttr(c.node, "axis", -1)], "LpNormalization"),
};
