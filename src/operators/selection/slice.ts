/** Operators that put together, take apart, pad or repeat, after channels are gone. */
import { HalpError } from "../../errors.js";
import { attr, intAttr, intsAttr, withAttribute } from "../../graph/attributes.js";
import type { Node } from "../../graph/ir.js";
import { int64Tensor, integersOf } from "../../graph/tensors.js";
import type { SliceContext, SliceRule } from "../spec.js";
import { padsOf, sliceRanges } from "./ranges.js";

const below = (kept: Int32Array, limit: number) => kept.reduce((n, k) => (k < limit ? n + 1 : n), 0);

const axisOf = (c: SliceContext, rank: number) => {
  const axis = intAttr(c.node, "axis", 0);
  return axis < 0 ? axis + rank : axis;
};

function identity(from: string, node: Node, output = node.outputs[0] ?? ""): Node {
  return { name: node.name, opType: "Identity", domain: "", inputs: [from], outputs: [output], attributes: new Map() };
}

/** A constant part with nothing left goes (parts that are computed are taken away before). */
const concat: SliceRule = (c) => {
  const axis = axisOf(c, c.type(c.node.outputs[0] ?? "")?.dims.length ?? 0);
  const inputs = c.node.inputs.filter((x) => c.kept(x, axis)?.length !== 0);
  const [only = ""] = inputs;
  return inputs.length === 1 ? identity(only, c.node) : { ...c.node, inputs };
};

/** Sizes become explicit; an output with nothing left goes. */
const split: SliceRule = (c) => {
  const [x = ""] = c.node.inputs;
  const axis = axisOf(c, c.type(x)?.dims.length ?? 0);
  if (!c.kept(x, axis)) return c.node;
  const parts = c.node.outputs
    .map((name) => ({ name, size: c.kept(name, axis)?.length ?? c.type(name)?.dims[axis] ?? 0 }))
    .filter((p) => p.size > 0);
  const [first] = parts;
  if (first && parts.length === 1) return identity(x, c.node, first.name);
  const sizes = parts.map((p) => p.size);
  const node = withAttribute({ ...c.node, outputs: parts.map((p) => p.name) }, "num_outputs", undefined);
  if (c.opset < 13) return withAttribute(node, "split", attr.ints(sizes));
  return { ...node, inputs: [x, c.addConstant(int64Tensor(`${first?.name ?? x}_sizes`, [sizes.length], sizes))] };
};

/** Bounds are counted anew among what stays; a step other than one becomes a Gather of the positions that stay. */
const slice: SliceRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const ranges = sliceRanges(c.node, dims, c.constant);
  if (!ranges) return c.node;
  const axes = axesOfSlice(c, dims.length);
  const starts = new Map<number, number>();
  const ends = new Map<number, number>();
  const gathers: [number, number[]][] = [];
  axes.forEach((axis, entry) => {
    const range = ranges.get(axis);
    const kept = c.kept(x, axis);
    if (!range || !kept) return;
    if (range.step === 1) {
      starts.set(entry, below(kept, range.start));
      ends.set(entry, below(kept, range.start + range.count));
      return;
    }
    const place = new Map([...kept].map((old, i) => [old, i]));
    const stays = c.kept(y, axis) ?? Int32Array.from({ length: range.count }, (_, i) => i);
    gathers.push([axis, [...stays].map((i) => place.get(range.start + i * range.step) ?? 0)]);
    // The Slice itself takes the whole axis.
    starts.set(entry, 0);
    ends.set(entry, kept.length);
  });
  if (starts.size === 0) return c.node;
  const takesAll = axes.every((axis, entry) => starts.get(entry) === 0 && ends.get(entry) === c.kept(x, axis)?.length);
  if (gathers.length === 0 && takesAll) return identity(x, c.node);
  const nodes: Node[] = [];
  const sliced = gathers.length === 0 ? y : c.freshName(`${y}_sliced`);
  const steps = c.node.inputs[4];
  const ones = new Map(gathers.map(([axis]) => [axes.indexOf(axis), 1]));
  if (c.node.inputs.length > 1) {
    const inputs = [...c.node.inputs];
    inputs[1] = c.replaceEntries(inputs[1] ?? "", starts);
    inputs[2] = c.replaceEntries(inputs[2] ?? "", ends);
    if (steps && ones.size > 0) inputs[4] = c.replaceEntries(steps, ones);
    nodes.push({ ...c.node, inputs, outputs: [sliced] });
  } else {
    const replaced = (name: string, entries: ReadonlyMap<number, number>) =>
      attr.ints((intsAttr(c.node, name) ?? []).map((v, i) => entries.get(i) ?? v));
    const moved = withAttribute(c.node, "starts", replaced("starts", starts));
    nodes.push({ ...withAttribute(moved, "ends", replaced("ends", ends)), outputs: [sliced] });
  }
  let from = sliced;
  gathers.forEach(([axis, positions], i) => {
    const to = i === gathers.length - 1 ? y : c.freshName(`${y}_gathered`);
    nodes.push(gatherNode(c, from, to, axis, positions));
    from = to;
  });
  return nodes;
};

function axesOfSlice(c: SliceContext, rank: number): number[] {
  const name = c.node.inputs[3];
  const known = name ? c.constant(name) : undefined;
  const starts = intsAttr(c.node, "starts");
  const startsInput = c.node.inputs[1] ? c.constant(c.node.inputs[1]) : undefined;
  const count = starts?.length ?? startsInput?.dims[0] ?? rank;
  const given = intsAttr(c.node, "axes") ?? (known ? integersOf(known) : Array.from({ length: count }, (_, i) => i));
  return given.map((a) => (a < 0 ? a + rank : a));
}

function gatherNode(c: SliceContext, from: string, to: string, axis: number, positions: readonly number[]): Node {
  const indices = c.addConstant(int64Tensor(`${to}_indices`, [positions.length], positions));
  return {
    name: "",
    opType: "Gather",
    domain: "",
    inputs: [from, indices],
    outputs: [to],
    attributes: new Map([["axis", attr.int(axis)]]),
  };
}

/** Indices are those of the same channels among what stays. */
const gather: SliceRule = (c) => {
  const [x = "", indices = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const axis = axisOf(c, dims.length);
  const kept = c.kept(x, axis);
  const known = c.constant(indices);
  if (known?.dims.length !== 1 || (!kept && !c.kept(y, axis))) return c.node;
  const extent = dims[axis] ?? 0;
  const place = new Map<number, number>();
  const standing = kept ?? Int32Array.from({ length: extent }, (_, i) => i);
  for (const [i, old] of standing.entries()) place.set(old, i);
  const all = integersOf(known).map((i) => (i < 0 ? i + extent : i));
  const stays = [...(c.kept(y, axis) ?? all.keys())].map((k) => all[k] ?? 0);
  const positions = stays.map((old) => {
    const at = place.get(old);
    if (at === undefined)
      throw new HalpError("HALP_REWRITE_SHAPE", `Gather "${y}" reads channel ${old} of "${x}", which is gone.`, {
        name: y,
        exitCode: 1,
      });
    return at;
  });
  const takesAll = positions.length === standing.length && positions.every((at, i) => at === i);
  return takesAll ? identity(x, c.node) : gatherNode(c, x, y, axis, positions);
};

/** Amounts are those of the padded channels that stay; where none is left there is nothing to pad. */
const pad: SliceRule = (c) => {
  const [x = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const dims = c.type(x)?.dims ?? [];
  const pads = padsOf(c.node, dims.length, c.constant);
  if (!pads) return c.node;
  const axes = axesOfPad(c, dims.length);
  const changed = new Map<number, number>();
  axes.forEach((axis, entry) => {
    const [before, after] = pads[axis] ?? [0, 0];
    if (before === 0 && after === 0) return;
    const extent = dims[axis] ?? 0;
    const source = c.kept(x, axis) ?? Int32Array.from({ length: extent }, (_, i) => i);
    const target = c.kept(y, axis) ?? Int32Array.from({ length: extent + before + after }, (_, i) => i);
    if (!c.kept(x, axis) && !c.kept(y, axis)) return;
    changed.set(entry, before > 0 ? below(target, before) : -below(source, -before));
    const atEnd =
      after > 0 ? target.length - below(target, before + extent) : below(source, extent + after) - source.length;
    changed.set(entry + axes.length, atEnd);
  });
  if (changed.size === 0) return c.node;
  const nothingLeft = pads.every((pair, axis) => {
    const entry = axes.indexOf(axis);
    return [0, 1].every((end) => (changed.get(entry + end * axes.length) ?? pair[end]) === 0);
  });
  if (nothingLeft) return identity(x, c.node);
  for (const name of ["pads", "paddings"]) {
    const given = intsAttr(c.node, name);
    if (given) return withAttribute(c.node, name, attr.ints(given.map((v, i) => changed.get(i) ?? v)));
  }
  const inputs = [...c.node.inputs];
  inputs[1] = c.replaceEntries(inputs[1] ?? "", changed);
  return { ...c.node, inputs };
};

function axesOfPad(c: SliceContext, rank: number): number[] {
  const known = c.node.inputs[3] ? c.constant(c.node.inputs[3]) : undefined;
  const given = known ? integersOf(known) : Array.from({ length: rank }, (_, i) => i);
  return given.map((a) => (a < 0 ? a + rank : a));
}

/** Entries of 1 leave an axis alone; the others name its extent. */
const expand: SliceRule = (c) => {
  const [x = "", shape = ""] = c.node.inputs;
  const [y = ""] = c.node.outputs;
  const known = c.constant(shape);
  const entries = known ? integersOf(known) : undefined;
  const rank = c.type(y)?.dims.length ?? 0;
  const first = rank - (entries?.length ?? rank);
  const changed = new Map<number, number>();
  for (let axis = Math.max(0, first); axis < rank; axis++) {
    const kept = c.kept(y, axis);
    if (kept && entries?.[axis - first] !== 1) changed.set(axis - first, kept.length);
  }
  return changed.size === 0 ? c.node : { ...c.node, inputs: [x, c.replaceEntries(shape, changed)] };
};

export const slices: Readonly<Record<string, SliceRule>> = {
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  Pad: pad,
  Expand: expand,
};
