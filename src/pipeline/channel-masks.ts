/** Channels that a plan removes for now: a training of the whole network in which they are gone. */
import type { Coupling, Plan } from "../coupling/index.js";
import type { GradientMask, Masks, ReadMask, WeightMask } from "../finetune/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";

/**
 * The network without what a plan removes: read as zero wherever channels are mixed, and its weights held, since nothing
 * tells them that they have moved enough. Its scores are those of coming back; what makes it is told nothing of it.
 */
export function masksOf({ consumersOf, producerOf, graph }: AnalyzedGraph, coupling: Coupling, plan: Plan): Masks {
  const gone = new Uint8Array(coupling.channelCount).fill(1);
  plan.kept.forEach((positions, g) => {
    const start = coupling.groups[g]?.start ?? 0;
    for (const i of positions) gone[start + i] = 0;
  });
  for (const { frozen, start, size } of coupling.groups) if (frozen !== undefined) gone.fill(0, start, start + size);
  const isGone = (c: number) => c >= 0 && gone[c] === 1;
  const weights = new Set(graph.initializers.map((t) => t.name));
  const masks = { reads: [] as ReadMask[], gradients: [] as GradientMask[], weights: [] as WeightMask[] };
  for (const [value, axes] of coupling.axes)
    axes.forEach((channels, axis) => {
      if (!channels?.some(isGone)) return;
      const factors = Float32Array.from(channels, (c) => (isGone(c) ? 0 : 1));
      if (weights.has(value)) masks.weights.push({ name: value, axis, factors });
      const groups = [...new Set([...channels].filter(isGone).map((c) => coupling.groups[coupling.groupOf[c]!]))];
      const sumsOver = (node: Node) => groups.some((g) => g?.consumers.includes(node));
      const readBy = (consumersOf.get(value) ?? []).filter(sumsOver).map(({ outputs: [first = ""] }) => first);
      if (weights.has(value)) return;
      if (readBy.length > 0) masks.reads.push({ value, axis, factors, readBy: [...new Set(readBy)] });
      // A depthwise convolution is a producer as well, and hands on what it reads.
      const maker = producerOf.get(value);
      if (maker && groups.some((g) => g?.producers.includes(maker)) && (sumsOver(maker) || !handsOn(maker, channels)))
        masks.gradients.push({ value, axis, factors });
    });
  return masks;

  /** Whether some of the channels are channels of what a node reads. */
  function handsOn(node: Node, channels: Int32Array): boolean {
    const read = new Set(
      node.inputs
        .filter((x) => !weights.has(x))
        .flatMap((x) => (coupling.axes.get(x) ?? []).flatMap((axis) => [...(axis ?? [])])),
    );
    return channels.some((c) => isGone(c) && read.has(c));
  }
}
