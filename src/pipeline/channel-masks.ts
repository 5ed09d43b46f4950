/** Channels that a plan removes for now: a training of the whole network in which they are gone. */
import type { Coupling, Plan } from "../coupling/index.js";
import type { ReadMask } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";

/** One for each channel that a plan removes, by global number. */
function goneIn({ channelCount, groups }: Coupling, plan: Plan): Uint8Array {
  const gone = new Uint8Array(channelCount);
  groups.forEach(({ frozen, start, size }, g) => {
    if (frozen === undefined) gone.fill(1, start, start + size);
    for (const i of plan.kept[g] ?? []) gone[start + i] = 0;
  });
  return gone;
}

/** The network without what a plan removes: read as zero wherever channels are summed over. */
export function masksOf({ consumersOf, constants }: AnalyzedGraph, coupling: Coupling, plan: Plan): ReadMask[] {
  const gone = goneIn(coupling, plan);
  const isGone = (c: number) => c >= 0 && gone[c] === 1;
  const masks: ReadMask[] = [];
  for (const [value, axes] of coupling.axes) {
    if (constants.has(value)) continue;
    axes.forEach((channels, axis) => {
      if (!channels?.some(isGone)) return;
      const groups = new Set([...channels].filter(isGone).map((c) => coupling.groupOf[c] as number));
      const readers = (consumersOf.get(value) ?? []).filter((node) =>
        [...groups].some((g) => coupling.groups[g]?.consumers.includes(node)),
      );
      const readBy = [...new Set(readers.map(({ outputs: [first = ""] }) => first))];
      const factors = Float32Array.from(channels, (c) => (isGone(c) ? 0 : 1));
      if (readBy.length > 0) masks.push({ value, axis, factors, readBy });
    });
  }
  return masks;
}

/** Importance where channels that are gone, and so have no gradient, count what they counted when they were last there. */
export function withLast(
  own: Float64Array,
  coupling: Coupling,
  mask: Plan | undefined,
  last: Float64Array | undefined,
): Float64Array {
  const gone = mask && goneIn(coupling, mask);
  return own.map((v, c) => (gone?.[c] === 1 ? (last?.[c] ?? 0) : v));
}
