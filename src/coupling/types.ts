import type { Node } from "../graph/ir.js";

/**
 * A coupling group: channels of the same kind, each of which can go on its own. A *channel* of a group is everything
 * that must go together: one position, or several, along an axis of every tensor that carries it.
 *
 * Channels are of the same kind when they lie on exactly the same axes, equally often. So the width of every layer is a
 * sum over groups, `fixed + sum(multiplicity * kept)`, whichever channels are kept.
 */
export interface CouplingGroup {
  readonly id: number;
  /** Named after its first producer. Unique. */
  readonly name: string;
  /** Number of channels. Channel c of this group has the global number `start + c`. */
  readonly size: number;
  readonly start: number;
  /** Nodes at which its channels are born (convolutions, linear layers, depthwise convolutions on the way). */
  readonly producers: readonly Node[];
  /** Nodes that sum over its channels. */
  readonly consumers: readonly Node[];
  /** Why it may not be pruned; undefined where it may. */
  readonly frozen?: string;
}

/** Which channel lies where. */
export interface Coupling {
  readonly groups: readonly CouplingGroup[];
  /** Total number of channels over all groups. */
  readonly channelCount: number;
  /**
   * For each value (activation or constant) and each of its axes: the global channel number at each position, -1 where
   * the position belongs to no group; null where no position of the axis belongs to one.
   */
  readonly axes: ReadonlyMap<string, readonly (Int32Array | null)[]>;
  /** Group of each channel, by global number. */
  readonly groupOf: Int32Array;
  /** Nodes with no channel rule, and so what they froze. */
  readonly unknown: readonly { readonly node: Node; readonly reason: string }[];
}

/** What stays: for each group (by id) the kept channels, as ascending numbers within the group. Empty: the group vanishes. */
export interface Plan {
  readonly kept: readonly Int32Array[];
}
