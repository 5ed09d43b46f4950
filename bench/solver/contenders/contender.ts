import type { Problem } from "../../../src/solver/index.js";
import type { Answer } from "../answer.js";

/** An instance made ready in a contender's own form. Only `run` is timed. */
export interface Ready {
  /** Solves once, from the input as a caller would hold it. */
  run(): unknown;
  /** Reads what `run` gave. */
  read(raw: unknown): Answer;
}

export type Solve = (problem: Problem, budget: number) => Ready;

/** A solver to be timed. Making the input is not timed; everything a caller pays per solve is. */
export interface Contender {
  /** One line for tables: what is timed. */
  readonly what: string;
  /** What it can do: one-variable factors, two-variable factors. */
  readonly unary: boolean;
  readonly joint: boolean;
  /** Whether it claims the optimum. */
  readonly exact: boolean;
  /** How long a solve takes at the sizes of real networks: `slow` a second or so, `crawling` ten and more. */
  readonly pace?: "slow" | "crawling";
  /** Options over all variables beyond which it is not asked: it would run out of memory before its time. */
  readonly mostOptions?: number;
  /** @param limitSeconds after which a solve may give up */
  load(limitSeconds: number): Promise<Solve>;
}
