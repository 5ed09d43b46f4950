/** What of a layer is measured at given widths. */
import { type AxisWidth, dimsAt } from "../coupling/widths.js";
import { type LayerConfig, type Segment, segmentConfigs } from "../latency/index.js";
import type { LatencyModelInput } from "./latency-model.js";

/**
 * Configurations of a layer at the given widths; none where nothing is left on one side: then it is gone, and all that is
 * fused to it.
 * @param widths of all values, as sums over groups
 * @param counts channels that each group keeps, by id
 */
export function layerConfigs(
  { analyzed, mode, variables }: LatencyModelInput,
  widths: ReadonlyMap<string, readonly AxisWidth[]>,
  segment: Segment,
  counts: ArrayLike<number>,
): readonly LayerConfig[] {
  // The paper's form: inputs at their present width, whatever becomes of the group that makes them.
  const own = new Set(
    segment.outputs.flatMap((v) => (widths.get(v) ?? []).flatMap((w) => w.terms.map((t) => t.group))),
  );
  const held =
    mode === "halp"
      ? Int32Array.from(variables, (v) => (own.has(v.group.id) ? (counts[v.group.id] as number) : v.group.size))
      : counts;
  const dims = (value: string) => dimsAt(analyzed, widths, value, held);
  const gone = valuesOf(segment).some((v) => widths.has(v) && dims(v)?.includes(0));
  return gone ? [] : segmentConfigs(segment, dims);
}

/** All values that a segment's nodes read and make, constants included. */
export function valuesOf(segment: Segment): string[] {
  return [...new Set([...segment.inputs, ...segment.nodes.flatMap((n) => [...n.inputs, ...n.outputs])])];
}
