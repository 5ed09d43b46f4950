/** Channels through pooling: each is pooled alone. */
import type { ChannelRule } from "../spec.js";

const pool: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const rank = c.type(x)?.dims.length ?? 0;
  for (let axis = 2; axis < rank; axis++) c.freeze(c.labels(x, axis), "is pooled along as if it were space");
  for (const output of c.node.outputs)
    if (output !== "") for (const axis of [0, 1]) c.setLabels(output, axis, c.labels(x, axis));
};

const names = ["MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];

export const channels: Readonly<Record<string, ChannelRule>> = Object.fromEntries(names.map((n) => [n, pool]));
