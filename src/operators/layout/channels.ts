/** Channels through operators that move elements about and change none. */
import { intAttr, intsAttr, stringAttr } from "../../graph/attributes.js";
import type { ChannelRule } from "../spec.js";
import { regroup } from "./regroup.js";

const reshape: ChannelRule = (c) => regroup(c, c.node.inputs[0] ?? "", c.node.outputs[0] ?? "");

const transpose: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const rank = c.type(x)?.dims.length ?? 0;
  const order = intsAttr(c.node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  order.forEach((from, to) => {
    c.setLabels(c.node.outputs[0] ?? "", to, c.labels(x, from));
  });
};

/** DepthToSpace: the r*r channels that make one channel's pixels go together. */
const depthToSpace: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const inputs = c.labels(x, 1);
  c.setLabels(y, 0, c.labels(x, 0));
  if (!inputs) return;
  const blocks = intAttr(c.node, "blocksize", 1) ** 2;
  const count = inputs.length / blocks;
  const columnFirst = stringAttr(c.node, "mode", "DCR") === "CRD";
  const labels = Int32Array.from({ length: count }, (_, k) => {
    const first = columnFirst ? k * blocks : k;
    for (let b = 1; b < blocks; b++) {
      const other = columnFirst ? first + b : k + b * count;
      c.join(inputs.slice(first, first + 1), inputs.slice(other, other + 1));
    }
    return inputs[first] as number;
  });
  c.setLabels(y, 1, labels);
};

const spaceToDepth: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const inputs = c.labels(x, 1);
  c.setLabels(y, 0, c.labels(x, 0));
  if (!inputs) return;
  const blocks = intAttr(c.node, "blocksize", 1) ** 2;
  c.setLabels(
    y,
    1,
    Int32Array.from({ length: inputs.length * blocks }, (_, i) => inputs[i % inputs.length] as number),
  );
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: transpose,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
