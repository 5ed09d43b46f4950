/** What a training makes small: terms of a loss, as nodes behind the network. */
import { attr } from "../graph/attributes.js";
import type { Model } from "../graph/ir.js";
import { sizeOf } from "../graph/tensors.js";
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
 * - `graph`: a loss of the user's own: an ONNX model whose inputs are named as outputs of the network, or `labels`, and
 *   whose first output is a scalar. Labels come as [batch, ...] in the shape that the data give them, or one class for each
 *   sample where another term needs classes.
 */
export type LossTerm = { readonly weight?: number } & (
  | { readonly kind: "cross-entropy"; readonly labelSmoothing?: number }
  | { readonly kind: "soft-labels"; readonly temperature?: number }
  | { readonly kind: "outputs" }
  | { readonly kind: "values"; readonly values: readonly string[] }
  | { readonly kind: "graph"; readonly model: Model }
);

export function needsTeacher(term: LossTerm): boolean {
  return term.kind === "soft-labels" || term.kind === "outputs" || term.kind === "values";
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
