/** How far the user lets groups go down. */
import { type Coupling, type CouplingGroup, matcher } from "../coupling/index.js";
import { didYouMean, HalpError } from "../errors.js";

/** Of all limits that speak of a group the strictest counts. */
export interface WidthLimit {
  /** Group, layer or value that makes its channels; `*` matches any run of characters. All groups where left out. */
  readonly name?: string;
  /** Channels that stay at least; a group with fewer stays whole. 0 or more. */
  readonly minChannels?: number;
  /** Share of the channels that may go at most, 0 to 1. */
  readonly maxPruneRatio?: number;
}

/**
 * Channels that each group has to keep, by group id: 0 where nothing limits it.
 * @throws HalpError HALP_WIDTH_LIMIT where a name matches no group
 */
export function leastWidths(coupling: Coupling, limits: readonly WidthLimit[]): Int32Array {
  const least = new Int32Array(coupling.groups.length);
  for (const { name, minChannels = 0, maxPruneRatio = 1 } of limits) {
    const groups = name === undefined ? coupling.groups : coupling.groups.filter((g) => isNamed(g, matcher(name)));
    if (groups.length === 0 && name !== undefined)
      throw new HalpError(
        "HALP_WIDTH_LIMIT",
        `"${name}" is no group and no layer that makes the channels of one${didYouMean(name, namesIn(coupling))} \`halp inspect MODEL\` lists them.`,
        { name },
      );
    for (const { id, size } of groups) {
      // 0.9 of 10 leaves 1, not 2 for the sake of rounding
      const byRatio = Math.ceil(size * (1 - maxPruneRatio) - 1e-9);
      least[id] = Math.max(least[id] as number, Math.min(size, Math.max(minChannels, byRatio)));
    }
  }
  return least;
}

function isNamed(group: CouplingGroup, matches: (name: string) => boolean): boolean {
  return matches(group.name) || group.producers.some((node) => matches(node.name) || node.outputs.some(matches));
}

/**
 * The same for a network that was pruned already: what is left of a group keeps what the whole group had to. Where its
 * channels are of several groups by now, each keeps its share.
 * @param origin for each channel of `now` its channel in `original`, -1 for one that has none
 */
export function leastWidthsLeft(original: Coupling, least: Int32Array, now: Coupling, origin: Int32Array): Int32Array {
  const formerOf = (group: CouplingGroup) => original.groupOf[origin[group.start] ?? -1];
  const left = new Int32Array(original.groups.length);
  for (const group of now.groups) {
    const former = formerOf(group);
    if (former !== undefined) left[former] = (left[former] as number) + group.size;
  }
  return Int32Array.from(now.groups, (group) => {
    const former = formerOf(group);
    if (former === undefined) return 0;
    return Math.min(group.size, Math.ceil(((least[former] as number) * group.size) / (left[former] as number)));
  });
}

/** All names that a limit may mean. */
function* namesIn({ groups }: Coupling): Generator<string> {
  for (const group of groups) {
    yield group.name;
    for (const node of group.producers) if (node.name !== "") yield node.name;
  }
}
