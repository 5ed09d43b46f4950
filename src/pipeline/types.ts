/** What `halp prune` is asked and what it answers. */
import type { HalpError } from "../errors.js";
import type { Bench, Crew } from "../jobs/index.js";
import type { WidthLimit } from "../problem/index.js";
import type { Pin } from "../runtime/index.js";
import type { EpochLine } from "./epochs.js";
import type { StepTrainingOptions } from "./step-training.js";

/** Fraction of the dense latency, or nanoseconds. */
export type Budget = { readonly kind: "ratio"; readonly ratio: number } | { readonly kind: "ns"; readonly ns: number };

export type Criterion = "taylor" | "l1" | "l2" | "bn-scale" | "random";

export type StandIn = "zero" | "beta" | "mean";

export interface DataOptions {
  readonly path: string;
  /** "auto" detects from what lies at the path. */
  readonly kind?: string;
  /** How many samples are used. Default 1,000. */
  readonly limit?: number;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly labels?: string;
  /** What labels are, where they are read for a loss of the user's own. Default: a class for each sample. */
  readonly labelsAs?: "classes" | "numbers";
}

/** One line of progress: `done` of `total` in a phase; total 0 where it is not known. */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly note?: string;
}

export interface RunControls {
  readonly signal?: AbortSignal;
  readonly onProgress?: (p: Progress) => void;
  readonly onWarning?: (message: string) => void;
  /** Milliseconds; injected so that runs can be replayed. */
  readonly clock?: () => number;
  /** Default 0. The same seed gives the same plan. */
  readonly seed?: number;
}

/** A device and what the network may take there. */
export interface DeviceTarget {
  readonly budget: Budget;
  /** As in {@link PruneOptions}. */
  readonly bench?: Bench;
  readonly table?: string;
  readonly device?: string;
}

export interface PruneOptions extends RunControls {
  readonly model: string;
  readonly budget: Budget;
  readonly output: string;
  readonly runFolder: string;
  /** Dims of inputs with dynamic dimensions, by name. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly batch?: number;
  readonly threads?: number;
  /** Cores to measure on; default "auto". */
  readonly pin?: Pin;
  /** Milliseconds to wait for other work on this machine to pause; default 20,000, and three tenths of the time that passes. */
  readonly patienceMs?: number;
  readonly data?: DataOptions;
  readonly criterion?: Criterion;
  /**
   * What removed channels are taken for by the layers that read them: "zero" (default, as in HALP), what batch norm's
   * "beta" comes to, or their "mean" over the data. It goes into biases that are there anyway and costs no latency.
   */
  readonly standIn?: StandIn;
  /** What the Taylor score differentiates; default "auto": labels where the data have them and the network classifies. */
  readonly loss?: "auto" | "cross-entropy" | "own-labels" | "projection";
  /**
   * "joint" (default): latency depends on both sides of a layer. "halp": the paper's form, on its own outputs alone with
   * its inputs at their present width. "uniform": no solver; every group keeps the same share, as a baseline to compare with.
   */
  readonly mode?: "joint" | "halp" | "uniform";
  /** Steps of the budget schedule; default 1. */
  readonly steps?: number;
  /** Names (of nodes, initialisers or groups) that stay whole; `*` matches any run of characters. */
  readonly freeze?: readonly string[];
  /** Names of nodes that split channels into attention heads: whole heads may go there. */
  readonly heads?: readonly string[];
  /** Likewise: the same places of every head may go there. Default: whichever leaves more to choose from. */
  readonly headWidth?: readonly string[];
  /** How far groups may go down. */
  readonly widthLimits?: readonly WidthLimit[];
  /** Rounds of measuring and solving again when the budget is missed; default 3. */
  readonly rounds?: number;
  /** Relative tolerance above the budget that still counts as met; default 0.03. */
  readonly tolerance?: number;
  /** A latency table measured before, here or elsewhere. */
  readonly table?: string;
  /** The device that the table has to be of: "cpu", "cuda:0", "ort-cuda:0"; a GPU needs a table. */
  readonly device?: string;
  /** Another machine that is measured on: its latencies are those of the table and of the result. Default this one. */
  readonly bench?: Bench;
  /** Further devices that the same network has to suit. Names (of benches, or of files of tables) must differ. */
  readonly others?: readonly DeviceTarget[];
  /** Who scores and evaluates. Default this process. */
  readonly crew?: Crew;
  /** Where measured latencies are kept between runs. */
  readonly cacheDir?: string;
  /** Training between the steps and after them; needs {@link data}. */
  readonly training?: StepTrainingOptions;
  /** Goes on where a run with training was stopped: after its last step, or in its epochs. */
  readonly resume?: boolean;
  /** What is written into the run's config beside the options: the command that began it. */
  readonly command?: object;
  readonly onEpoch?: (line: EpochLine) => void;
}

export interface GroupReport {
  readonly name: string;
  readonly dense: number;
  readonly kept: number;
  readonly frozen?: string;
}

/** What became of a budget. Ratios are fractions of the dense latency. */
export interface DeviceResult {
  readonly budgetRatio: number;
  readonly predictedRatio: number;
  readonly measuredRatio: number;
  /**
   * What the budget was held against: the measurement or, with a table of another device than this machine, the prediction;
   * what was measured here says nothing of that device then.
   */
  readonly heldAgainst: "measured" | "predicted";
  readonly latencyNs: { readonly dense: number; readonly pruned: number };
  /** Interquartile range of the paired ratios. */
  readonly spread: number;
}

/** `halp.result/1`. With several devices the latencies are those of the first. */
export interface PruneResult extends DeviceResult {
  readonly format: "halp.result/1";
  /** Only with several devices: all of them. */
  readonly devices?: readonly (DeviceResult & { readonly name: string })[];
  readonly parameters: { readonly dense: number; readonly pruned: number };
  readonly accuracy: { readonly dense: number; readonly pruned: number } | null;
  /** Largest difference between the pruned network and the original with the same channels masked, relative to the outputs' scale. */
  readonly maskedError: number;
  /** How far the outputs are from the original's: relative root mean square error per output. */
  readonly outputError: number;
  readonly importanceKept: number;
  readonly steps: number;
  /** How the network was trained; null where it was not. */
  readonly training: {
    /** Steps of training on each network of the schedule. */
    readonly stepsBetween: number;
    readonly epochs: number;
    /** Accuracy of the pruned network before its epochs. */
    readonly accuracyBefore: number | null;
    readonly log: readonly EpochLine[];
    readonly skippedSteps: number;
  } | null;
  readonly rounds: number;
  readonly groups: readonly GroupReport[];
  readonly output: string;
  readonly warnings: readonly string[];
}

/** The budget was missed (exit code 4): the best network so far is written all the same. */
export interface MissedBudget {
  readonly error: HalpError;
  readonly result: PruneResult;
}
