/** What is differentiated: the loss of a classifier, or random projections of any network's outputs. */
import type { Seed } from "../autodiff/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { GraphBuilder } from "../graph/builder.js";
import { sizeOf } from "../graph/tensors.js";
import type { Classifier } from "../operators/classifier.js";
import { emitter } from "../operators/emit.js";
import type { ScoreFeed } from "./scorer.js";
import type { Loss } from "./types.js";

export interface Objective {
  readonly loss: Loss;
  readonly seeds: readonly Seed[];
  /** Whether samples are scored each for itself and squared; else the batch is scored as one. */
  readonly perSample: boolean;
  /** What a run is fed besides the images. */
  readonly feeds: readonly ScoreFeed[];
}

/** Seed: d/dlogits of the cross-entropy is softmax - target (per sample; over the batch size for the batch's mean). */
export function classifierObjective(
  builder: GraphBuilder,
  analyzed: AnalyzedGraph,
  classifier: Classifier,
  loss: "cross-entropy" | "own-labels",
): Objective {
  const { logits, batch, classes } = classifier;
  const e = emitter({ builder, opset: analyzed.opset });
  const dims = [batch, classes];
  const z = e.reshape(logits, dims);
  const exp = e.op("Exp", [e.sub(z, e.reduce("ReduceMax", z, [1], true))]);
  const softmax = e.div(exp, e.reduceSum(exp, [1]));
  const input = builder.input(builder.freshName(loss === "own-labels" ? "gumbel noise" : "target"), dims);
  let gradient: string;
  if (loss === "own-labels") {
    // argmax(z + Gumbel noise) is distributed as softmax(z) (Gumbel 1954): labels are drawn within the same run.
    const noisy = e.add(z, input);
    gradient = e.sub(softmax, e.atLeast(noisy, e.reduce("ReduceMax", noisy, [1], true)));
  } else gradient = e.mul(e.sub(softmax, input), e.scalar(1 / batch));
  const seed = e.reshape(gradient, analyzed.types.get(logits)?.dims ?? dims);
  return {
    loss,
    seeds: [{ value: logits, gradient: seed }],
    perSample: loss === "own-labels",
    feeds: [{ name: input, dims, kind: loss === "own-labels" ? "gumbel" : "target" }],
  };
}

/** Seed: random signs on every float output, divided by the root mean square (over samples) of that output's norm. */
export function projectionObjective(builder: GraphBuilder, analyzed: AnalyzedGraph): Objective {
  const e = emitter({ builder, opset: analyzed.opset });
  const outputs = analyzed.graph.outputs.flatMap(({ name }) => {
    const type = analyzed.types.get(name);
    return type?.dtype === "float32" && sizeOf(type.dims) > 0 ? [{ name, dims: type.dims }] : [];
  });
  if (outputs.length === 0)
    throw new HalpError(
      "HALP_NO_OUTPUT_TO_SCORE",
      "The network has no float32 output of known shape to take importance from. Use a criterion of the weights alone: l1, l2 or bn-scale.",
    );
  const seeds: Seed[] = [];
  const feeds = outputs.map(({ name, dims }): ScoreFeed => {
    const input = builder.input(builder.freshName(`signs of ${name}`), dims);
    const axes = dims.map((_, i) => i);
    const squares = axes.length === 0 ? e.square(name) : e.reduceSum(e.square(name), axes);
    const norm = e.op("Sqrt", [e.add(e.mul(squares, e.scalar(1 / (dims[0] ?? 1))), e.scalar(1e-20))]);
    seeds.push({ value: name, gradient: e.div(input, norm) });
    return { name: input, dims, kind: "signs" };
  });
  return {
    loss: "projection",
    seeds,
    perSample: true,
    feeds,
  };
}
