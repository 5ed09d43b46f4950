import type { AnalyzedGraph } from "../graph/analysis.js";
import type { LayerConfig, Network } from "../latency/index.js";

/** What a device's latency table answers, measuring what it does not know yet. */
export interface Oracle {
  networkOf(analyzed: AnalyzedGraph): Network;
  /** Measures what is missing. */
  ensure(configs: readonly LayerConfig[]): Promise<void>;
  /** Nanoseconds. @throws HalpError HALP_TABLE_MISSING_KEY */
  latencyNs(config: LayerConfig): number;
  /** Predicted nanoseconds of one run of a whole network, what is missing measured first. */
  predictNs(analyzed: AnalyzedGraph): Promise<number>;
  /** The multiple of channels at which this device's latency steps. */
  alignment(): Promise<number>;
}
