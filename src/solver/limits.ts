import { HalpError } from "../errors.js";
import { show } from "./show.js";

/** When to stop before the proof is done. All are optional; what is not given does not limit. */
export interface Limits {
  /** Wall-clock limit in milliseconds, looked at between stages of the search. */
  readonly timeLimitMs?: number | undefined;
  /** Search states (partial choices kept) in total. The same limit gives the same answer on every machine. */
  readonly maxStates?: number | undefined;
  /** Asked between slices of some milliseconds; true ends the search with the best so far. */
  readonly stopped?: (() => boolean) | undefined;
  /** Stop once (upperBound - value) / |value| is proven to be at most this. 0 to 1. */
  readonly gap?: number | undefined;
}

/** What a search over classes or a factor graph came to, in grid numbers. */
export interface Outcome {
  readonly status: "optimal" | "feasible" | "infeasible" | "unknown";
  /** The option of each variable; with `infeasible`, the lightest choice; null if there is none. */
  readonly choice: Int32Array | null;
  readonly value: number;
  /** NaN with `infeasible` where the smallest weight is not known. */
  readonly weight: number;
  readonly upperBound: number;
  /** Search states kept in total. */
  readonly states: number;
}

/** Limits as the searches use them. */
export interface Watch {
  readonly maxStates: number;
  readonly gap: number;
  /** Whether the time is up. */
  expired(): boolean;
}

/** No limits at all. */
export const unlimited: Watch = { maxStates: Number.POSITIVE_INFINITY, gap: 0, expired: () => false };

/** Search states kept unless told otherwise. */
export const defaultStates = 50_000_000;

/** Bytes that a solver's memory may grow to unless told otherwise. */
export const defaultMemoryBytes = 2 ** 31;

/**
 * Checks what a solver's memory may grow to.
 * @throws HalpError HALP_LIMIT
 */
export function checkMemoryLimit(bytes: unknown = defaultMemoryBytes): number {
  if (typeof bytes === "number" && bytes >= 2 ** 16 && bytes <= 2 ** 32) return bytes;
  throw new HalpError("HALP_LIMIT", `memoryLimitBytes must be a number from 65536 to 4294967296, not ${show(bytes)}`, {
    name: "memoryLimitBytes",
  });
}

function checkLimit(name: string, x: number | undefined, most: number): void {
  if (x === undefined || (typeof x === "number" && x >= 0 && x <= most)) return;
  throw new HalpError(
    "HALP_LIMIT",
    `${name} must be a number from 0${most === Number.POSITIVE_INFINITY ? "" : ` to ${most}`}, not ${show(x)}`,
    { name },
  );
}

/**
 * Checks limits; allocates nothing.
 * @throws HalpError HALP_LIMIT
 */
export function checkLimits(limits: Limits): void {
  if (typeof limits !== "object" || limits === null)
    throw new HalpError("HALP_LIMIT", `limits must be an object, such as { timeLimitMs: 100 }, not ${show(limits)}`);
  checkLimit("timeLimitMs", limits.timeLimitMs, Number.POSITIVE_INFINITY);
  checkLimit("maxStates", limits.maxStates, Number.POSITIVE_INFINITY);
  checkLimit("gap", limits.gap, 1);
  if (limits.stopped !== undefined && typeof limits.stopped !== "function")
    throw new HalpError(
      "HALP_LIMIT",
      `stopped must be a function that gives true to stop, not ${show(limits.stopped)}`,
      {
        name: "stopped",
      },
    );
}

/**
 * Starts the clock. `clock` gives milliseconds from any origin.
 * @throws HalpError HALP_LIMIT
 */
export function watch(limits: Limits, clock: () => number): Watch {
  checkLimits(limits);
  const { stopped } = limits;
  const end = limits.timeLimitMs === undefined ? Number.POSITIVE_INFINITY : clock() + limits.timeLimitMs;
  return {
    maxStates: limits.maxStates ?? defaultStates,
    gap: limits.gap ?? 0,
    expired: () => (end !== Number.POSITIVE_INFINITY && clock() >= end) || stopped?.() === true,
  };
}

/** The outcome where every choice takes a forbidden entry. */
export const impossible: Outcome = {
  status: "infeasible",
  choice: null,
  value: 0,
  weight: 0,
  upperBound: 0,
  states: 0,
};
