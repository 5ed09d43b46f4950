/**
 * Channels of a network that has been pruned already, as channels of the network it came from. Values keep their names
 * when channels go, so a position along an axis leads back to its old position, and that to its old channel.
 */
import type { Coupling, Plan } from "../coupling/index.js";

/** For each channel of `now` (global number): its global number in `original`, -1 for one that has none. */
export function originalChannels(
  original: Coupling,
  now: Coupling,
  keptOf: (name: string, axis: number) => Int32Array | undefined,
): Int32Array {
  const origin = new Int32Array(now.channelCount).fill(-1);
  for (const [name, axes] of now.axes) {
    const before = original.axes.get(name);
    if (!before) continue;
    axes.forEach((channels, axis) => {
      const old = before[axis];
      if (!channels || !old) return;
      const kept = keptOf(name, axis);
      channels.forEach((channel, position) => {
        if (channel >= 0) origin[channel] = old[kept ? (kept[position] as number) : position] as number;
      });
    });
  }
  return origin;
}

/** A plan for `now` as a plan for `original`: what `now` no longer has is gone; frozen groups stay whole. */
export function planForOriginal(original: Coupling, now: Coupling, origin: Int32Array, plan: Plan): Plan {
  const stays = new Uint8Array(original.channelCount);
  for (const group of now.groups)
    for (const channel of plan.kept[group.id] ?? []) {
      const old = origin[group.start + channel] as number;
      if (old >= 0) stays[old] = 1;
    }
  return {
    kept: original.groups.map((group) => {
      const all = Int32Array.from({ length: group.size }, (_, i) => i);
      return group.frozen === undefined ? all.filter((c) => stays[group.start + c] === 1) : all;
    }),
  };
}

/** The plan that keeps everything. */
export function wholePlan(coupling: Coupling): Plan {
  return { kept: coupling.groups.map((g) => Int32Array.from({ length: g.size }, (_, i) => i)) };
}
