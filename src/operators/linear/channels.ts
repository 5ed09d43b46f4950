/** Channels through matrix products: the contracted axis is summed over, the outputs are born. */
import { intAttr } from "../../graph/attributes.js";
import type { AxisLabels, ChannelContext, ChannelRule } from "../spec.js";

/** Labels of the weight's output axis: those it has from another use, else new ones. */
function born(c: ChannelContext, weight: string, axis: number): AxisLabels {
  const outputs = c.labels(weight, axis) ?? c.fresh(c.type(weight)?.dims.at(axis) ?? 0);
  c.setLabels(weight, axis, outputs);
  c.produces(outputs);
  return outputs;
}

const gemm: ChannelRule = (c) => {
  const [a = "", b = "", bias = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const [rowsAxis, aAxis] = intAttr(c.node, "transA", 0) ? [1, 0] : [0, 1];
  const [bAxis, outAxis] = intAttr(c.node, "transB", 0) ? [1, 0] : [0, 1];
  const inputs = c.labels(a, aAxis);
  c.consumes(inputs);
  const rows = c.labels(a, rowsAxis);
  let outputs: AxisLabels;
  if (c.constant(b)) {
    c.setLabels(b, bAxis, inputs);
    outputs = born(c, b, outAxis);
  } else {
    c.join(inputs, c.labels(b, bAxis));
    outputs = c.labels(b, outAxis);
  }
  if (bias !== "") {
    const dims = c.type(bias)?.dims ?? [];
    if ((dims.at(-1) ?? 1) > 1) c.setLabels(bias, -1, outputs);
    if (dims.length > 1 && (dims[0] ?? 1) > 1) c.setLabels(bias, 0, rows);
  }
  c.setLabels(y, 0, rows);
  c.setLabels(y, 1, outputs);
};

const matMul: ChannelRule = (c) => {
  const [a = "", b = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const rankA = c.type(a)?.dims.length ?? 0;
  const rankB = c.type(b)?.dims.length ?? 0;
  if (rankA < 2 || rankB < 2) {
    for (const [name, rank] of [
      [a, rankA],
      [b, rankB],
    ] as const)
      for (let axis = 0; axis < rank; axis++) c.freeze(c.labels(name, axis), "meets a matrix product with a vector");
    return;
  }
  const rank = Math.max(rankA, rankB);
  const outAxes: AxisLabels[] = new Array<AxisLabels>(rank).fill(null);
  if (c.constant(b) && rankB === 2) {
    const inputs = c.labels(a, -1);
    c.consumes(inputs);
    c.setLabels(b, 0, inputs);
    for (let axis = 0; axis < rankA - 1; axis++) outAxes[axis] = c.labels(a, axis);
    outAxes[rank - 1] = born(c, b, 1);
  } else if (c.constant(a) && rankA === 2) {
    const inputs = c.labels(b, -2);
    c.consumes(inputs);
    c.setLabels(a, 1, inputs);
    for (let axis = 0; axis < rankB - 2; axis++) outAxes[axis] = c.labels(b, axis);
    outAxes[rank - 1] = c.labels(b, -1);
    outAxes[rank - 2] = born(c, a, 0);
  } else {
    const inputs = c.labels(a, -1);
    c.consumes(inputs);
    c.join(inputs, c.labels(b, -2));
    for (let axis = 0; axis < rank - 2; axis++) {
      const ia = axis - (rank - rankA);
      const ib = axis - (rank - rankB);
      const la = ia >= 0 && (c.type(a)?.dims[ia] ?? 1) > 1 ? c.labels(a, ia) : null;
      const lb = ib >= 0 && (c.type(b)?.dims[ib] ?? 1) > 1 ? c.labels(b, ib) : null;
      const both = ia >= 0 && ib >= 0 && c.type(a)?.dims[ia] === c.type(b)?.dims[ib];
      if (both) c.join(la, lb);
      outAxes[axis] = la ?? lb;
    }
    outAxes[rank - 2] = c.labels(a, -2);
    outAxes[rank - 1] = c.labels(b, -1);
  }
  outAxes.forEach((labels, axis) => {
    c.setLabels(y, axis, labels);
  });
};

export const channels: Readonly<Record<string, ChannelRule>> = { Gemm: gemm, MatMul: matMul };
