/** Criteria that look at weights alone, and the one that looks at nothing. */
import type { Coupling } from "../coupling/index.js";
import { createRandom } from "../data/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { float32Of, sizeOf } from "../graph/tensors.js";
import { findSites } from "./sites.js";

/** Adds `f(weight)` of every weight that makes a channel to the channel's sum. */
function sumOverFilters(analyzed: AnalyzedGraph, coupling: Coupling, f: (w: number) => number): Float64Array {
  const sums = new Float64Array(coupling.channelCount);
  for (const { producer, channels: born } of findSites(analyzed, coupling)) {
    const name =
      producer.inputs.find((i) => analyzed.constants.has(i) && (analyzed.types.get(i)?.dims.length ?? 0) > 1) ?? "";
    const weight = analyzed.constants.get(name);
    if (weight?.dtype !== "float32") continue;
    const mine = new Set(born);
    const axes = coupling.axes.get(name) ?? [];
    // The axis that carries the outputs: of depthwise layers the only one, else the one with the channels born here.
    const axis = axes.findIndex((channels) => channels?.some((c) => c >= 0 && mine.has(c)));
    const channels = axes[axis];
    if (!channels) continue;
    const inner = sizeOf(weight.dims.slice(axis + 1));
    float32Of(weight).forEach((w, i) => {
      const channel = channels[Math.floor(i / inner) % channels.length] as number;
      if (channel >= 0) sums[channel] = (sums[channel] as number) + f(w);
    });
  }
  return sums;
}

/** L1 norm of a channel's filters, over all layers of its group. */
export function l1Norms(analyzed: AnalyzedGraph, coupling: Coupling): Float64Array {
  return sumOverFilters(analyzed, coupling, Math.abs);
}

/** L2 norm of the same. */
export function l2Norms(analyzed: AnalyzedGraph, coupling: Coupling): Float64Array {
  return sumOverFilters(analyzed, coupling, (w) => w * w).map(Math.sqrt);
}

/** Sum of |gamma| over the batch norms of a channel's group; channels without batch norm have their L1 norm. */
export function batchNormScales(analyzed: AnalyzedGraph, coupling: Coupling): Float64Array {
  const scales = new Float64Array(coupling.channelCount);
  const found = new Uint8Array(coupling.channelCount);
  for (const { channels, batchNorm } of findSites(analyzed, coupling)) {
    const gamma = batchNorm && analyzed.constants.get(batchNorm.inputs[1] ?? "");
    if (gamma?.dtype !== "float32") continue;
    float32Of(gamma).forEach((g, i) => {
      const channel = channels[i] as number;
      if (channel < 0) return;
      scales[channel] = (scales[channel] as number) + Math.abs(g);
      found[channel] = 1;
    });
  }
  if (found.every((f) => f === 1)) return scales;
  const norms = l1Norms(analyzed, coupling);
  return scales.map((s, i) => (found[i] ? s : (norms[i] as number)));
}

/** Uniform in (0, 1]: a baseline that knows nothing. */
export function randomScores(coupling: Coupling, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: coupling.channelCount }, () => 1 - random.uniform());
}
