import type { Outcome } from "./limits.js";
import type { Model } from "./model.js";
import type { Solution } from "./types.js";

/** (upperBound - value) relative to the larger magnitude; 0 when they are equal. */
export function relativeGap(upperBound: number, value: number): number {
  return upperBound <= value ? 0 : (upperBound - value) / Math.max(Math.abs(upperBound), Math.abs(value));
}

/** Turns an outcome in grid numbers into the answer, in the problem's units and names. */
export function toSolution(model: Model, outcome: Outcome, elapsedMs: number): Solution {
  const { status, choice } = outcome;
  const quantum = { value: 1 / model.valueScale, latency: 1 / model.weightScale };
  const named: Record<string, number> = Object.create(null);
  if (choice !== null) for (let i = 0; i < model.names.length; i++) named[model.names[i]!] = choice[i]!;
  const value = outcome.value / model.valueScale;
  const latency = Number.isNaN(outcome.weight) ? 0 : outcome.weight / model.weightScale;
  const upperBound = status === "optimal" ? value : outcome.upperBound / model.valueScale;
  return {
    format: "halp.solution/1",
    status,
    choice: { ...named },
    value,
    latency,
    upperBound,
    gap: status === "infeasible" ? 0 : relativeGap(upperBound, value),
    elapsedMs,
    quantum,
    ...(status === "infeasible" && !Number.isNaN(outcome.weight)
      ? { smallestLatency: choice === null ? null : latency }
      : {}),
  };
}
