/** How a network is trained: everything that decides what comes out, but the network and the data. */
import { HalpError } from "../errors.js";
import type { Model } from "../graph/ir.js";
import { weightBytes } from "../runtime/index.js";
import type { LossTerm } from "./losses.js";
import type { Optimizer } from "./optimizer.js";
import { checkSchedule, type Schedule } from "./schedule.js";

export interface Recipe {
  readonly loss: readonly LossTerm[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  /** Largest norm of the gradient. */
  readonly clipNorm?: number;
  /** Batches a step. Default 1. */
  readonly accumulate?: number;
  readonly freezeBatchNorm?: boolean;
  /** Forward values are computed again on the way back instead of being kept: the same but for rounding, with less memory, in more time. */
  readonly recompute?: boolean;
}

/** Bytes of weights from which memory lies more in copies of them than between the layers. */
const largeWeights = 2 ** 26;

/**
 * Whether a training that was asked for less memory also gives back what is free at once, and not only recomputes. For
 * ResNet-50 that saves a quarter more in a seventh more time; ResNet-20 would take a third longer for a seventh.
 */
export function returnsMemory(recipe: Pick<Recipe, "recompute">, model: Model): boolean {
  return (recipe.recompute ?? false) && weightBytes(model) >= largeWeights;
}

/** @throws HalpError HALP_TRAINING_OPTION */
export function checkRecipe({ optimizer, schedule, clipNorm, accumulate }: Recipe): void {
  checkSchedule(schedule);
  const inside = (name: string, value: number | undefined, low: number, high: number) => {
    if (value !== undefined && !(value >= low && value < high))
      throw new HalpError("HALP_TRAINING_OPTION", `${name} is a number from ${low} to below ${high}; got ${value}.`);
  };
  inside("The weight decay", optimizer.weightDecay, 0, 1);
  if (optimizer.kind === "sgd") inside("The momentum", optimizer.momentum, 0, 1);
  else {
    inside("beta1", optimizer.beta1, 0, 1);
    inside("beta2", optimizer.beta2, 0, 1);
  }
  if (clipNorm !== undefined && !(clipNorm > 0))
    throw new HalpError("HALP_TRAINING_OPTION", `The gradient is clipped to a norm above 0; got ${clipNorm}.`);
  if (accumulate !== undefined && !(Number.isInteger(accumulate) && accumulate > 0))
    throw new HalpError("HALP_TRAINING_OPTION", `A step takes 1 batch or more; got ${accumulate}.`);
}
