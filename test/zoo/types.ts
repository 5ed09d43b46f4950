import type { Layers } from "./layers.js";

/** A network with random weights, and what a person who knows it expects halp to find. */
export interface ZooNetwork {
  readonly name: string;
  /** Adds the network: one input "x" of dims ["batch", ...], and its outputs. */
  build(net: Layers): void;
  /** Groups that may be pruned, "name:channels", in the order of the graph. */
  readonly free: readonly string[];
  /** Groups that may not, likewise. */
  readonly frozen: readonly string[];
  /** Share of all multiply-accumulates that touch a channel that may go; at least this. Above 0.9 for plain networks. */
  readonly share: number;
  /** Opsets at which the forms of its operators differ; all of those tried where absent. */
  readonly opsets?: readonly number[];
}
