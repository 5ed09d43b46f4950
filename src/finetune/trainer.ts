/** A network that learns: batches in, weights that change from step to step. */
import type { Batch } from "../data/index.js";
import { HalpError } from "../errors.js";
import { analyzeGraph } from "../graph/infer.js";
import type { Model } from "../graph/ir.js";
import { float32Of, float32Tensor, sizeOf } from "../graph/tensors.js";
import { compactModel } from "../onnx/index.js";
import type { ChooseForm, FindOperator } from "../operators/spec.js";
import {
  collectGarbage,
  createSession,
  type Feeds,
  floatsOf,
  floatTensor,
  type RuntimeTensor,
  type Session,
} from "../runtime/index.js";
import { buildLossGraph } from "./loss-graph.js";
import type { LossTerm } from "./losses.js";
import type { ReadMask } from "./masks.js";
import { corrections, type Optimizer } from "./optimizer.js";
import { addPass, feedsOf, fetchesOf, type PassRecipe, type PassSum, pack, passOf } from "./passes.js";
import { findParameters, prepareForTraining, withWeights } from "./prepare.js";
import { returnsMemory } from "./recipe.js";
import { buildTrainingGraph, type Slot } from "./training-graph.js";

export interface TrainerOptions {
  /** The network; it is not changed. */
  readonly model: Model;
  /** Dims of its inputs, batch included. */
  readonly inputDims: ReadonlyMap<string, readonly number[]>;
  readonly findOperator: FindOperator;
  readonly loss: readonly LossTerm[];
  readonly optimizer: Optimizer;
  readonly teacher?: Model;
  /** Shape of what labels one sample, where that is more than a class or a number. */
  readonly labelDims?: readonly number[];
  readonly clipNorm?: number;
  /** Batches whose mean gradient makes one step. Default 1. */
  readonly accumulate?: number;
  readonly freezeBatchNorm?: boolean;
  /** Values whose channels are scored along an axis, and whether a batch norm makes them. */
  readonly score?: readonly { readonly value: string; readonly axis: number; readonly byBatchNorm: boolean }[];
  readonly masks?: readonly ReadMask[];
  /** Names of what may be learnt; default all that operators learn. */
  readonly only?: readonly string[];
  /** Threads within an operator. Default 1. */
  readonly threads?: number;
  /** Which of several ways to compute something is taken. Default: the plain one. */
  readonly choose?: ChooseForm;
  /** Forward values are computed again on the way back instead of being kept: the same but for rounding, with less memory, in more time. */
  readonly recompute?: boolean;
}

export interface StepResult {
  /** Mean over the batches of the step. */
  readonly loss: number;
  readonly terms: readonly number[];
  /** Norm of the gradient before it was clipped. */
  readonly gradientNorm: number;
  readonly samples: number;
  /** Samples whose label had the highest score; undefined where there are no labels or the network is no classifier. */
  readonly correct?: number;
  /** False: loss or gradient were NaN or infinite, and nothing was changed. */
  readonly finite: boolean;
  /** For each scored value: sum over the samples of z dL/dz of each channel. */
  readonly scores: ReadonlyMap<string, Float32Array>;
}

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, { readonly dims: readonly number[]; readonly data: Float32Array }>;

/** Owns a session of the runtime: dispose of it. */
export interface Trainer extends Disposable {
  /** Numbers that are learnt. */
  readonly parameterCount: number;
  /** Samples a batch. */
  readonly batchSize: number;
  /** Batches a step. */
  readonly accumulate: number;
  /** Whether batches must carry labels. */
  readonly labelled: boolean;
  /** Steps taken, skipped ones included. */
  readonly steps: number;
  /**
   * Blocks the thread while it lasts.
   * @param batches as many as {@link accumulate}, each of {@link batchSize} samples
   * @param before passes of this step that were made elsewhere: of its first batches, which are left out of `batches` then;
   *   the last one is always made here
   * @throws HalpError HALP_LABELS_MISSING, HALP_LABEL_RANGE, HALP_DATA_SHAPE
   */
  step(batches: readonly Batch[], learningRate: number, before?: PassSum): StepResult;
  /** With which others make passes; and for that the weights as they are now, one after the other. */
  readonly graph: Model;
  readonly recipe: PassRecipe;
  weights(): Float32Array;
  /** Weights, running statistics and the optimiser's state. Not copies: they are let go of at the next step. */
  tensors(): Tensors;
  /** Goes on from there. @throws HalpError HALP_CHECKPOINT where the tensors are not those of this training. */
  load(tensors: Tensors, steps: number): void;
  /** The network with its present weights, for inference. */
  model(): Model;
}

/** @throws HalpError HALP_LOSS, HALP_NO_GRADIENT, HALP_NOTHING_TO_TRAIN, HALP_OPSET */
export function createTrainer(options: TrainerOptions): Trainer {
  const { findOperator, optimizer, inputDims, accumulate = 1 } = options;
  const original = analyzeGraph(options.model, findOperator, { inputDims });
  const analyzed = prepareForTraining(original, findOperator);
  const lossGraph = buildLossGraph(analyzed, options.loss, findOperator, options.teacher, options.labelDims);
  const only = options.only && new Set(options.only);
  const parameters = findParameters(analyzed, findOperator).filter((p) => only?.has(p.name) ?? true);
  const built = buildTrainingGraph(findOperator, { ...options, lossGraph, parameters });
  const graph = { ...built, model: compactModel(built.model) };
  const [input, ...others] = [...inputDims];
  if (!input || others.length > 0 || analyzed.types.get(input[0])?.dtype !== "float32")
    throw new HalpError(
      "HALP_TRAINING_DATA",
      `Training needs a network with one float32 input; this one has ${[...inputDims.keys()].map((n) => `"${n}"`).join(", ") || "none"}.`,
    );
  const [inputName, dims] = input;
  const batchSize = dims[0] ?? 1;
  const { bare, ofNetwork, first } = takeWeights(analyzed.model, graph.slots);
  /** What the next run is fed: outputs of the last go in again as they are. */
  let state = first;
  // Not asked of the options later on: they would hold the network's own weights.
  const sparing = returnsMemory(options, options.model);
  const session: Session = createSession(graph.model, {
    threads: options.threads ?? 1,
    memoryPlan: false,
    memoryArena: !sparing,
  });
  const inputs = new Set(session.inputNames);
  const { scalars } = graph;
  const named = ({ input, dims }: Slot) => ({ name: input, dims });
  const recipe: PassRecipe = {
    input: { name: inputName, dims },
    labels: lossGraph.feeds,
    weights: ofNetwork.map(named),
    zeros: [
      ...[...graph.slots.filter((slot) => !ofNetwork.includes(slot)), ...graph.accumulated].map(named),
      ...Object.values(scalars).map((name) => ({ name, dims: [] })),
    ],
    loss: graph.loss,
    terms: graph.terms,
    ...(graph.logits === undefined ? {} : { logits: graph.logits }),
    gradients: graph.accumulated.map(({ output, dims }) => ({ name: output, dims })),
    scores: graph.scores.map(({ value, output, dims }) => ({ value, name: output, dims })),
    passes: accumulate,
  };
  const zeros = new Map(graph.accumulated.map((s) => [s.input, floatTensor(new Float32Array(sizeOf(s.dims)), s.dims)]));
  const passFetches = fetchesOf(recipe);
  const seen = passFetches.filter((name) => !graph.accumulated.some((s) => s.output === name));
  const stepFetches = [...new Set([...seen, graph.gradientNorm, ...graph.slots.map((s) => s.output)])];
  let steps = 0;

  const scalar = (value: number) => floatTensor(Float32Array.of(value), []);
  const trainer: Trainer = {
    parameterCount: parameters.reduce((n, p) => n + sizeOf(p.dims), 0),
    batchSize,
    accumulate,
    labelled: lossGraph.labelled,
    get steps() {
      return steps;
    },
    graph: graph.model,
    recipe,
    weights: () => pack(ofNetwork.map((slot) => floatsOf(state[slot.input] as RuntimeTensor))),
    step(batches, learningRate, before) {
      const made = before?.passes ?? 0;
      if (batches.length + made !== accumulate || batches.length === 0)
        throw new RangeError(`A step takes ${accumulate} batches, not ${batches.length + made}.`);
      // The weights before the last step.
      if (sparing) collectGarbage();
      const [first, second] = corrections(optimizer, steps + 1);
      const rates = {
        [scalars.learningRate]: scalar(learningRate),
        [scalars.correction1]: scalar(first),
        [scalars.correction2]: scalar(second),
      };
      let outputs: Feeds = {};
      let sum = before;
      batches.forEach((batch, i) => {
        // The graph itself adds to what is fed.
        const soFar = graph.accumulated.map(({ input, dims }, k) => {
          const gradient = sum?.gradients[k];
          return [input, gradient ? floatTensor(gradient, dims) : zeros.get(input)] as const;
        });
        const feeds = { ...state, ...rates, ...Object.fromEntries(soFar), ...feedsOf(recipe, batch) };
        // What no output depends on is no input any more.
        const known = Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)));
        outputs = session.run(known as Feeds, i === batches.length - 1 ? stepFetches : passFetches);
        const pass = passOf(recipe, outputs, batch);
        sum = { ...addPass(sum && { ...sum, gradients: [] }, pass), gradients: pass.gradients };
      });
      const { loss, terms, correct, scores } = sum as PassSum;
      const gradientNorm = numberOf(outputs[graph.gradientNorm]);
      const finite = Number.isFinite(loss) && Number.isFinite(gradientNorm);
      if (finite) state = Object.fromEntries(graph.slots.map((s) => [s.input, outputs[s.output] as RuntimeTensor]));
      steps++;
      return {
        ...{ loss, terms, gradientNorm, finite },
        samples: batchSize * accumulate,
        scores: new Map(graph.scores.map(({ value }, i) => [value, scores[i] as Float32Array])),
        ...(correct === undefined ? {} : { correct }),
      };
    },
    tensors: () => new Map(Object.entries(state).map(([name, t]) => [name, { dims: t.dims, data: floatsOf(t) }])),
    load(tensors, at) {
      const next: Record<string, RuntimeTensor> = {};
      for (const { input: name, dims } of graph.slots) {
        const tensor = tensors.get(name);
        if (!tensor || tensor.dims.length !== dims.length || tensor.dims.some((d, i) => d !== dims[i]))
          throw new HalpError(
            "HALP_CHECKPOINT",
            `The checkpoint is not of this training: "${name}" is ${tensor ? `[${tensor.dims.join(", ")}]` : "missing"}, expected [${dims.join(", ")}].`,
            { name },
          );
        next[name] = floatTensor(Float32Array.from(tensor.data), dims);
      }
      state = next;
      steps = at;
    },
    model: () =>
      withWeights(
        bare,
        new Map(
          ofNetwork.map((s) => [s.input, float32Tensor(s.input, s.dims, Float32Array.from(floatsOf(state[s.input]!)))]),
        ),
      ),
    [Symbol.dispose]: () => session.dispose(),
  };
  return trainer;
}

/** The weights out of the network, which is left without their numbers: a training holds them once. */
function takeWeights(model: Model, slots: readonly Slot[]) {
  const weights = new Map(model.graph.initializers.map((t) => [t.name, t]));
  const first: Record<string, RuntimeTensor> = {};
  for (const { input, dims } of slots) {
    const weight = weights.get(input);
    first[input] = floatTensor(weight ? new Float32Array(float32Of(weight)) : new Float32Array(sizeOf(dims)), dims);
  }
  const ofNetwork = slots.filter(({ input }) => weights.has(input));
  const without = ofNetwork.map(({ input }) => [input, float32Tensor(input, [0], [])] as const);
  return { bare: compactModel(withWeights(model, new Map(without))), ofNetwork, first };
}

function numberOf(tensor: RuntimeTensor | undefined): number {
  return tensor ? (floatsOf(tensor)[0] ?? Number.NaN) : Number.NaN;
}
