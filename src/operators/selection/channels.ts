/** Channels through operators that put together, take apart, pad or repeat along an axis. */
import { intAttr, stringAttr } from "../../graph/attributes.js";
import { integersOf } from "../../graph/tensors.js";
import { joinBroadcast } from "../broadcast.js";
import type { ChannelContext, ChannelRule } from "../spec.js";
import { padsOf, sliceRanges } from "./ranges.js";

const axisOf = (c: ChannelContext, rank: number, otherwise: number) => {
  const axis = intAttr(c.node, "axis", otherwise);
  return axis < 0 ? axis + rank : axis;
};

const concat: ChannelRule = (c) => {
  const [y = ""] = c.node.outputs;
  const rank = c.type(y)?.dims.length ?? 0;
  const along = axisOf(c, rank, 1);
  for (let axis = 0; axis < rank; axis++) {
    if (axis === along) {
      const hasChannels = c.node.inputs.some((x) => c.labels(x, axis));
      const parts = c.node.inputs.map((x) => {
        const labels = c.labels(x, axis);
        if (labels) return labels;
        const extent = c.type(x)?.dims[axis] ?? 0;
        if (!hasChannels || !c.constant(x)) return new Int32Array(extent).fill(-1);
        // Constant channels beside others (zeros that widen a shortcut) may go with the channels they are added to.
        const born = c.fresh(extent);
        c.setLabels(x, axis, born);
        return born;
      });
      const whole = new Int32Array(parts.reduce((n, p) => n + p.length, 0));
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      c.setLabels(y, axis, whole);
      continue;
    }
    const activations = c.node.inputs.filter((x) => !c.constant(x));
    const labels = c.labels(activations[0] ?? "", axis);
    for (const x of activations.slice(1)) c.join(labels, c.labels(x, axis));
    for (const x of c.node.inputs) if (c.constant(x)) c.setLabels(x, axis, labels);
    c.setLabels(y, axis, labels);
  }
};

const split: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const rank = c.type(x)?.dims.length ?? 0;
  const along = axisOf(c, rank, 0);
  for (let axis = 0; axis < rank; axis++) {
    const labels = c.labels(x, axis);
    let at = 0;
    for (const output of c.node.outputs) {
      const extent = c.type(output)?.dims[axis] ?? 0;
      if (axis !== along) c.setLabels(output, axis, labels);
      else if (labels) c.setLabels(output, axis, labels.slice(at, at + extent));
      at += extent;
    }
  }
};

const slice: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const ranges = sliceRanges(c.node, dims, c.constant);
  dims.forEach((_, axis) => {
    const labels = c.labels(x, axis);
    if (!ranges) {
      c.freeze(labels, "is sliced between bounds known only at run time");
      return;
    }
    const range = ranges.get(axis);
    if (!range) c.setLabels(y, axis, labels);
    else if (labels)
      c.setLabels(
        y,
        axis,
        Int32Array.from({ length: range.count }, (_v, i) => labels[range.start + i * range.step] as number),
      );
  });
};

const gather: ChannelRule = (c) => {
  const [x = "", indices = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const along = axisOf(c, dims.length, 0);
  const known = c.constant(indices);
  const indexRank = c.type(indices)?.dims.length ?? 0;
  dims.forEach((extent, axis) => {
    const labels = c.labels(x, axis);
    if (axis < along) c.setLabels(y, axis, labels);
    else if (axis > along) c.setLabels(y, axis - 1 + indexRank, labels);
    else if (known && indexRank === 1 && labels)
      c.setLabels(
        y,
        axis,
        Int32Array.from(integersOf(known), (i) => labels[i < 0 ? i + extent : i] as number),
      );
    else c.freeze(labels, known ? "is picked by position" : "is picked by positions known only at run time");
  });
};

const pad: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const pads = padsOf(c.node, dims.length, c.constant);
  const constantMode = stringAttr(c.node, "mode", "constant") === "constant";
  dims.forEach((extent, axis) => {
    const labels = c.labels(x, axis);
    const [before, after] = pads?.[axis] ?? [0, 0];
    if (!pads) c.freeze(labels, "is padded by amounts known only at run time");
    else if (before === 0 && after === 0) c.setLabels(y, axis, labels);
    else if (!constantMode) c.freeze(labels, `is padded with copies of other channels`);
    else if (labels) {
      // Padded channels are born here: constants that may go with the channels they are added to.
      const out = new Int32Array(extent + before + after);
      out.set(c.fresh(Math.max(0, before)), 0);
      out.set(labels.subarray(Math.max(0, -before), extent - Math.max(0, -after)), Math.max(0, before));
      if (after > 0) out.set(c.fresh(after), extent + before);
      c.setLabels(y, axis, out);
    }
  });
};

const tile: ChannelRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const after = c.type(y)?.dims ?? [];
  (c.type(x)?.dims ?? []).forEach((extent, axis) => {
    const labels = c.labels(x, axis);
    if (labels)
      c.setLabels(
        y,
        axis,
        Int32Array.from({ length: after[axis] ?? 0 }, (_, i) => labels[i % extent] as number),
      );
  });
};

const expand: ChannelRule = (c) => joinBroadcast(c, c.node.inputs.slice(0, 1), c.node.outputs[0] ?? "");

export const channels: Readonly<Record<string, ChannelRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Pad: pad,
  Tile: tile,
  Expand: expand,
};
