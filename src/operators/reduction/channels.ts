/** Channels through reductions: axes that stay are handed on; a sum over channels consumes them; a mean or maximum over them needs all. */
import { intAttr, intsAttr } from "../../graph/attributes.js";
import { integersOf } from "../../graph/tensors.js";
import type { ChannelContext, ChannelRule } from "../spec.js";

/** Axes reduced over, not negative; undefined where they are computed at run time. */
function reducedAxes(c: ChannelContext, rank: number): number[] | undefined {
  const input = c.node.inputs[1];
  let axes = intsAttr(c.node, "axes");
  if (input) {
    const known = c.constant(input);
    if (!known) return undefined;
    axes = integersOf(known);
  }
  if (!axes || axes.length === 0)
    return intAttr(c.node, "noop_with_empty_axes", 0) ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((a) => (a < 0 ? a + rank : a));
}

/** `additive`: a channel that is zero adds nothing, so it may go. */
function reduce(additive: boolean, axesOf = reducedAxes): ChannelRule {
  return (c) => {
    const [x = ""] = c.node.inputs;
    const [y = ""] = c.node.outputs;
    const rank = c.type(x)?.dims.length ?? 0;
    const axes = axesOf(c, rank);
    const keep = intAttr(c.node, "keepdims", 1) === 1;
    let out = 0;
    for (let axis = 0; axis < rank; axis++) {
      const labels = c.labels(x, axis);
      if (axes === undefined) c.freeze(labels, `is reduced by ${c.node.opType} over axes known only at run time`);
      else if (axes.includes(axis)) {
        if (additive) c.consumes(labels);
        else c.freeze(labels, `${c.node.opType} over these channels depends on how many there are`);
        if (keep) out++;
      } else c.setLabels(y, out++, labels);
    }
  };
}

const byAxisAttribute = (c: ChannelContext, rank: number) => {
  const axis = intAttr(c.node, "axis", 0);
  return [axis < 0 ? axis + rank : axis];
};

export const channels: Readonly<Record<string, ChannelRule>> = {
  ...Object.fromEntries(["ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"].map((n) => [n, reduce(true)])),
  ...Object.fromEntries(
    ["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum", "ReduceLogSumExp"].map((n) => [
      n,
      reduce(false),
    ]),
  ),
  ArgMax: reduce(false, byAxisAttribute),
  ArgMin: reduce(false, byAxisAttribute),
};
