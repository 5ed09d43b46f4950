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

/**
 * Each group has statistics of its own, so whole groups may go. Scale and bias have one entry a channel; before opset 21, one
 * a group.
 */
const groupNormalization: ChannelRule = (c) => {
  const [x = "", ...parameters] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const rank = c.type(x)?.dims.length ?? 0;
  const labels = c.labels(x, 1);
  const groups = intAttr(c.node, "num_groups", 1);
  if (groups === 1)
    c.freeze(labels, "GroupNormalization takes its statistics over these channels, so each depends on all");
  for (let axis = 2; axis < rank; axis++)
    c.freeze(c.labels(x, axis), "GroupNormalization takes its statistics along it");
  if (labels) {
    const perGroup = labels.length / groups;
    const first = Int32Array.from({ length: groups }, (_, g) => labels[g * perGroup] as number);
    for (let g = 0; g < groups; g++)
      for (let j = 1; j < perGroup; j++)
        c.join(first.subarray(g, g + 1), labels.subarray(g * perGroup + j, g * perGroup + j + 1));
    for (const p of parameters) if (p !== "") c.setLabels(p, 0, c.type(p)?.dims[0] === labels.length ? labels : first);
  }
  handOn(c, x, y);
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  BatchNormalization: perChannel,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: overAxes((c, rank) => {
    const first = intAttr(c.node, "axis", -1);
    const from = first < 0 ? first + rank : first;
    return Array.from({ length: rank - from }, (_, i) => from + i);
  }, "LayerNormalization"),
  GroupNormalization: groupNormalization,
  LRN: overAxes(() => [1], "LRN"),
  LpNormalization: overAxes((c) => [intAttr(c.node, "axis", -1)], "LpNormalization"),
};
