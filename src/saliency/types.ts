import type { Coupling } from "../coupling/index.js";
import type { Batch } from "../data/index.js";
import type { AnalyzedGraph } from "../graph/analysis.js";

/**
 * What a channel's importance is.
 *
 * - `taylor`: HALP's first-order score (arXiv 2110.10811, eq. 3; Molchanov et al., CVPR 2019): what the loss changes by when
 *   the channel goes, |sum over its sites of gamma dL/dgamma + beta dL/dbeta|.
 * - `l1`, `l2`: norm of the filters that make the channel, over all of its producers.
 * - `bn-scale`: sum of |gamma| over its batch norms (Liu et al., ICCV 2017).
 * - `random`: uniform in [0, 1), a baseline.
 */
export type Criterion = "taylor" | "l1" | "l2" | "bn-scale" | "random";

/**
 * What `taylor` differentiates.
 *
 * - `cross-entropy`: mean over the batch, with the labels of the data. Score of a batch: the absolute value of the sum.
 * - `own-labels`: the same with labels drawn from the network's own softmax. Score: the mean square over the samples, which
 *   is d'Fd for the Fisher information F and the change d that the channel's removal makes: twice the divergence of the
 *   network's distribution after it from that before, to second order.
 * - `projection`: sum(r * output) with random signs r. Score: the mean square over samples and projections. Its
 *   expectation is the squared change of the outputs, to first order, since E[(r'Jd)^2] = |Jd|^2 (Hutchinson 1990); each
 *   output counts relative to its own mean square.
 */
export type Loss = "cross-entropy" | "own-labels" | "projection";

export interface SaliencyOptions {
  readonly analyzed: AnalyzedGraph;
  readonly coupling: Coupling;
  readonly criterion: Criterion;
  /**
   * For `taylor`. They are cut into batches of the size that was analysed; samples left over at the end of a batch go unused.
   */
  readonly batches?: AsyncIterable<Batch>;
  /** Default "auto": labels where the data have them and the network is a classifier; own labels for other classifiers. */
  readonly loss?: Loss | "auto";
  /** Random projections a batch, 1 or more. Default 2. */
  readonly projections?: number;
  /**
   * Whether a bias counts with the weights where there is no batch norm: w dL/dw + b dL/db instead of w dL/dw. Default
   * false.
   */
  readonly includeBias?: boolean;
  /** Decides all that is random. Default 0. */
  readonly seed?: number;
  readonly threads?: number;
  /** Number of batches to come, where it is known; for progress alone. */
  readonly batchCount?: number;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

export interface Saliency {
  readonly criterion: Criterion;
  /** What was differentiated; absent for criteria of the weights alone. */
  readonly loss?: Loss;
  /** Importance of each channel by its global number, 0 or more. 0 for channels of frozen groups, which nobody asks for. */
  readonly importance: Float64Array;
  /** Batches that went into it. */
  readonly batches: number;
  /** Batches left out because a score was NaN or infinite. */
  readonly skippedBatches: number;
  /** Operators that no gradient could pass, with the reason: what lies only before them has importance 0. */
  readonly cut: readonly { readonly node: string; readonly reason: string }[];
}
