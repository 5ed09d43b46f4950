/** What Slice and Pad take and add along each axis, in all the forms of their versions. */
import { intsAttr } from "../../graph/attributes.js";
import type { Node, Tensor } from "../../graph/ir.js";
import { integersOf } from "../../graph/tensors.js";

export interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** Attribute (old versions) or constant input; undefined: absent; null: known only at run time. */
function integers(
  node: Node,
  attribute: string,
  input: number,
  constant: (name: string) => Tensor | undefined,
): number[] | undefined | null {
  const given = intsAttr(node, attribute);
  if (given) return given;
  const name = node.inputs[input];
  if (!name) return undefined;
  const known = constant(name);
  return known ? integersOf(known) : null;
}

/** The range that Slice takes along each axis that it names; undefined where it is known only at run time. */
export function sliceRanges(
  node: Node,
  dims: readonly number[],
  constant: (name: string) => Tensor | undefined,
): Map<number, Range> | undefined {
  const starts = integers(node, "starts", 1, constant);
  const ends = integers(node, "ends", 2, constant);
  const axes = integers(node, "axes", 3, constant);
  const steps = integers(node, "steps", 4, constant);
  if (!starts || !ends || axes === null || steps === null) return undefined;
  const ranges = new Map<number, Range>();
  starts.forEach((s, i) => {
    const given = axes ? (axes[i] as number) : i;
    const axis = given < 0 ? given + dims.length : given;
    const extent = dims[axis] as number;
    const step = steps?.[i] ?? 1;
    const end = ends[i] as number;
    const from = s < 0 ? s + extent : s;
    const to = end < 0 ? end + extent : end;
    const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
    const start = Math.min(Math.max(from, Math.max(low, 0)), high);
    const stop = Math.min(Math.max(to, low), step > 0 ? extent : extent - 1);
    ranges.set(axis, { start, step, count: Math.max(0, Math.ceil((stop - start) / step)) });
  });
  return ranges;
}

/** [before, after] that Pad adds along each axis; undefined where it is known only at run time. */
export function padsOf(
  node: Node,
  rank: number,
  constant: (name: string) => Tensor | undefined,
): [number, number][] | undefined {
  const pads = integers(node, "pads", 1, constant) ?? integers(node, "paddings", 1, constant);
  const given = node.inputs[3] ? integers(node, "", 3, constant) : undefined;
  if (!pads || given === null) return undefined;
  const axes = (given ?? Array.from({ length: rank }, (_, i) => i)).map((a) => (a < 0 ? a + rank : a));
  const all: [number, number][] = Array.from({ length: rank }, () => [0, 0]);
  axes.forEach((axis, i) => {
    all[axis] = [pads[i] ?? 0, pads[i + axes.length] ?? 0];
  });
  return all;
}
