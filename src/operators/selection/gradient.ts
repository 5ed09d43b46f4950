/** Gradients of operators that take, put together or repeat elements. */
import { attr, intAttr, stringAttr } from "../../graph/attributes.js";
import { integersOf, sizeOf } from "../../graph/tensors.js";
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";
import { padsOf, sliceRanges } from "./ranges.js";

const concat: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const rank = dimsOf(c, c.node.outputs[0]).length;
  const given = intAttr(c.node, "axis", 1);
  const axis = given < 0 ? given + rank : given;
  let start = 0;
  return c.node.inputs.map((name, i) => {
    const from = start;
    start += dimsOf(c, name)[axis] as number;
    return c.wants(i) ? e.slice(dy, [axis], [from], [start]) : undefined;
  });
};

const split: GradientRule = (c) => {
  if (!c.wants(0)) return [];
  const e = emitter(c);
  const rank = dimsOf(c, c.node.inputs[0]).length;
  const given = intAttr(c.node, "axis", 0);
  const parts = c.node.outputs.map((name, i) => c.outputGradient(i) ?? e.zeros(dimsOf(c, name)));
  return [parts.length === 1 ? parts[0] : e.concat(parts, given < 0 ? given + rank : given)];
};

/** Rows of a matrix that picks input position `from[j]` for output position j; positions below 0 are none. */
function picking(from: readonly number[], extent: number): Float32Array {
  const matrix = new Float32Array(from.length * extent);
  from.forEach((at, j) => {
    if (at >= 0) matrix[j * extent + at] = 1;
  });
  return matrix;
}

const slice: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const [x = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const ranges = sliceRanges(c.node, dims, (name) => c.constant(name));
  if (!ranges) throw noGradient(c, "what it takes is computed at run time");
  let dx = dy;
  const now = [...dimsOf(c, c.node.outputs[0])];
  const before = dims.map(() => 0);
  const after = dims.map(() => 0);
  for (const [axis, { start, step, count }] of ranges) {
    const extent = dims[axis] as number;
    if (step === 1) {
      before[axis] = start;
      after[axis] = extent - start - count;
      continue;
    }
    const from = Array.from({ length: count }, (_, i) => start + i * step);
    dx = e.alongAxis(dx, now, axis, picking(from, extent), extent);
    now[axis] = extent;
  }
  return [e.pad(dx, before, after)];
};

/** Positions of the input that positions of the padded output show, along one axis; -1 for the constant. */
function padded(mode: string, extent: number, before: number, after: number): number[] {
  return Array.from({ length: before + extent + after }, (_, j) => {
    const i = j - before;
    if (mode === "edge") return Math.min(Math.max(i, 0), extent - 1);
    if (mode === "wrap") return ((i % extent) + extent) % extent;
    if (mode === "reflect") {
      const period = Math.max(1, 2 * (extent - 1));
      const at = ((i % period) + period) % period;
      return at < extent ? at : period - at;
    }
    return i >= 0 && i < extent ? i : -1;
  });
}

const pad: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const dims = dimsOf(c, c.node.inputs[0]);
  const pads = padsOf(c.node, dims.length, (name) => c.constant(name));
  if (!pads) throw noGradient(c, "its pads are computed at run time");
  const mode = stringAttr(c.node, "mode", "constant");
  if (mode === "constant") {
    const negated = (i: 0 | 1) => pads.map((p) => -p[i]);
    return [cropOrPad(e, dy, dimsOf(c, c.node.outputs[0]), negated(0), negated(1))];
  }
  let dx = dy;
  const now = [...dimsOf(c, c.node.outputs[0])];
  pads.forEach(([before, after], axis) => {
    if (before === 0 && after === 0) return;
    const extent = dims[axis] as number;
    dx = e.alongAxis(dx, now, axis, picking(padded(mode, extent, before, after), extent), extent);
    now[axis] = extent;
  });
  return [dx];
};

/** Slice where it can: a Pad by negative numbers does the same, slower. */
function cropOrPad(
  e: Emit,
  dy: string,
  dims: readonly number[],
  before: readonly number[],
  after: readonly number[],
): string {
  if ([...before, ...after].some((p) => p > 0)) return e.pad(dy, before, after);
  const axes = dims.map((_, i) => i).filter((i) => before[i] !== 0 || after[i] !== 0);
  if (axes.length === 0) return dy;
  return e.slice(
    dy,
    axes,
    axes.map((i) => -(before[i] as number)),
    axes.map((i) => (dims[i] as number) + (after[i] as number)),
  );
}

const gather: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const [x = "", indices = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const constant = c.constant(indices);
  const given = intAttr(c.node, "axis", 0);
  const axis = given < 0 ? given + dims.length : given;
  if (!constant) return [scattered(c, dy, indices, dims, axis)];
  const extent = dims[axis] as number;
  const from = integersOf(constant).map((i) => (i < 0 ? i + extent : i));
  const flat = dims.with(axis, from.length);
  const gathered = e.reshape(dy, flat);
  const start = from[0] ?? 0;
  if (from.every((at, i) => at === start + i)) {
    const before = dims.map((_, i) => (i === axis ? start : 0));
    const after = dims.map((_, i) => (i === axis ? extent - start - from.length : 0));
    return [e.pad(gathered, before, after)];
  }
  return [e.alongAxis(gathered, flat, axis, picking(from, extent), extent)];
};

/** For indices of a run, whatever their dims: rows of the axis, each added where it was taken from. */
function scattered(c: GradientContext, dy: string, indices: string, dims: readonly number[], axis: number): string {
  if (c.opset < 16)
    throw noGradient(c, "its indices are computed at run time, and before opset 16 nothing scatters and adds");
  const e = emitter(c);
  const extent = dims[axis] as number;
  const outer = sizeOf(dims.slice(0, axis));
  const inner = sizeOf(dims.slice(axis + 1));
  if (sizeOf(dims) === 0) return e.zeros(dims);
  const rows = e.reshape(e.transpose(e.reshape(dy, [outer, -1, inner]), [1, 0, 2]), [-1, outer * inner]);
  const places = e.reshape(e.cast(indices, "int64"), [-1, 1]);
  const zeros = e.zeros([extent, outer * inner]);
  const sums = c.builder.node("ScatterND", [zeros, places, rows], { reduction: addition });
  return e.reshape(e.transpose(e.reshape(sums, [extent, outer, inner]), [1, 0, 2]), dims);
}

const tile: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const dims = dimsOf(c, c.node.inputs[0]);
  const out = dimsOf(c, c.node.outputs[0]);
  const times = dims.map((d, i) => (d === 0 ? 0 : (out[i] as number) / d));
  if (times.every((t) => t === 1)) return [dy];
  const split = e.reshape(
    dy,
    dims.flatMap((d, i) => [times[i] as number, d]),
  );
  return [
    e.reduceSum(
      split,
      dims.map((_, i) => 2 * i),
      false,
    ),
  ];
};

const expand: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  return [emitter(c).sumTo(dy, dimsOf(c, c.node.outputs[0]), dimsOf(c, c.node.inputs[0]))];
};

const trilu: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  return [c.builder.node("Trilu", c.node.inputs.with(0, dy), Object.fromEntries(c.node.attributes))];
};

const gatherElements: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  if (c.opset < 16) throw noGradient(c, "before opset 16 nothing scatters and adds");
  const dims = dimsOf(c, c.node.inputs[0]);
  const zeros = emitter(c).zeros(dims);
  const attributes = { ...Object.fromEntries(c.node.attributes), reduction: addition };
  return [
    sizeOf(dims) === 0 ? zeros : c.builder.node("ScatterElements", [zeros, c.node.inputs[1] ?? "", dy], attributes),
  ];
};

const gatherNd: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  if (c.opset < 16) throw noGradient(c, "before opset 16 nothing scatters and adds");
  if (intAttr(c.node, "batch_dims", 0) !== 0) throw noGradient(c, "it gathers by batch");
  const zeros = emitter(c).zeros(dimsOf(c, c.node.inputs[0]));
  return [c.builder.node("ScatterND", [zeros, c.node.inputs[1] ?? "", dy], { reduction: addition })];
};

/** Each gradient goes back to the place that its value was taken from. */
const topK: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const indices = c.node.outputs[1];
  if (!indices || c.opset < 11) throw noGradient(c, "it needs its indices and opset 11");
  const zeros = emitter(c).zeros(dimsOf(c, c.node.inputs[0]));
  const axis = attr.int(intAttr(c.node, "axis", -1));
  return [c.builder.node("ScatterElements", [zeros, indices, dy], { axis })];
};

const addition = { kind: "string", value: new TextEncoder().encode("add") } as const;

export const gradients: Readonly<Record<string, GradientRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  TopK: topK,
  Tile: tile,
  Expand: expand,
  Trilu: trilu,
};
