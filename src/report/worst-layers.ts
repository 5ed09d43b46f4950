/** Which layers a prediction failed on. */
import type { LayerTimes, NetworkLayers } from "../latency/index.js";

export interface LayerError extends LayerTimes {
  readonly predictedNs: number;
  readonly measuredNs: number;
  /** Measured less predicted. */
  readonly missedByNs: number;
}

export interface PredictionReport {
  /** Layers with both times. */
  readonly compared: number;
  /** Layers that lack one of the two: the table has no entry, or nothing was measured. */
  readonly untold: number;
  /** Sums over the layers that were compared, in nanoseconds. */
  readonly predictedNs: number;
  readonly measuredNs: number;
  /** Kernels of the network that belong to no layer. */
  readonly unattributedNs: number | null;
  /** By how much time they were missed, the most first. */
  readonly worst: readonly LayerError[];
}

/**
 * The layers whose prediction is furthest off in time: these move the whole network's latency, while a large part of a tiny
 * layer does not.
 * @param most 0 or more
 */
export function worstLayers({ layers, unattributedNs }: NetworkLayers, most: number): PredictionReport {
  const compared = layers.flatMap((layer): LayerError[] => {
    const { predictedNs, measuredNs } = layer;
    return predictedNs === null || measuredNs === null
      ? []
      : [{ ...layer, predictedNs, measuredNs, missedByNs: measuredNs - predictedNs }];
  });
  return {
    compared: compared.length,
    untold: layers.length - compared.length,
    predictedNs: compared.reduce((sum, l) => sum + l.predictedNs, 0),
    measuredNs: compared.reduce((sum, l) => sum + l.measuredNs, 0),
    unattributedNs,
    worst: compared.sort((a, b) => Math.abs(b.missedByNs) - Math.abs(a.missedByNs)).slice(0, most),
  };
}
