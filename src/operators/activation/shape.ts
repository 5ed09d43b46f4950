/** Functions of one element: the shape stays. */

import { numbersOf, tensorOf } from "../elements.js";
import { sameAsFirst } from "../inference.js";
import type { EvaluateRule, ShapeRule } from "../spec.js";

const toBool: ShapeRule = ({ inputs: [x] }) => x && [{ dtype: "bool", dims: x.dims }];

const names = [
  ..."Relu LeakyRelu ThresholdedRelu PRelu Clip Elu Selu Celu Sigmoid HardSigmoid HardSwish Mish Gelu Softplus".split(
    " ",
  ),
  ..."Softsign Swish Tanh Erf Sqrt Exp Log Abs Neg Reciprocal Floor Ceil Round Sign Sin Cos Tan Asin Acos Atan".split(
    " ",
  ),
  ..."Sinh Cosh Asinh Acosh Atanh Not Shrink BitwiseNot".split(" "),
];

export const shapes: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(names.map((name) => [name, sameAsFirst])),
  IsNaN: toBool,
  IsInf: toBool,
};

/** Half to even, as ONNX rounds. */
function round(v: number): number {
  const near = Math.round(v);
  return near - v === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

/** What shape arithmetic is made of; results of float32 are rounded when they are stored. */
const functions: Readonly<Record<string, (v: number) => number>> = {
  Abs: Math.abs,
  Neg: (v) => -v,
  Sign: Math.sign,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: round,
  Sqrt: Math.sqrt,
  Reciprocal: (v) => 1 / v,
  Relu: (v) => Math.max(v, 0),
  Not: (v) => 1 - v,
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = Object.fromEntries(
  Object.entries(functions).map(([name, f]): [string, EvaluateRule] => [
    name,
    ({ constants: [x] }) => {
      const values = numbersOf(x);
      const made = x && values && tensorOf(x.dtype, x.dims, values.map(f));
      return made && [made];
    },
  ]),
);
