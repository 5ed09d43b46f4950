/** Batch normalisation while training: by the statistics of the batch. */
import { attr, floatAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { dimsOf, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule, TrainingRule } from "../spec.js";

/**
 * The inference operator, fed the mean and variance of the batch. (ONNX Runtime's own training mode writes into its
 * inputs and gives wrong gradients.) The variance is the mean of squares less the square of the mean.
 */
const form: TrainingRule["form"] = (context) => {
  const c: GradientContext = { ...context, wants: () => true, outputGradient: () => undefined };
  const { node } = c;
  const e = emitter(c);
  const [x = "", scale = "", bias = "", runningMean = "", runningVariance = ""] = node.inputs;
  const dims = dimsOf(c, x);
  const [batch = 1, channels = 1, ...space] = dims;
  const count = batch * sizeOf(space);
  if (count < 2)
    throw noGradient(c, "a batch has one value for each channel, which has no variance; use larger batches");
  const others = dims.map((_, i) => i).toSpliced(1, 1);
  const rows = [batch, channels, 1, sizeOf(space)];
  /** Sum over all but the channels of a * b. [channels]. A matrix product of rows: a tenth of the time of Mul and ReduceSum. */
  const sumOfProducts = (a: string, b: string) => {
    const perSample = e.matMul(e.reshape(a, rows), e.reshape(b, rows), { transB: true });
    return e.reshape(e.reduceSum(perSample, [0], false), [channels]);
  };
  const mean = e.reduceMean(x, others, false);
  const spread = e.sub(e.mul(sumOfProducts(x, x), e.scalar(1 / count)), e.square(mean));
  const variance = e.op("Relu", [spread]);
  const epsilon = floatAttr(node, "epsilon", 1e-5);

  /**
   * With n the normalised input: dscale = sum(dy n), dbias = sum(dy), and
   * dx = scale / deviation * (dy - dbias / count - n dscale / count) (Ioffe and Szegedy 2015), which is written as
   * a * dy + (b * x + c) with one number per channel each.
   */
  const gradient: GradientRule = (g) => {
    const dy = g.outputGradient(0);
    if (dy === undefined) return [];
    const inverse = e.div(e.scalar(1), e.op("Sqrt", [e.add(variance, e.scalar(epsilon))]));
    const dBias = e.reduceSum(dy, others, false);
    const dScale = e.mul(inverse, e.sub(sumOfProducts(dy, x), e.mul(mean, dBias)));
    const input = () => {
      const share = e.scalar(1 / count);
      const a = e.mul(scale, inverse);
      const b = e.neg(e.mul(e.mul(a, inverse), e.mul(dScale, share)));
      const c = e.neg(e.add(e.mul(a, e.mul(dBias, share)), e.mul(b, mean)));
      // The inference operator once more, as the one that scales and shifts channels in a single pass.
      const zeros = e.constant(new Float32Array(channels), [channels]);
      const ones = e.constant(new Float32Array(channels).fill(1), [channels]);
      const scaled = e.op("BatchNormalization", [x, b, c, zeros, ones], { epsilon: attr.float(0) });
      return e.add(e.mul(dy, e.reshape(a, [channels, ...space.map(() => 1)])), scaled);
    };
    return [g.wants(0) ? input() : undefined, g.wants(1) ? dScale : undefined, g.wants(2) ? dBias : undefined];
  };

  const momentum = floatAttr(node, "momentum", 0.9);
  return {
    node: { ...node, inputs: [x, scale, bias, mean, variance] },
    gradient,
    statistics: [
      { running: runningMean, batch: mean, momentum },
      // Of the population that the batch is a sample of, as everywhere in the field.
      { running: runningVariance, batch: e.mul(variance, e.scalar(count / (count - 1))), momentum },
    ],
  };
};

export const trainings: Readonly<Record<string, TrainingRule>> = {
  BatchNormalization: { statistics: [3, 4], form },
};
