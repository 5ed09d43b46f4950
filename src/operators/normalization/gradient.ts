/** Gradients of normalisations, by operator type. */
import { floatAttr, intAttr, intsAttr } from "../../graph/attributes.js";
import { float32Of, sizeOf } from "../../graph/tensors.js";
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";

/** y = scale (x - mean) / sqrt(var + eps) + bias with frozen statistics: linear in x. */
const batchNormalization: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const { node } = c;
  if (intAttr(node, "training_mode", 0) === 1 || node.outputs.filter((o) => o !== "").length > 1)
    throw noGradient(c, "it is in training mode");
  if (c.wants(3) || c.wants(4)) throw noGradient(c, "its statistics are computed at run time");
  const e = emitter(c);
  const [x = "", scale = "", , mean = "", variance = ""] = node.inputs;
  const dims = dimsOf(c, x);
  const channels = dims[1] ?? 1;
  const perChannel = [channels, ...dims.slice(2).map(() => 1)];
  const eps = floatAttr(node, "epsilon", 1e-5);
  const [g, v] = [c.constant(scale), c.constant(variance)];
  const inverse = () => {
    if (v?.dtype === "float32")
      return e.constant(
        float32Of(v).map((s) => 1 / Math.sqrt(s + eps)),
        perChannel,
      );
    const deviation = e.op("Sqrt", [e.add(variance, e.scalar(eps))]);
    return e.reshape(e.div(e.scalar(1), deviation), perChannel);
  };
  const slope = () => {
    if (g?.dtype !== "float32" || v?.dtype !== "float32") return e.mul(inverse(), e.reshape(scale, perChannel));
    const variances = float32Of(v);
    return e.constant(
      float32Of(g).map((s, i) => s / Math.sqrt((variances[i] as number) + eps)),
      perChannel,
    );
  };
  const others = dims.map((_, i) => i).toSpliced(1, 1);
  const dScale = () => {
    const normal = e.mul(e.sub(x, e.reshape(mean, perChannel)), inverse());
    return e.reduceSum(e.mul(dy, normal), others, false);
  };
  return [
    c.wants(0) ? e.mul(dy, slope()) : undefined,
    c.wants(1) ? dScale() : undefined,
    c.wants(2) ? e.reduceSum(dy, others, false) : undefined,
  ];
};

/** What normalisations by their own statistics share: the normalised input, and the way back through it. */
function ownStatistics(e: Emit, x: string, axes: readonly number[], eps: number) {
  const centred = e.sub(x, e.reduceMean(x, axes));
  const deviation = e.op("Sqrt", [e.add(e.reduceMean(e.square(centred), axes), e.scalar(eps))]);
  const normal = e.div(centred, deviation);
  return {
    normal,
    /** dx = (g - mean(g) - n mean(g n)) / deviation, for the gradient g of the normalised input n. */
    back: (g: string) => {
      const along = e.mul(normal, e.reduceMean(e.mul(g, normal), axes));
      return e.div(e.sub(e.sub(g, e.reduceMean(g, axes)), along), deviation);
    },
  };
}

const instanceNormalization: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const [x = "", scale = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const space = dims.map((_, i) => i).slice(2);
  const own = ownStatistics(e, x, space, floatAttr(c.node, "epsilon", 1e-5));
  const perChannel = [dims[1] ?? 1, ...space.map(() => 1)];
  return [
    c.wants(0) ? own.back(e.mul(dy, e.reshape(scale, perChannel))) : undefined,
    c.wants(1) ? e.reduceSum(e.mul(dy, own.normal), [0, ...space], false) : undefined,
    c.wants(2) ? e.reduceSum(dy, [0, ...space], false) : undefined,
  ];
};

const layerNormalization: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  if (c.node.outputs.slice(1).some((_, i) => c.outputGradient(i + 1) !== undefined))
    throw noGradient(c, "its statistics are used elsewhere");
  const e = emitter(c);
  const [x = "", scale = "", bias = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const first = intAttr(c.node, "axis", -1);
  const axes = dims.map((_, i) => i).slice(first < 0 ? first + dims.length : first);
  const own = ownStatistics(e, x, axes, floatAttr(c.node, "epsilon", 1e-5));
  return [
    c.wants(0) ? own.back(e.mul(dy, scale)) : undefined,
    c.wants(1) ? e.sumTo(e.mul(dy, own.normal), dims, dimsOf(c, scale)) : undefined,
    c.wants(2) ? e.sumTo(dy, dims, dimsOf(c, bias)) : undefined,
  ];
};

/** Scale and bias have one entry per group before opset 21, one per channel from then on. */
const groupNormalization: GradientRule = (c: GradientContext) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  if (c.wants(1) || c.wants(2)) throw noGradient(c, "only that of its input is known");
  if (!c.wants(0)) return [];
  const e = emitter(c);
  const [x = "", scale = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const [batch = 1, channels = 1, ...space] = dims;
  const groups = intAttr(c.node, "num_groups", 1);
  const grouped = [batch, groups, (channels / groups) * sizeOf(space)];
  const perEntry = c.opset < 21 ? [groups, 1] : [channels, ...space.map(() => 1)];
  const own = ownStatistics(e, e.reshape(x, grouped), [2], floatAttr(c.node, "epsilon", 1e-5));
  const scaled =
    c.opset < 21
      ? e.mul(e.reshape(dy, grouped), e.reshape(scale, perEntry))
      : e.reshape(e.mul(dy, e.reshape(scale, perEntry)), grouped);
  return [e.reshape(own.back(scaled), dims)];
};

/**
 * y = x / D^beta with D = bias + alpha / size * (sum of x^2 over a window of channels). With w the windows:
 * dx = dy / D^beta - 2 alpha beta / size * x * w'(dy y / D).
 */
const localResponse: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const { node } = c;
  const [x = ""] = node.inputs;
  const dims = dimsOf(c, x);
  const channels = dims[1] ?? 1;
  const size = intAttr(node, "size", 1);
  const beta = floatAttr(node, "beta", 0.75);
  const scale = floatAttr(node, "alpha", 1e-4) / size;
  // Column j: the channels that the window of channel j sums over; its transpose is the way back.
  const window = new Float32Array(channels * channels);
  const back = new Float32Array(channels * channels);
  for (let j = 0; j < channels; j++)
    for (let i = j - Math.floor((size - 1) / 2); i <= j + Math.ceil((size - 1) / 2); i++)
      if (i >= 0 && i < channels) {
        window[i * channels + j] = 1;
        back[j * channels + i] = 1;
      }
  const sums = e.alongAxis(e.square(x), dims, 1, window, channels);
  const d = e.add(e.mul(sums, e.scalar(scale)), e.scalar(floatAttr(node, "bias", 1)));
  const shared = e.alongAxis(e.div(e.mul(dy, node.outputs[0] ?? ""), d), dims, 1, back, channels);
  const direct = e.mul(dy, e.op("Pow", [d, e.scalar(-beta)]));
  return [e.sub(direct, e.mul(e.mul(x, shared), e.scalar(2 * beta * scale)))];
};

/** y = x / |x|: dx = (dy - y sum(dy y)) / |x|; with p = 1, (dy - sign(x) sum(dy y)) / |x|. */
const unitLength: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const e = emitter(c);
  const [x = ""] = c.node.inputs;
  const y = c.node.outputs[0] ?? "";
  const given = intAttr(c.node, "axis", -1);
  const axes = [given < 0 ? given + dimsOf(c, x).length : given];
  const along = e.reduceSum(e.mul(dy, y), axes);
  const one = intAttr(c.node, "p", 2) === 1;
  const length = one ? e.reduceSum(e.op("Abs", [x]), axes) : e.op("Sqrt", [e.reduceSum(e.square(x), axes)]);
  return [e.div(e.sub(dy, e.mul(one ? e.op("Sign", [x]) : y, along)), length)];
};

const meanVariance: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const axes = intsAttr(c.node, "axes") ?? [0, 2, 3];
  return [ownStatistics(emitter(c), c.node.inputs[0] ?? "", axes, 1e-18).back(dy)];
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  LRN: localResponse,
  LpNormalization: unitLength,
  MeanVarianceNormalization: meanVariance,
};
