/** Channels through functions of one element: handed on. PRelu has a slope a channel, broadcast like an operand. */
import { joinBroadcast } from "../broadcast.js";
import { handOn } from "../hand-on.js";
import type { ChannelRule } from "../spec.js";

const unary: ChannelRule = (c) => handOn(c, c.node.inputs[0] ?? "", c.node.outputs[0] ?? "");

const names = [
  ..."Relu LeakyRelu ThresholdedRelu Clip Elu Selu Celu Sigmoid HardSigmoid HardSwish Mish Gelu Softplus Softsign".split(
    " ",
  ),
  ..."Swish Tanh Erf Sqrt Exp Log Abs Neg Reciprocal Floor Ceil Round Sign Sin Cos Tan Asin Acos Atan Sinh Cosh".split(
    " ",
  ),
  ..."Asinh Acosh Atanh Not IsNaN IsInf Shrink BitwiseNot".split(" "),
];

export const channels: Readonly<Record<string, ChannelRule>> = {
  ...Object.fromEntries(names.map((name) => [name, unary])),
  PRelu: (c) => joinBroadcast(c, c.node.inputs, c.node.outputs[0] ?? ""),
};
