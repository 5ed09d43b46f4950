/** Channels through resizing: axes that keep their extent hand on, those that are resampled are space. */
import type { ChannelRule } from "../spec.js";

const resample: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const before = c.type(x)?.dims ?? [];
  const after = c.type(y)?.dims ?? [];
  before.forEach((extent, axis) => {
    const labels = c.labels(x, axis);
    if (after[axis] === extent) c.setLabels(y, axis, labels);
    else c.freeze(labels, `${c.node.opType} resamples along it`);
  });
};

export const channels: Readonly<Record<string, ChannelRule>> = { Resize: resample, Upsample: resample };
