/** Random plans, as a solver might make them. */
import type { Coupling, Plan } from "../../src/coupling/index.js";
import type { AnalyzedGraph } from "../../src/graph/analysis.js";
import { vanishing } from "../../src/rewrite/index.js";

export type Random = () => number;

/** Uniform in [0, 1): mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Keeps a random subset of each group that may be pruned. With `vanish`, a group that may go as a whole (together with
 * those that went before) goes with that probability.
 */
export function randomPlan(analyzed: AnalyzedGraph, coupling: Coupling, random: Random, vanish = 0): Plan {
  const gone: number[] = [];
  const kept = coupling.groups.map((group, id) => {
    const all = Int32Array.from({ length: group.size }, (_, i) => i);
    if (group.frozen !== undefined) return all;
    if (random() < vanish && vanishing(analyzed, coupling, [...gone, id]).ok) {
      gone.push(id);
      return new Int32Array();
    }
    if (random() < 0.15) return all;
    const share = random();
    const stays = all.filter(() => random() < share);
    return stays.length > 0 ? stays : Int32Array.of(Math.floor(random() * group.size));
  });
  return { kept };
}
