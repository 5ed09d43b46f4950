/** How the learning rate changes over a training. */
import { HalpError } from "../errors.js";

export interface Schedule {
  readonly kind: "constant" | "cosine" | "linear" | "step";
  /** Rate at its highest. */
  readonly learningRate: number;
  /** Steps over which the rate rises from nothing, in a straight line. Default 0. */
  readonly warmup?: number;
  /** For "step": shares of the training after which the rate falls. Default [0.5, 0.75]. */
  readonly milestones?: readonly number[];
  /** For "step": what the rate is multiplied by at each. Default 0.1. */
  readonly factor?: number;
  /** Share of the highest rate that "cosine" and "linear" end at. Default 0. */
  readonly floor?: number;
}

/**
 * The rate of one step. Cosine: Loshchilov and Hutter 2017, without restarts.
 * @param step from 0
 * @param steps of the whole training
 */
export function learningRateAt(schedule: Schedule, step: number, steps: number): number {
  const { kind, learningRate, warmup = 0, milestones = [0.5, 0.75], factor = 0.1, floor = 0 } = schedule;
  if (step < warmup) return (learningRate * (step + 1)) / (warmup + 1);
  // The last step is not at the floor yet: a step at rate 0 would be lost.
  const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  if (kind === "constant") return learningRate;
  if (kind === "step") return learningRate * factor ** milestones.filter((m) => step >= m * steps).length;
  const left = kind === "cosine" ? (1 + Math.cos(Math.PI * done)) / 2 : 1 - done;
  return learningRate * (floor + (1 - floor) * left);
}

/** @throws HalpError HALP_TRAINING_OPTION */
export function checkSchedule(schedule: Schedule): void {
  const { learningRate, warmup = 0, floor = 0, milestones = [] } = schedule;
  const wrong = (what: string) => {
    throw new HalpError("HALP_TRAINING_OPTION", what);
  };
  if (!(learningRate > 0) || !Number.isFinite(learningRate))
    wrong(`The learning rate is a number above 0; got ${learningRate}.`);
  if (!Number.isInteger(warmup) || warmup < 0) wrong(`The warm-up is a number of steps; got ${warmup}.`);
  if (!(floor >= 0 && floor <= 1)) wrong(`The floor is a share of the learning rate, from 0 to 1; got ${floor}.`);
  if (milestones.some((m) => !(m > 0 && m < 1))) wrong("Milestones are shares of the training, between 0 and 1.");
}
