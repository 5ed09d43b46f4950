/** Extents of values as functions of how many channels each group keeps. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Coupling } from "./types.js";

/** An axis whose extent depends on groups: `fixed + sum(perChannel * kept)`. */
export interface AxisWidth {
  readonly axis: number;
  readonly fixed: number;
  readonly terms: readonly { readonly group: number; readonly perChannel: number }[];
}

/** For each value with channels: its axes that carry some. */
export function axisWidths(coupling: Coupling): ReadonlyMap<string, readonly AxisWidth[]> {
  const widths = new Map<string, AxisWidth[]>();
  for (const [name, axes] of coupling.axes) {
    const found: AxisWidth[] = [];
    axes.forEach((channels, axis) => {
      if (!channels) return;
      const counts = new Map<number, number>();
      let fixed = 0;
      for (const channel of channels) {
        if (channel < 0) fixed++;
        else {
          const group = coupling.groupOf[channel] as number;
          counts.set(group, (counts.get(group) ?? 0) + 1);
        }
      }
      const terms = [...counts].map(([group, n]) => ({ group, perChannel: n / (coupling.groups[group]?.size ?? 1) }));
      found.push({ axis, fixed, terms });
    });
    if (found.length > 0) widths.set(name, found);
  }
  return widths;
}

/** Dims of a value when group g keeps `kept[g]` channels; undefined where its type is unknown. */
export function dimsAt(
  analyzed: AnalyzedGraph,
  widths: ReadonlyMap<string, readonly AxisWidth[]>,
  value: string,
  kept: ArrayLike<number>,
): readonly number[] | undefined {
  const dims = analyzed.types.get(value)?.dims;
  const axes = widths.get(value);
  if (!dims || !axes) return dims;
  const out = [...dims];
  for (const width of axes) out[width.axis] = widthAt(width, kept);
  return out;
}

/** A width that is a sum over groups, where each keeps so many channels (by group id). */
export function widthAt({ fixed, terms }: Pick<AxisWidth, "fixed" | "terms">, kept: ArrayLike<number>): number {
  return terms.reduce((n, t) => n + t.perChannel * (kept[t.group] ?? 0), fixed);
}
