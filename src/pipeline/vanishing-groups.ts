import type { Coupling } from "../coupling/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { vanishing } from "../rewrite/index.js";

/** Groups that may all vanish together: each is taken where the network still connects with those taken before. */
export function vanishingGroups(analyzed: AnalyzedGraph, coupling: Coupling): ReadonlySet<number> {
  const taken = new Set<number>();
  for (const group of coupling.groups) {
    if (group.frozen !== undefined) continue;
    if (vanishing(analyzed, coupling, [...taken, group.id]).ok) taken.add(group.id);
  }
  return taken;
}
