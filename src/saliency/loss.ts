/** What the networks outputs are held against: gradients of a loss at the outputs. */
import type { Random } from "../data/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";

/**
 * A loss, given by its gradient with respect to some values near the outputs.
 *
 * - `cross-entropy`: mean over the batch of -log softmax(logits)[label]; its gradient at the logits is
 *   (softmax(logits) - onehot(label)) / N. Without labels they are drawn from the network's own softmax: the gradients are
 *   then those of the Fisher information.
 * - `projection`: L = sum over all outputs o of r_o . o / |o| with r random, +1 or -1 for each element. With S_c the sum
 *   of z * dL/dz over channel c, E[S_c^2] over r is the squared change of the normalised outputs when the channel's output
 *   z is scaled away, to first order: the Hutchinson estimate of |J_c z_c|^2, J_c the Jacobian of the outputs.
 */
export interface Loss {
  readonly kind: "cross-entropy" | "projection";
  /** Values at which the gradient is given: the logits, or all outputs. */
  readonly values: readonly string[];
  /** Classes, for cross-entropy. */
  readonly classes: number;
  /** Output from which probabilities are read, and whether it holds them already. */
  readonly output: string;
  readonly outputKind: "logits" | "softmax" | "log-softmax";
}

/** Cross-entropy for a network with one output [N, classes], else projections of all outputs. */
export function chooseLoss(analyzed: AnalyzedGraph): Loss {
  const outputs = analyzed.graph.outputs.map((o) => o.name);
  const [output = ""] = outputs;
  const dims = analyzed.types.get(output)?.dims ?? [];
  const none = { classes: 0, output, outputKind: "logits" as const };
  if (outputs.length !== 1 || dims.length !== 2 || (dims[1] ?? 0) < 2)
    return { kind: "projection", values: floatOutputs(analyzed), ...none };
  const last = analyzed.producerOf.get(output);
  const kinds: Readonly<Record<string, Loss["outputKind"]>> = { Softmax: "softmax", LogSoftmax: "log-softmax" };
  const outputKind = kinds[last?.opType ?? ""] ?? "logits";
  const logits = outputKind === "logits" ? output : (last?.inputs[0] ?? output);
  return { kind: "cross-entropy", values: [logits], classes: dims[1] as number, output, outputKind };
}

function floatOutputs(analyzed: AnalyzedGraph): string[] {
  return analyzed.graph.outputs.map((o) => o.name).filter((name) => analyzed.types.get(name)?.dtype === "float32");
}

/** Row-wise probabilities from what the network puts out. */
export function probabilities(output: Float32Array, classes: number, kind: Loss["outputKind"]): Float32Array {
  if (kind === "softmax") return output;
  const p = new Float32Array(output.length);
  for (let row = 0; row < output.length; row += classes) {
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) most = Math.max(most, output[row + k] as number);
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp((output[row + k] as number) - most);
    for (let k = 0; k < classes; k++) p[row + k] = Math.exp((output[row + k] as number) - most) / sum;
  }
  return p;
}

/** One class for each row, drawn with the row's probabilities. */
export function drawLabels(p: Float32Array, classes: number, random: Random): Int32Array {
  return Int32Array.from({ length: p.length / classes }, (_, row) => {
    let left = random.uniform();
    for (let k = 0; k < classes - 1; k++) {
      left -= p[row * classes + k] as number;
      if (left < 0) return k;
    }
    return classes - 1;
  });
}

/**
 * (p - onehot) / N.
 * @throws HalpError HALP_LABEL_RANGE
 */
export function crossEntropyGradient(p: Float32Array, labels: Int32Array, classes: number): Float32Array {
  const rows = p.length / classes;
  const gradient = p.map((x) => x / rows);
  labels.forEach((label, row) => {
    if (label < 0 || label >= classes)
      throw new HalpError(
        "HALP_LABEL_RANGE",
        `Label ${label} at sample ${row} of a batch; the network tells ${classes} classes apart, 0 to ${classes - 1}.`,
      );
    const at = row * classes + label;
    gradient[at] = (gradient[at] as number) - 1 / rows;
  });
  return gradient;
}

/** +1 or -1 for each element, over the output's norm. */
export function projectionGradient(output: Float32Array, random: Random): Float32Array {
  let squares = 0;
  for (const x of output) squares += x * x;
  const scale = squares > 0 && Number.isFinite(squares) ? 1 / Math.sqrt(squares) : 1;
  const r = new Float32Array(output.length);
  for (let i = 0; i < r.length; i += 32) {
    const bits = random.uint32();
    for (let b = 0; b < 32 && i + b < r.length; b++) r[i + b] = (bits >>> b) & 1 ? scale : -scale;
  }
  return r;
}
