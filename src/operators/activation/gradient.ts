/** Gradients of the activation family, by operator type: the incoming gradient times the derivative at each element. */
import { floatAttr, stringAttr } from "../../graph/attributes.js";
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";

type Derivative = (e: Emit, x: string, y: string, c: GradientContext) => string;

/** dx = dy * derivative(x, y). */
function elementwise(derivative: Derivative): GradientRule {
  return (c) => {
    const dy = c.outputGradient(0);
    if (dy === undefined || !c.wants(0)) return [];
    const e = emitter(c);
    return [e.mul(dy, derivative(e, c.node.inputs[0] ?? "", c.node.outputs[0] ?? "", c))];
  };
}

/** A function that is flat wherever it has a derivative. */
const flat: GradientRule = () => [];

/** scale * (1 where x > 0, else what `below` gives). */
function rectified(e: Emit, x: string, below: string, scale = 1): string {
  const m = e.positive(x);
  const above = scale === 1 ? m : e.mul(m, e.scalar(scale));
  return e.add(above, e.mul(e.sub(e.scalar(1), m), below));
}

const inverse = (e: Emit, x: string) => e.div(e.scalar(1), x);
/** 1 + sign * x^2 */
const onePlusSquare = (e: Emit, x: string, sign: 1 | -1) =>
  sign > 0 ? e.add(e.scalar(1), e.square(x)) : e.sub(e.scalar(1), e.square(x));

/** d/dx x s(x) for the logistic function s(alpha x): s + alpha x s (1 - s). */
const swish: Derivative = (e, x, _, c) => {
  const alpha = floatAttr(c.node, "alpha", 1);
  const scaled = alpha === 1 ? x : e.mul(x, e.scalar(alpha));
  const s = e.op("Sigmoid", [scaled]);
  return e.add(s, e.mul(scaled, e.sub(s, e.square(s))));
};

/** HardSwish is x h(x) with h = clip(x / 6 + 1 / 2, 0, 1). */
const hardSwish: Derivative = (e, x) => {
  const h = e.clip(e.add(e.mul(x, e.scalar(1 / 6)), e.scalar(0.5)), 0, 1);
  const inside = e.mul(e.positive(h), e.positive(e.sub(e.scalar(1), h)));
  return e.add(h, e.mul(e.mul(x, e.scalar(1 / 6)), inside));
};

/** Mish is x t with t = tanh(softplus(x)), and softplus' = sigmoid. */
const mish: Derivative = (e, x) => {
  const t = e.op("Tanh", [e.op("Softplus", [x])]);
  return e.add(t, e.mul(x, e.mul(onePlusSquare(e, t, -1), e.op("Sigmoid", [x]))));
};

/** Gelu is x P(x), P the normal distribution function or its tanh form (Hendrycks and Gimpel, arXiv 1606.08415). */
const gelu: Derivative = (e, x, _, c) => {
  const half = e.scalar(0.5);
  if (stringAttr(c.node, "approximate", "none") === "none") {
    const p = e.mul(half, e.add(e.scalar(1), e.op("Erf", [e.mul(x, e.scalar(Math.SQRT1_2))])));
    const density = e.mul(e.op("Exp", [e.mul(e.square(x), e.scalar(-0.5))]), e.scalar(1 / Math.sqrt(2 * Math.PI)));
    return e.add(p, e.mul(x, density));
  }
  const k = Math.sqrt(2 / Math.PI);
  const xx = e.square(x);
  const t = e.op("Tanh", [e.mul(e.mul(x, e.scalar(k)), e.add(e.scalar(1), e.mul(xx, e.scalar(0.044715))))]);
  const slope = e.mul(e.add(e.scalar(1), e.mul(xx, e.scalar(3 * 0.044715))), e.scalar(k));
  const p = e.mul(half, e.add(e.scalar(1), t));
  return e.add(p, e.mul(e.mul(half, x), e.mul(onePlusSquare(e, t, -1), slope)));
};

const clip: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  if (c.wants(1) || c.wants(2)) throw noGradient(c, "its bounds are computed at run time");
  if (!c.wants(0)) return [];
  const e = emitter(c);
  const [x = "", low = "", high = ""] = c.node.inputs;
  const bound = (input: string, name: string) => {
    if (c.opset >= 11) return input === "" ? undefined : input;
    return c.node.attributes.has(name) ? e.scalar(floatAttr(c.node, name, 0)) : undefined;
  };
  const [min, max] = [bound(low, "min"), bound(high, "max")];
  const above = min === undefined ? undefined : e.sub(x, min);
  const beneath = max === undefined ? undefined : e.sub(max, x);
  // Between two bounds the product of both distances is positive, outside it is not: one mask instead of two.
  const inside = above !== undefined && beneath !== undefined ? e.mul(above, beneath) : (above ?? beneath);
  return [inside === undefined ? dy : e.mul(dy, e.positive(inside))];
};

const pRelu: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const [x = "", slope = ""] = c.node.inputs;
  const dims = dimsOf(c, x);
  const dx = c.wants(0) ? e.mul(dy, rectified(e, x, slope)) : undefined;
  if (!c.wants(1)) return [dx];
  const below = e.mul(x, e.sub(e.scalar(1), e.positive(x)));
  return [dx, e.sumOfProductsTo(dy, below, dims, dimsOf(c, slope))];
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  Relu: elementwise((e, _, y) => e.positive(y)),
  LeakyRelu: elementwise((e, x, _, c) => rectified(e, x, e.scalar(floatAttr(c.node, "alpha", 0.01)))),
  ThresholdedRelu: elementwise((e, x, _, c) => e.positive(e.sub(x, e.scalar(floatAttr(c.node, "alpha", 1))))),
  PRelu: pRelu,
  Clip: clip,
  // Below zero y = alpha (exp x - 1), so dy/dx = y + alpha.
  Elu: elementwise((e, x, y, c) => rectified(e, x, e.add(y, e.scalar(floatAttr(c.node, "alpha", 1))))),
  Selu: elementwise((e, x, y, c) => {
    const alpha = floatAttr(c.node, "alpha", 1.6732632423543772);
    const gamma = floatAttr(c.node, "gamma", 1.0507009873554805);
    return rectified(e, x, e.add(y, e.scalar(alpha * gamma)), gamma);
  }),
  Celu: elementwise((e, x, y, c) =>
    rectified(e, x, e.add(e.mul(y, e.scalar(1 / floatAttr(c.node, "alpha", 1))), e.scalar(1))),
  ),
  Sigmoid: elementwise((e, _, y) => e.sub(y, e.square(y))),
  HardSigmoid: elementwise((e, _, y, c) => {
    const inside = e.mul(e.positive(y), e.positive(e.sub(e.scalar(1), y)));
    return e.mul(inside, e.scalar(floatAttr(c.node, "alpha", 0.2)));
  }),
  HardSwish: elementwise(hardSwish),
  Mish: elementwise(mish),
  Gelu: elementwise(gelu),
  Swish: elementwise(swish),
  Softplus: elementwise((e, x) => e.op("Sigmoid", [x])),
  Softsign: elementwise((e, x) => inverse(e, e.square(e.add(e.scalar(1), e.op("Abs", [x]))))),
  Tanh: elementwise((e, _, y) => onePlusSquare(e, y, -1)),
  Erf: elementwise((e, x) => e.mul(e.op("Exp", [e.neg(e.square(x))]), e.scalar(2 / Math.sqrt(Math.PI)))),
  Sqrt: elementwise((e, _, y) => e.div(e.scalar(0.5), y)),
  Exp: elementwise((_, __, y) => y),
  Log: elementwise((e, x) => inverse(e, x)),
  Abs: elementwise((e, x) => e.op("Sign", [x])),
  Neg: elementwise((e) => e.scalar(-1)),
  Reciprocal: elementwise((e, _, y) => e.neg(e.square(y))),
  Sin: elementwise((e, x) => e.op("Cos", [x])),
  Cos: elementwise((e, x) => e.neg(e.op("Sin", [x]))),
  Tan: elementwise((e, _, y) => onePlusSquare(e, y, 1)),
  Asin: elementwise((e, x) => inverse(e, e.op("Sqrt", [onePlusSquare(e, x, -1)]))),
  Acos: elementwise((e, x) => e.neg(inverse(e, e.op("Sqrt", [onePlusSquare(e, x, -1)])))),
  Atan: elementwise((e, x) => inverse(e, onePlusSquare(e, x, 1))),
  Sinh: elementwise((e, x) => e.op("Cosh", [x])),
  Cosh: elementwise((e, x) => e.op("Sinh", [x])),
  Asinh: elementwise((e, x) => inverse(e, e.op("Sqrt", [onePlusSquare(e, x, 1)]))),
  Acosh: elementwise((e, x) => inverse(e, e.op("Sqrt", [e.sub(e.square(x), e.scalar(1))]))),
  Atanh: elementwise((e, x) => inverse(e, onePlusSquare(e, x, -1))),
  Shrink: elementwise((e, x, _, c) => e.positive(e.sub(e.op("Abs", [x]), e.scalar(floatAttr(c.node, "lambd", 0.5))))),
  Floor: flat,
  Ceil: flat,
  Round: flat,
  Sign: flat,
};
