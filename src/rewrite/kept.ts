/** What a plan leaves along each axis of each value. */
import type { Coupling, Plan } from "../coupling/types.js";
import { HalpError } from "../errors.js";

export interface Kept {
  /** 1 for each channel (by global number) that stays. */
  readonly channels: Uint8Array;
  /** Old positions that stay along an axis, ascending; undefined where all stay. */
  positions(name: string, axis: number): Int32Array | undefined;
  /** Dims after the cut of a value that had these dims. */
  dims(name: string, dims: readonly number[]): number[];
  /** Whether any axis of the value loses a position. */
  isCut(name: string): boolean;
  /** Whether some axis of the value has nothing left. */
  isGone(name: string): boolean;
}

/** @throws HalpError HALP_PLAN where the plan does not fit the groups: wrong count, order, range, or a frozen group cut. */
export function keptBy(coupling: Coupling, plan: Plan): Kept {
  if (plan.kept.length !== coupling.groups.length)
    throw new HalpError(
      "HALP_PLAN",
      `The plan speaks of ${plan.kept.length} groups, the network has ${coupling.groups.length}. Make it from the same coupling.`,
      { exitCode: 1 },
    );
  const channels = new Uint8Array(coupling.channelCount);
  coupling.groups.forEach((group, id) => {
    const kept = plan.kept[id] ?? new Int32Array();
    let last = -1;
    for (const c of kept) {
      if (c <= last || c >= group.size)
        throw new HalpError(
          "HALP_PLAN",
          `Group "${group.name}" has channels 0 to ${group.size - 1}; the plan keeps ${c} after ${last}. Kept channels must ascend within that range.`,
          { name: group.name, exitCode: 1 },
        );
      channels[group.start + c] = 1;
      last = c;
    }
    if (group.frozen !== undefined && kept.length !== group.size)
      throw new HalpError(
        "HALP_PLAN",
        `Group "${group.name}" is frozen (${group.frozen}); the plan keeps ${kept.length} of its ${group.size} channels. Keep all.`,
        { name: group.name, exitCode: 1 },
      );
  });
  return keptWith(coupling, channels);
}

/** @param channels 1 for each channel, by global number, that stays. */
function keptWith(coupling: Coupling, channels: Uint8Array): Kept {
  const cache = new Map<Int32Array, Int32Array | undefined>();
  const alongAxis = (labels: Int32Array): Int32Array | undefined => {
    if (cache.has(labels)) return cache.get(labels);
    const stays: number[] = [];
    labels.forEach((channel, position) => {
      if (channel < 0 || channels[channel] === 1) stays.push(position);
    });
    const result = stays.length === labels.length ? undefined : Int32Array.from(stays);
    cache.set(labels, result);
    return result;
  };
  const positions = (name: string, axis: number) => {
    const axes = coupling.axes.get(name);
    const labels = axes?.[axis < 0 ? axis + axes.length : axis];
    return labels ? alongAxis(labels) : undefined;
  };
  const some = (name: string, test: (kept: Int32Array) => boolean) =>
    (coupling.axes.get(name) ?? []).some((labels) => {
      const kept = labels ? alongAxis(labels) : undefined;
      return kept !== undefined && test(kept);
    });
  return {
    channels,
    positions,
    dims: (name, dims) => dims.map((d, axis) => positions(name, axis)?.length ?? d),
    isCut: (name) => some(name, () => true),
    isGone: (name) => some(name, (kept) => kept.length === 0),
  };
}
