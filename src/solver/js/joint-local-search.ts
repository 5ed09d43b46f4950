import type { Decoded } from "./joint-potentials.js";
import type { Program } from "./joint-program.js";

/**
 * Improves a choice by changing one variable at a time, the best change first, while the weight stays within the budget.
 * Over the full domains of a program. Yields before each change; when time is up it ends where it is.
 */
export function* improveLocally(
  program: Program,
  from: Decoded,
  budget: number,
  expired: () => boolean,
): Generator<undefined, Decoded> {
  const { steps } = program;
  // Every edge seen from both sides: the entry for options (x here, y there) is at x * here + y * there.
  const links = steps.map(() => [] as { other: number; here: number; there: number; edge: Edge }[]);
  type Edge = { readonly value: Float64Array; readonly weight: Float64Array };
  steps.forEach((step, k) => {
    const n = step.domain.length;
    for (const edge of step.edges) {
      links[k]!.push({ other: edge.from, here: 1, there: n, edge });
      links[edge.from]!.push({ other: k, here: n, there: 1, edge });
    }
  });
  const choice = Int32Array.from(from.choice);
  let { value, weight } = from;
  const part = (k: number, x: number): { v: number; w: number } => {
    let v = steps[k]!.value[x]!;
    let w = steps[k]!.weight[x]!;
    for (const { other, here, there, edge } of links[k]!) {
      const at = x * here + choice[other]! * there;
      v += edge.value[at]!;
      w += edge.weight[at]!;
    }
    return { v, w };
  };
  while (true) {
    let best = { k: -1, x: 0, value, weight };
    for (let k = 0; k < steps.length; k++) {
      const now = part(k, choice[k]!);
      for (let x = 0; x < steps[k]!.domain.length; x++) {
        const then = part(k, x);
        const v = value - now.v + then.v;
        const w = weight - now.w + then.w;
        if (w <= budget && (v > best.value || (v === best.value && w < best.weight)))
          best = { k, x, value: v, weight: w };
      }
    }
    if (best.k < 0) return { choice, value, weight };
    choice[best.k] = best.x;
    value = best.value;
    weight = best.weight;
    yield;
    if (expired()) return { choice, value, weight };
  }
}
