/** What a training makes small: terms of a loss, as nodes behind the network. */
import { attr } from "../graph/attributes.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Model } from "../graph/ir.js";
import { float32Tensor, sizeOf } from "../graph/tensors.js";
import type { Emit } from "../operators/emit.js";

/**
 * One term; the loss is the sum of all, each times its weight (default 1).
 *
 * - `cross-entropy`: mean over the batch of -sum(target log softmax(z)), the target 1 at the label; with label smoothing s,
 *   (1 - s) there and s / K everywhere (Szegedy et al. 2016). Needs labels.
 * - `soft-labels`: distillation (Hinton et al. 2015): T^2 times the Kullback-Leibler divergence between the teacher's and
 *   the network's softmax at temperature T, mean over the batch.
 * - `outputs`: mean over all float outputs of |y - teacher's y|^2 / |teacher's y|^2.
 * - `values`: the same over chosen inner values, which must have one shape in both networks.
 * - `scores`, `boxes`: of a detector, see `emitScores` and `emitBoxes`.
 * - `graph`: a loss of the user's own: an ONNX model whose inputs are named as outputs of the network, or `labels`, and
 *   whose first output is a scalar. Labels come as [batch, ...] in the shape that the data give them, or one class for each
 *   sample where another term needs classes.
 */
export type LossTerm = { readonly weight?: number } & (
  | { readonly kind: "cross-entropy"; readonly labelSmoothing?: number }
  | { readonly kind: "soft-labels"; readonly temperature?: number }
  | { readonly kind: "outputs" }
  | { readonly kind: "values"; readonly values: readonly string[] }
  | { readonly kind: "scores"; readonly scores: string; readonly background?: number | "none" }
  | { readonly kind: "boxes"; readonly boxes: string; readonly scores: string; readonly background?: number | "none" }
  | { readonly kind: "graph"; readonly model: Model }
);

export function needsTeacher(term: LossTerm): boolean {
  return term.kind !== "cross-entropy" && term.kind !== "graph";
}

export function needsLabels(term: LossTerm): boolean {
  return term.kind === "cross-entropy" || (term.kind === "graph" && term.model.graph.inputs.some(isLabels));
}

/**
 * What labels the terms want: a class for each sample, or numbers of any shape, where losses of the user's own are all that
 * take labels, and one takes float32 or more than one number a sample.
 */
export function labelsAsOf(terms: readonly LossTerm[]): "classes" | "numbers" {
  if (terms.some((term) => term.kind === "cross-entropy")) return "classes";
  const inputs = terms.flatMap((term) => (term.kind === "graph" ? term.model.graph.inputs.filter(isLabels) : []));
  const isWide = ({ dtype, dims = [] }: (typeof inputs)[number]) =>
    dtype === "float32" || dims.slice(1).some((d) => d !== 1);
  return inputs.some(isWide) ? "numbers" : "classes";
}

/** Name of the input of a user's own loss that takes the labels. */
export const labelsInput = "labels";
const isLabels = (input: { readonly name: string }) => input.name === labelsInput;

const logSoftmax = (e: Emit, z: string) => e.op("LogSoftmax", [z], { axis: attr.int(1) });

/** Mean over the rows of -sum(target * log softmax(logits)), both [rows, classes]; a scalar. */
export function emitCrossEntropy(e: Emit, logits: string, target: string, rows: number): string {
  const total = e.reduceSum(e.mul(logSoftmax(e, logits), target), [0, 1], false);
  return e.mul(total, e.scalar(-1 / rows));
}

/** T^2 KL(softmax(teacher / T) || softmax(student / T)), mean over the rows; a scalar. */
export function emitSoftLabels(e: Emit, student: string, teacher: string, rows: number, temperature: number): string {
  const cooled = (z: string) => e.mul(z, e.scalar(1 / temperature));
  const log = logSoftmax(e, cooled(teacher));
  const divergence = e.mul(e.op("Exp", [log]), e.sub(log, logSoftmax(e, cooled(student))));
  return e.mul(e.reduceSum(divergence, [0, 1], false), e.scalar(temperature ** 2 / rows));
}

/** Sum of squared differences over the sum of squares of the teacher; a scalar. */
export function emitRelativeError(e: Emit, student: string, teacher: string, dims: readonly number[]): string {
  const flat = (x: string) => e.reshape(x, [sizeOf(dims)]);
  const total = (x: string) => e.reduceSum(e.square(flat(x)), [0], false);
  return e.div(total(e.sub(student, teacher)), e.add(total(teacher), e.scalar(1e-12)));
}

/** What one anchor holds, by the teacher's word: the sum of its probabilities but that of the background; [N, K, 1]. */
function emitMass(
  e: Emit,
  builder: GraphBuilder,
  scores: string,
  classes: number,
  background: number | "none",
): string {
  if (classes === 1) return scores;
  const things = Float32Array.from({ length: classes }, (_, c) => (c === background ? 0 : 1));
  const mask = builder.initializer(float32Tensor(builder.freshName("things"), [1, 1, classes], things));
  return e.reduceSum(e.mul(scores, mask), [2], true);
}

/** One more than all that the teacher finds: so that a batch without a thing has a loss too, and one with many no larger one. */
function emitFound(e: Emit, mass: string): string {
  return e.add(e.reduceSum(mass, [0, 1, 2], false), e.scalar(1));
}

export interface DetectorValues {
  /** Probabilities [N, K, C] of the network and of its teacher; background: the class that means that nothing is there. */
  readonly scores: string;
  readonly teacherScores: string;
  readonly classes: number;
  readonly background: number | "none";
}

/**
 * Cross-entropy of a detector's scores with the teacher's, less what it is at the least (the Kullback-Leibler divergence):
 * sum over anchors and classes of t log(t / s), over 1 + what the teacher finds. With one class each score is taken as the
 * probability of a thing, and 1 - score as that of none. Within 1e-6, so that a score of 0 has a finite loss.
 */
export function emitScores(e: Emit, builder: GraphBuilder, values: DetectorValues): string {
  const { scores, teacherScores, classes, background } = values;
  const log = (x: string) => e.op("Log", [e.add(x, e.scalar(1e-6))]);
  const divergence = (t: string, s: string) => e.reduceSum(e.mul(t, e.sub(log(t), log(s))), [0, 1, 2], false);
  const rest = (x: string) => e.sub(e.scalar(1), x);
  const sum = divergence(teacherScores, scores);
  const whole = classes === 1 ? e.add(sum, divergence(rest(teacherScores), rest(scores))) : sum;
  return e.div(whole, emitFound(e, emitMass(e, builder, teacherScores, classes, background)));
}

/**
 * Where the teacher finds things, how far the boxes are from its own, whatever numbers describe them: sum over anchors of
 * what the teacher finds there times |b - teacher's b|^2 / 4, over 1 + all that it finds. An anchor that holds nothing has
 * boxes that mean nothing, and most do.
 * @param boxes [N, K, 4], of the network and of its teacher
 */
export function emitBoxes(
  e: Emit,
  builder: GraphBuilder,
  boxes: string,
  teacherBoxes: string,
  values: Omit<DetectorValues, "scores">,
): string {
  const mass = emitMass(e, builder, values.teacherScores, values.classes, values.background);
  const error = e.reduceSum(e.mul(e.square(e.sub(boxes, teacherBoxes)), mass), [0, 1, 2], false);
  return e.div(e.mul(error, e.scalar(1 / 4)), emitFound(e, mass));
}
