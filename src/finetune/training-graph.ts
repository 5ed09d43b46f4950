/** Forward, loss, backward and optimiser in one graph, run by ONNX Runtime: of standard operators, and of its own where they were found to be faster. */

import { copyNetwork, emitBackward, gradientModel } from "../autodiff/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Model, Node } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
import { emitForm, emitter } from "../operators/emit.js";
import type { ChooseForm, FindOperator, GradientRule, TrainingForm } from "../operators/spec.js";
import { keepBlocks } from "./blocked-layout.js";
import type { LossGraph } from "./loss-graph.js";
import { maskReads, type ReadMask } from "./masks.js";
import { emitUpdate, type Optimizer, type StepInputs, stateName, stateOf } from "./optimizer.js";
import type { Parameter } from "./prepare.js";
import { recomputeForward } from "./recompute.js";

/** A tensor that a step reads and writes: fed as `input`, its next value is `output`. */
export interface Slot {
  readonly input: string;
  readonly output: string;
  readonly dims: readonly number[];
}

/** The gradient of a channel's score: sum over the batch of z dL/dz, z the value. [channels]. */
export interface ChannelScore {
  readonly value: string;
  readonly output: string;
  readonly dims: readonly number[];
}

export interface TrainingGraph {
  readonly model: Model;
  /** Of one pass over a batch: the loss, its terms, and the scores of a classifier. */
  readonly loss: string;
  readonly terms: readonly string[];
  readonly logits?: string;
  /** Euclidean norm of all gradients together, before it is clipped. */
  readonly gradientNorm: string;
  /** Weights, running statistics and the optimiser's state: everything that a training carries from step to step. */
  readonly slots: readonly Slot[];
  /** Gradients summed up so far, where they are accumulated over several passes. */
  readonly accumulated: readonly Slot[];
  readonly scalars: StepInputs;
  readonly scores: readonly ChannelScore[];
}

export interface TrainingGraphOptions {
  readonly lossGraph: LossGraph;
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  /** Largest Euclidean norm of all gradients together; they are scaled down to it (Pascanu et al. 2013). */
  readonly clipNorm?: number;
  /** Passes whose mean gradient makes one step. Default 1. */
  readonly accumulate?: number;
  /** Batch norms keep their statistics, as in inference. Default false. */
  readonly freezeBatchNorm?: boolean;
  /** Values whose channels are scored along an axis for importance, from the gradients that are there anyway. */
  readonly score?: readonly { readonly value: string; readonly axis: number; readonly byBatchNorm: boolean }[];
  readonly masks?: readonly ReadMask[];
  /** Which of several ways to compute something is taken. Default: the plain one. */
  readonly choose?: ChooseForm;
  /** Forward values are computed again on the way back instead of being kept: the same but for rounding, with less memory, in more time. */
  readonly recompute?: boolean;
}

/** @throws HalpError HALP_NO_GRADIENT */
export function buildTrainingGraph(findOperator: FindOperator, options: TrainingGraphOptions): TrainingGraph {
  const { parameters, optimizer, accumulate = 1 } = options;
  const lossGraph = maskReads(options.lossGraph, options.masks ?? []);
  const { analyzed, loss } = lossGraph;
  const names = parameters.map((p) => p.name);
  const forms = new Map<Node, TrainingForm>();
  const running: { readonly running: string; readonly batch: string; readonly momentum: number }[] = [];
  const replaced: Node[] = [];
  const statistics = options.freezeBatchNorm ? [] : runningStatistics(lossGraph, findOperator);
  const fed = new Set(names);
  /** Whether the node's output is computed in a chosen form in its place. */
  const placeInForm = (builder: GraphBuilder, node: Node): boolean => {
    const task = findOperator(node.opType, node.domain)?.forms?.({
      node,
      opset: analyzed.opset,
      blockSize: options.choose?.blockSize,
      type: (name) => analyzed.types.get(name),
      constant: (name) => (fed.has(name) ? undefined : analyzed.constants.get(name)),
    });
    if (!task || !options.choose) return false;
    const made = emitForm(emitter({ builder, opset: analyzed.opset }), task, options.choose);
    builder.node("Identity", [made], {}, { outputs: node.outputs });
    return true;
  };
  const builder = copyNetwork(analyzed, [...names, ...statistics], (b, node) => {
    const trains = !options.freezeBatchNorm && lossGraph.own.has(node);
    const rule = trains ? findOperator(node.opType, node.domain)?.training : undefined;
    const form = rule?.form({
      node,
      opset: analyzed.opset,
      builder: b,
      type: (name) => analyzed.types.get(name),
      constant: () => undefined,
    });
    if (form) {
      forms.set(form.node, form);
      running.push(...form.statistics);
    }
    replaced.push(form?.node ?? node);
    if (form || !placeInForm(b, node)) b.add(form?.node ?? node);
  });
  const forward = new Set(builder.graph().nodes);
  const inTraining: AnalyzedGraph = { ...analyzed, graph: { ...analyzed.graph, nodes: replaced } };
  const e = emitter({ builder, opset: analyzed.opset });
  const scored = options.score ?? [];
  const { gradientOf } = emitBackward({
    analyzed: inTraining,
    findOperator: byNode(findOperator, forms),
    builder,
    seeds: [{ value: loss, gradient: builder.float32(1, analyzed.types.get(loss)?.dims ?? []) }],
    wrt: [...names, ...scored.filter((s) => !s.byBatchNorm).map((s) => s.value)],
    fed: names,
    ...(options.choose ? { choose: options.choose } : {}),
  });
  const handOut = (value: string, hint: string, dims: readonly number[]) => {
    const name = builder.node("Identity", [value], {}, { outputs: [builder.freshName(hint)] });
    builder.output(name, dims);
    return name;
  };

  const trained = parameters.filter((p) => gradientOf.has(p.name));
  if (trained.length === 0)
    throw new HalpError("HALP_NOTHING_TO_TRAIN", "The loss depends on no weight that halp can train.");
  const accumulated: Slot[] = [];
  let gradients = trained.map((p) => {
    const own = gradientOf.get(p.name) ?? "";
    if (accumulate === 1) return own;
    const input = builder.input(builder.freshName(`gradients of ${p.name} so far`), p.dims);
    const sum = e.add(input, e.mul(own, e.scalar(1 / accumulate)));
    accumulated.push({ input, output: handOut(sum, `gradients of ${p.name}`, p.dims), dims: p.dims });
    return sum;
  });
  const lengthOf = (parts: readonly string[]) => {
    const squares = parts.map((g, i) => {
      // A product of a row with itself: a third of the time of Mul and ReduceSum.
      const row = e.reshape(g, [1, sizeOf(trained[i]?.dims ?? [])]);
      return e.reshape(e.matMul(row, row, { transB: true }), []);
    });
    return e.op("Sqrt", [squares.length === 1 ? (squares[0] as string) : e.op("Sum", squares)]);
  };
  let norm: string | undefined;
  if (options.clipNorm !== undefined) {
    norm = lengthOf(gradients);
    const factor = e.op("Min", [e.div(e.scalar(options.clipNorm), e.add(norm, e.scalar(1e-12))), e.scalar(1)]);
    gradients = gradients.map((g) => e.mul(g, factor));
  }

  const scalars: StepInputs = {
    learningRate: builder.input(builder.freshName("learning rate"), []),
    correction1: builder.input(builder.freshName("first correction"), []),
    correction2: builder.input(builder.freshName("second correction"), []),
  };
  const slots: Slot[] = [];
  trained.forEach((p, i) => {
    const kinds = stateOf(optimizer);
    const state = kinds.map((kind) => builder.input(stateName(kind, p.name), p.dims));
    const next = emitUpdate(e, optimizer, p, gradients[i] as string, state, scalars);
    slots.push({ input: p.name, output: handOut(next.weight, `next ${p.name}`, p.dims), dims: p.dims });
    state.forEach((input, k) => {
      const output = handOut(next.state[k] as string, `next ${input}`, p.dims);
      slots.push({ input, output, dims: p.dims });
    });
  });
  for (const { running: input, batch, momentum } of running) {
    const dims = analyzed.types.get(input)?.dims ?? [];
    const next = e.add(e.mul(input, e.scalar(momentum)), e.mul(batch, e.scalar(1 - momentum)));
    slots.push({ input, output: handOut(next, `next ${input}`, dims), dims });
  }

  // The runtime begins with what comes last: all gradients, and then the weights, which take more memory.
  const gradientNorm = handOut(norm ?? lengthOf(gradients), "gradient norm", []);

  const scores = scored.map(({ value, axis, byBatchNorm }): ChannelScore => {
    const dims = analyzed.types.get(value)?.dims ?? [];
    const channels = dims[axis] ?? 1;
    const [, scale = "", bias = ""] = byBatchNorm ? (analyzed.producerOf.get(value)?.inputs ?? []) : [];
    const [dScale, dBias] = [gradientOf.get(scale), gradientOf.get(bias)];
    if (dScale !== undefined && dBias !== undefined) {
      // z = scale n + bias: scale dL/dscale + bias dL/dbias = sum(z dL/dz).
      const sum = e.add(e.mul(scale, dScale), e.mul(bias, dBias));
      return { value, output: handOut(sum, `score at ${value}`, [channels]), dims: [channels] };
    }
    const dz = gradientOf.get(value);
    if (dz === undefined) return { value, output: "", dims: [channels] };
    if (axis !== 1) {
      const others = dims.map((_, i) => i).toSpliced(axis, 1);
      const sum = e.reduceSum(e.mul(value, dz), others, false);
      return { value, output: handOut(sum, `score at ${value}`, [channels]), dims: [channels] };
    }
    const rows = [dims[0] ?? 1, channels, 1, sizeOf(dims.slice(2))];
    const perSample = e.matMul(e.reshape(value, rows), e.reshape(dz, rows), { transB: true });
    const sum = e.reshape(e.reduceSum(perSample, [0], false), [channels]);
    return { value, output: handOut(sum, `score at ${value}`, [channels]), dims: [channels] };
  });

  builder.output(loss, []);
  for (const term of lossGraph.terms) builder.output(term, []);
  const { classifier } = lossGraph;
  if (classifier) builder.output(classifier.logits);
  const { blockSize } = options.choose ?? {};
  const whole = gradientModel(analyzed, builder);
  const again = () =>
    recomputeForward({
      graph: whole.graph,
      forward: whole.graph.nodes.filter((node) => forward.has(node)).length,
      types: analyzed.types,
      learnt: names,
      gradients: trained.map((p) => gradientOf.get(p.name) as string),
      findOperator,
      opset: analyzed.opset,
    });
  const model = options.recompute ? { ...whole, graph: again() } : whole;
  return {
    model: blockSize === undefined ? model : keepBlocks(model, blockSize, analyzed.types, findOperator),
    loss,
    terms: lossGraph.terms,
    ...(classifier ? { logits: classifier.logits } : {}),
    gradientNorm,
    slots,
    accumulated,
    scalars,
    scores: scores.filter((s) => s.output !== ""),
  };
}

/** Initialisers that operators of the network keep statistics in. */
function runningStatistics({ analyzed, own }: LossGraph, findOperator: FindOperator): string[] {
  const weights = new Set(analyzed.graph.initializers.map((t) => t.name));
  return analyzed.graph.nodes.flatMap((node) => {
    const slots = own.has(node) ? (findOperator(node.opType, node.domain)?.training?.statistics ?? []) : [];
    return slots.map((slot) => node.inputs[slot] ?? "").filter((name) => weights.has(name));
  });
}

/** Rules by operator, but for nodes that have one of their own. */
function byNode(findOperator: FindOperator, forms: ReadonlyMap<Node, TrainingForm>) {
  return (opType: string, domain: string): { readonly gradient?: GradientRule } | undefined => {
    const spec = findOperator(opType, domain);
    if (!spec?.training) return spec;
    const { gradient } = spec;
    return {
      gradient: (c) => {
        const own = forms.get(c.node)?.gradient ?? gradient;
        return own ? own(c) : [];
      },
    };
  };
}
