/** Which numbers of channels a group may keep. */
import type { CouplingGroup } from "../coupling/index.js";

export interface OptionGrid {
  /** The multiple of channels at which this device's latency steps, as measured. */
  readonly alignment: number;
  /** At most this many widths a group, besides 0 and all. Default 16. */
  readonly maxOptions?: number;
}

/**
 * Ascending widths that group may keep: multiples of the device's alignment (of half or a quarter of it for groups too
 * narrow to have four such steps), all channels, and 0 where the group may vanish. A group that is frozen keeps all.
 * @param least channels that have to stay
 */
export function groupOptions(group: CouplingGroup, grid: OptionGrid, mayVanish: boolean, least = 0): readonly number[] {
  if (group.frozen !== undefined) return [group.size];
  let step = Math.max(1, grid.alignment);
  while (step > 1 && group.size < 4 * step) step = Math.ceil(step / 2);
  const most = grid.maxOptions ?? 16;
  const stride = step * Math.max(1, Math.ceil(group.size / step / most));
  const options: number[] = mayVanish ? [0] : [];
  for (let k = stride; k < group.size; k += stride) options.push(k);
  options.push(group.size);
  return options.filter((k) => k >= least);
}
