/** Passes of a training's steps, made by the workers of a fleet. */
import { epochOptions, type LoaderSpec } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { DataSource } from "../evaluation/index.js";
import { addPass, type Helpers, type PassRecipe, type PassSum, packedLength, unpackPass } from "../finetune/index.js";
import { hashOf } from "./blobs.js";
import type { Fleet } from "./fleet.js";
import type { SendOptions } from "./line.js";
import type { PassResult, PassTask, ShardTask } from "./tasks.js";

/** What a pass may send back. Beyond it gradients take longer to travel than to make. */
const mostBytes = 2 ** 26;

/**
 * @param sharedOf what all tasks on the same data say of them, once it is sure that the workers may read them
 * @param controls of all tasks
 */
export function helpersOn(
  fleet: Pick<Fleet, "share" | "take">,
  sharedOf: (source: DataSource) => Promise<Pick<ShardTask, "data" | "mark">>,
  controls: SendOptions,
): Helpers {
  let looked: { readonly key: string; readonly shared: Pick<ShardTask, "data" | "mark"> } | undefined;
  /** Looked at once a training, not once a step. */
  const dataOf = async ({ dataset: spec }: LoaderSpec) => {
    const key = JSON.stringify(spec);
    if (looked?.key !== key) looked = { key, shared: await sharedOf({ kind: "stored", spec }) };
    return looked.shared;
  };
  return {
    passes: async ({ graph, recipe, weights, loader, epoch, from, count, threads }) => {
      const length = packedLength(recipe);
      if (4 * length > mostBytes) throw tooLarge(length);
      const kept = new Map([graph, Buffer.from(JSON.stringify(recipe))].map((bytes) => [hashOf(bytes), bytes]));
      const ofStep = new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength);
      const blobs = new Map([[hashOf(ofStep), ofStep]]);
      const [graphHash = "", recipeHash = ""] = kept.keys();
      const [weightsHash = ""] = blobs.keys();
      const { batchSize, dropLast: _, ...samples } = epochOptions(loader, epoch);
      const same = {
        ...(await dataOf(loader)),
        ...{ graph: graphHash, recipe: recipeHash, weights: weightsHash },
        ...{ batchSize, samples, threads },
      };
      let next = 0;
      const task = (): PassTask | undefined => (next < count ? { ...same, from: from + next++, count: 1 } : undefined);
      const taken = new Map<string, Uint8Array>();
      const onResult = async (result: unknown) => {
        const { packed } = result as PassResult;
        taken.set(packed, await fleet.take(packed));
      };
      let sum: PassSum | undefined;
      for await (const result of fleet.share("pass", task, { ...controls, blobs, kept, onResult })) {
        sum = addPass(sum, passOf(recipe, result, taken.get(result.packed)));
        taken.delete(result.packed);
      }
      return sum as PassSum;
    },
  };
}

/** What came from elsewhere, if it is what was asked for. @throws HalpError HALP_JOB_RESULT */
function passOf(
  recipe: PassRecipe,
  { loss, terms, correct }: PassResult,
  packed: Uint8Array = new Uint8Array(),
): PassSum {
  const isOne = Array.isArray(terms) && terms.length === recipe.terms.length;
  if (!isOne || packed.length !== 4 * packedLength(recipe))
    throw new HalpError("HALP_JOB_RESULT", "A worker answers with gradients of another network.", { exitCode: 1 });
  // JSON has no NaN.
  const number = (x: unknown) => (typeof x === "number" ? x : Number.NaN);
  return {
    passes: 1,
    loss: number(loss),
    terms: terms.map(number),
    ...(correct === undefined ? {} : { correct: number(correct) }),
    ...unpackPass(recipe, new Float32Array(Uint8Array.from(packed).buffer)),
  };
}

function tooLarge(numbers: number): HalpError {
  return new HalpError(
    "HALP_TRAINING_OPTION",
    `Each pass would send back ${(numbers / 1e6).toFixed(0)} million gradients, more than is of use: leave out --workers, or train on a cluster (docs/pytorch.md).`,
  );
}
