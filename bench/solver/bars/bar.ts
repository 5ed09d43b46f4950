import type { Timed } from "../contest.js";
import type { Stop } from "../stop.js";

/** One promise of the solver, measured. */
export interface BarResult {
  /** What is promised. */
  readonly bar: string;
  readonly atLeast: string;
  /** What was measured, in words. */
  readonly measured: string;
  /** Null where it could not be told: `notes` says why. */
  readonly reached: boolean | null;
  /** Instances and seeds. */
  readonly instances: string;
  readonly notes: readonly string[];
  /** The numbers behind it. */
  readonly figures: unknown;
}

export interface BarContext {
  /** Fewer seeds, shorter limits. */
  readonly quick: boolean;
  readonly stop: Stop;
  tell(text: string): void;
  /** Where contests leave what they timed, for the record and the plot. */
  readonly timed: Timed[];
}

/** Bars that are measured together. */
export interface BarGroup {
  readonly name: string;
  /** Seconds it takes about: in full, and quick. */
  readonly seconds: readonly [number, number];
  run(context: BarContext): Promise<BarResult[]>;
}

/** Why a bar says nothing. */
export function untold(
  bar: string,
  atLeast: string,
  instances: string,
  why: string,
  figures: unknown = null,
): BarResult {
  return { bar, atLeast, measured: "-", reached: null, instances, notes: [why], figures };
}
