import type { AxisLabels, ChannelContext } from "../spec.js";

/** Axes of the old and the new shape that hold the same elements: `dims` of both multiply to the same. */
interface Segment {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Splits two shapes of equal size into the smallest runs of axes with equal products. */
export function segments(before: readonly number[], after: readonly number[]): Segment[] {
  const made: Segment[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const from: number[] = [];
    const to: number[] = [];
    let p = 1;
    let q = 1;
    if (i < before.length) {
      p = before[i] as number;
      from.push(i++);
    }
    if (j < after.length) {
      q = after[j] as number;
      to.push(j++);
    }
    while (p !== q) {
      if (p < q && i < before.length) {
        p *= before[i] as number;
        from.push(i++);
      } else if (j < after.length) {
        q *= after[j] as number;
        to.push(j++);
      } else if (i < before.length) {
        p *= before[i] as number;
        from.push(i++);
      } else break;
    }
    made.push({ from, to });
  }
  return made;
}

/**
 * Labels through a change of shape that keeps the elements in order (Reshape, Flatten, Squeeze, Unsqueeze).
 *
 * Axes that merge: the long axis repeats the labels of the axis that had them. An axis that splits: removal must stay
 * rectangular, so one of the new axes takes the labels, and what shares a place on it is joined; taken is the axis that
 * leaves most channels (of equals, the first), where the user does not ask for another.
 */
export function regroup(c: ChannelContext, input: string, output: string): void {
  const before = c.type(input)?.dims ?? [];
  const after = c.type(output)?.dims ?? [];
  for (const segment of segments(before, after)) {
    const labelled = segment.from.filter((axis) => c.labels(input, axis));
    if (labelled.length === 0) continue;
    if (labelled.length > 1) {
      for (const axis of labelled) c.freeze(c.labels(input, axis), "is merged with another axis that has channels too");
      continue;
    }
    const axis = labelled[0] as number;
    const flat = flatten(before, segment.from, axis, c.labels(input, axis) as Int32Array);
    const target = wantedAxis(c, after, segment.to) ?? chooseAxis(after, segment.to, flat);
    if (target === undefined) {
      c.freeze(flat, "loses its axis in a change of shape");
      continue;
    }
    c.setLabels(output, target, place(c, after, segment.to, target, flat));
  }
}

/** Label of each element of the segment, row-major. */
function flatten(dims: readonly number[], axes: readonly number[], axis: number, labels: Int32Array): Int32Array {
  const extents = axes.map((a) => dims[a] as number);
  const inner = extents.slice(axes.indexOf(axis) + 1).reduce((n, d) => n * d, 1);
  const total = extents.reduce((n, d) => n * d, 1);
  return Int32Array.from({ length: total }, (_, i) => labels[Math.floor(i / inner) % labels.length] as number);
}

function indexAlong(dims: readonly number[], axes: readonly number[], target: number): (flat: number) => number {
  const inner = axes.slice(axes.indexOf(target) + 1).reduce((n, a) => n * (dims[a] as number), 1);
  const extent = dims[target] as number;
  return (flat) => Math.floor(flat / inner) % extent;
}

/** Of the last two new axes, [heads, width], that which the user asked for. */
function wantedAxis(c: ChannelContext, dims: readonly number[], axes: readonly number[]): number | undefined {
  const long = axes.filter((axis) => dims[axis] !== 1);
  if (long.length < 2) return undefined;
  const wanted = c.wantedSplit();
  return wanted && long.at(wanted === "heads" ? -2 : -1);
}

/** The axis that leaves most channels once what shares a place on it is joined; of equals, the one with least to join, then the first. */
function chooseAxis(dims: readonly number[], axes: readonly number[], flat: Int32Array): number | undefined {
  let best: number | undefined;
  let most = { left: 0, joins: 0 };
  for (const target of axes) {
    if (dims[target] === 1 && axes.some((a) => dims[a] !== 1)) continue;
    const found = countJoined(flat, dims[target] as number, indexAlong(dims, axes, target));
    if (found.left > most.left || (found.left === most.left && found.joins < most.joins)) {
      best = target;
      most = found;
    }
  }
  return best;
}

interface Joined {
  /** Classes of labels that are left. */
  readonly left: number;
  /** Elements that do not have the label of the first at their place. */
  readonly joins: number;
}

/** Classes of labels once those at the same place, of `extent`, are one. Fixed positions count for nothing. */
function countJoined(flat: Int32Array, extent: number, at: (flat: number) => number): Joined {
  const parent = new Map<number, number>();
  for (const label of flat) parent.set(label, label);
  const find = (label: number): number => {
    let root = label;
    for (let up = parent.get(root) ?? root; up !== root; up = parent.get(root) ?? root) root = up;
    parent.set(label, root);
    return root;
  };
  const first = new Int32Array(extent).fill(-2);
  let joins = 0;
  for (let i = 0; i < flat.length; i++) {
    const label = flat[i] as number;
    const other = first[at(i)] as number;
    if (other === -2) first[at(i)] = label;
    else if (other !== label) {
      joins++;
      const [low, high] = [find(label), find(other)].sort((x, y) => x - y) as [number, number];
      parent.set(high, low); // -1, the fixed ones, stays on top
    }
  }
  let left = 0;
  for (const label of parent.keys()) if (label >= 0 && find(label) === label) left++;
  return { left, joins };
}

function place(
  c: ChannelContext,
  dims: readonly number[],
  axes: readonly number[],
  target: number,
  flat: Int32Array,
): AxisLabels {
  const at = indexAlong(dims, axes, target);
  const labels = new Int32Array(dims[target] as number).fill(-2);
  for (let i = 0; i < flat.length; i++) {
    const k = at(i);
    const label = flat[i] as number;
    if (labels[k] === -2) labels[k] = label;
    else if (labels[k] !== label) c.join(labels.slice(k, k + 1), Int32Array.of(label));
  }
  return labels;
}
