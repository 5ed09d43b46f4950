/**
 * Passes of single batches through a training graph: what a step is made of, and what another machine can do of it. The
 * gradient of a step is the sum of its passes, added up in their order, whoever made them.
 */
import type { Batch } from "../data/index.js";
import { HalpError } from "../errors.js";
import { rankOf } from "../evaluation/index.js";
import { sizeOf } from "../graph/tensors.js";
import {
  createSession,
  type Feeds,
  floatsOf,
  floatTensor,
  type ModelSource,
  type Outputs,
  type RuntimeTensor,
} from "../runtime/index.js";
import { feedLabels, type LabelFeed } from "./label-feeds.js";

interface Named {
  readonly name: string;
  readonly dims: readonly number[];
}

/** How a training graph is run for the gradient of one batch. Plain data. */
export interface PassRecipe {
  readonly input: Named;
  readonly labels: readonly LabelFeed[];
  /** What the network is at this step: its weights and running statistics. */
  readonly weights: readonly Named[];
  /** What has no part in a gradient: the optimiser's state, rates, gradients so far. */
  readonly zeros: readonly Named[];
  readonly loss: string;
  readonly terms: readonly string[];
  readonly logits?: string;
  /** Outputs with the mean gradients, each divided by the passes of a step, and with the scores of channels. */
  readonly gradients: readonly Named[];
  readonly scores: readonly (Named & { readonly value: string })[];
  /** Passes of a step. */
  readonly passes: number;
}

/** What passes come to, added up. */
export interface PassSum {
  readonly passes: number;
  /** Mean over the passes of a step: the part of these. */
  readonly loss: number;
  readonly terms: readonly number[];
  readonly correct?: number;
  readonly gradients: readonly Float32Array[];
  readonly scores: readonly Float32Array[];
}

export interface Passer extends Disposable {
  /**
   * @param weights as many numbers as the recipe's weights have, one after the other
   * @throws HalpError HALP_LABELS_MISSING, HALP_LABEL_RANGE, HALP_DATA_SHAPE, HALP_RUNTIME_RUN
   */
  pass(batch: Batch, weights: Float32Array): PassSum;
}

/** @throws HalpError HALP_SCORE_GRAPH where graph and recipe do not belong together, HALP_RUNTIME_LOAD */
export function openPasser(model: ModelSource, recipe: PassRecipe, threads: number): Passer {
  const session = createSession(model, { threads, memoryPlan: false });
  const given = new Set(session.inputNames);
  const there = new Set(session.outputs.map(({ name }) => name));
  const outputs = fetchesOf(recipe);
  if (!outputs.every((name) => there.has(name))) {
    session.dispose();
    throw new HalpError("HALP_SCORE_GRAPH", "The graph has other outputs than its recipe says.", { exitCode: 1 });
  }
  const zeros = tensorsOf(recipe.zeros, new Float32Array(totalOf(recipe.zeros)));
  return {
    pass: (batch, weights) => {
      const feeds = { ...zeros, ...tensorsOf(recipe.weights, weights), ...feedsOf(recipe, batch) };
      const known = Object.fromEntries(Object.entries(feeds).filter(([name]) => given.has(name)));
      return passOf(recipe, session.run(known, outputs), batch);
    },
    [Symbol.dispose]: () => session.dispose(),
  };
}

/** Of a pass that only adds to the gradient. */
export function fetchesOf({ loss, terms, logits, gradients, scores }: PassRecipe): string[] {
  const named = [...gradients, ...scores].map(({ name }) => name);
  return [...new Set([loss, ...terms, ...(logits === undefined ? [] : [logits]), ...named])];
}

/** @throws HalpError HALP_LABELS_MISSING, HALP_LABEL_RANGE, HALP_DATA_SHAPE */
export function feedsOf({ input, labels }: PassRecipe, batch: Batch): Record<string, RuntimeTensor> {
  const { name, dims } = input;
  if (batch.dims.length !== dims.length || batch.dims.some((d, i) => d !== dims[i]))
    throw new HalpError(
      "HALP_DATA_SHAPE",
      `Input "${name}" takes batches of [${dims.join(", ")}]; came [${batch.dims.join(", ")}].`,
      { name },
    );
  return { ...feedLabels(labels, batch), [name]: floatTensor(batch.images, batch.dims) };
}

/** What a run of the graph came to. Gradients are those of the run: what was fed as so far is in them. */
export function passOf(recipe: PassRecipe, outputs: Outputs, { labels }: Batch): PassSum {
  const floats = (name: string) => floatsOf(outputs[name] as RuntimeTensor);
  const scalar = (name: string) => (floats(name)[0] ?? Number.NaN) / recipe.passes;
  const { logits } = recipe;
  return {
    passes: 1,
    loss: scalar(recipe.loss),
    terms: recipe.terms.map(scalar),
    ...(labels && logits !== undefined ? { correct: countCorrect(floats(logits), labels) } : {}),
    gradients: recipe.gradients.map(({ name }) => (outputs[name] ? floats(name) : new Float32Array())),
    scores: recipe.scores.map(({ name }) => Float32Array.from(floats(name))),
  };
}

/** Adds passes up, in their order. As the runtime does it: each sum is rounded to float32. */
export function addPass(sum: PassSum | undefined, next: PassSum): PassSum {
  if (!sum) return next;
  const add = (a: Float32Array, b: Float32Array) => a.map((x, i) => x + (b[i] as number));
  const correct = next.correct === undefined ? {} : { correct: (sum.correct ?? 0) + next.correct };
  return {
    passes: sum.passes + next.passes,
    loss: sum.loss + next.loss,
    terms: sum.terms.map((x, i) => x + (next.terms[i] as number)),
    ...correct,
    gradients: sum.gradients.map((g, i) => add(g, next.gradients[i] as Float32Array)),
    scores: sum.scores.map((s, i) => add(s, next.scores[i] as Float32Array)),
  };
}

/** Gradients, then scores. */
const arraysOf = ({ gradients, scores }: PassRecipe): readonly Named[] => [...gradients, ...scores];
export const totalOf = (list: readonly Named[]): number => list.reduce((n, { dims }) => n + sizeOf(dims), 0);
/** Numbers that {@link packPass} gives. */
export const packedLength = (recipe: PassRecipe): number => totalOf(arraysOf(recipe));

/** Gradients and scores one after the other. */
export function packPass({ gradients, scores }: PassSum): Float32Array {
  return pack([...gradients, ...scores]);
}

/** Arrays one after the other. */
export function pack(parts: readonly Float32Array[]): Float32Array {
  const packed = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    packed.set(part, at);
    at += part.length;
  }
  return packed;
}

/** @param packed of {@link packedLength} */
export function unpackPass(recipe: PassRecipe, packed: Float32Array): Pick<PassSum, "gradients" | "scores"> {
  const parts = partsOf(arraysOf(recipe), packed);
  const { length } = recipe.gradients;
  return { gradients: parts.slice(0, length), scores: parts.slice(length) };
}

export function partsOf(list: readonly Named[], all: Float32Array): Float32Array[] {
  let at = 0;
  return list.map(({ dims }) => {
    const from = at;
    at += sizeOf(dims);
    return all.subarray(from, at);
  });
}

/** Tensors by name, of numbers that lie one after the other. */
function tensorsOf(list: readonly Named[], all: Float32Array): Feeds {
  const parts = partsOf(list, all);
  return Object.fromEntries(list.map(({ name, dims }, i) => [name, floatTensor(parts[i] as Float32Array, dims)]));
}

function countCorrect(logits: Float32Array, labels: Int32Array): number {
  const classes = logits.length / labels.length;
  return labels.reduce(
    (n, label, i) => n + (rankOf(logits.subarray(i * classes, (i + 1) * classes), label) === 0 ? 1 : 0),
    0,
  );
}
