/** Arithmetic between tensors, with broadcasting aligned at the last axis. */

import { intAttr } from "../../graph/attributes.js";
import type { DataType, Tensor } from "../../graph/ir.js";
import { sizeOf } from "../../graph/tensors.js";
import { broadcasting, numbersOf, tensorOf } from "../elements.js";
import { allInputs, broadcastDims } from "../inference.js";
import type { EvaluateRule, InferContext, ShapeRule } from "../spec.js";

/** @param typed input that has the type of the output, or the type itself */
function elementwise(typed: number | DataType = 0): ShapeRule {
  return (c) => {
    const inputs = allInputs(c);
    const dtype = typeof typed === "number" ? inputs?.[typed]?.dtype : typed;
    return (
      inputs &&
      dtype && [
        {
          dtype,
          dims: broadcastDims(
            c.node,
            inputs.map((x) => x.dims),
          ),
        },
      ]
    );
  };
}

const keepsType = "Add Sub Mul Div Pow Min Max Sum Mean Mod And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor".split(
  " ",
);
const compares = "Equal Less LessOrEqual Greater GreaterOrEqual".split(" ");

export const shapes: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(keepsType.map((name) => [name, elementwise()])),
  ...Object.fromEntries(compares.map((name) => [name, elementwise("bool")])),
  Where: elementwise(1),
};

type Fold = (a: number, b: number, c: InferContext, dtype: DataType) => number;

const isFloat = (dtype: DataType) => dtype === "float32" || dtype === "float64";

/** ONNX Div of integers cuts towards zero; a division by zero is left to the run. */
const divide: Fold = (a, b, _, dtype) => (isFloat(dtype) ? a / b : b === 0 ? Number.NaN : Math.trunc(a / b));

/** Remainder with the sign of the divisor, or with `fmod` of the dividend. */
const modulo: Fold = (a, b, c) => (intAttr(c.node, "fmod", 0) === 1 ? a % b : a - b * Math.floor(a / b));

const folds: Readonly<Record<string, Fold>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: divide,
  Min: (a, b) => Math.min(a, b),
  Max: (a, b) => Math.max(a, b),
  Sum: (a, b) => a + b,
  Mod: modulo,
  And: (a, b) => a & b,
  Or: (a, b) => a | b,
  Xor: (a, b) => a ^ b,
  Equal: (a, b) => Number(a === b),
  Less: (a, b) => Number(a < b),
  LessOrEqual: (a, b) => Number(a <= b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
};

/** Numbers of each input, spread over the dims of the output. */
function operands(c: InferContext, dims: readonly number[]): number[][] | undefined {
  const n = sizeOf(dims);
  const lists: number[][] = [];
  for (const tensor of c.constants) {
    const values = numbersOf(tensor);
    if (!tensor || !values) return undefined;
    const at = broadcasting(tensor.dims, dims);
    lists.push(Array.from({ length: n }, (_, i) => values[at(i)] as number));
  }
  return lists;
}

function made(dtype: DataType, dims: readonly number[], values: number[]): readonly Tensor[] | undefined {
  const tensor = tensorOf(dtype, dims, values);
  return tensor && [tensor];
}

function folding(fold: Fold, result?: DataType): EvaluateRule {
  return (c) => {
    const inputs = allInputs(c);
    if (!inputs || !c.constants.every((t) => t)) return undefined;
    const dtype = inputs[0]?.dtype ?? "other";
    const dims = broadcastDims(
      c.node,
      inputs.map((x) => x.dims),
    );
    const [first, ...rest] = operands(c, dims) ?? [];
    if (!first) return undefined;
    const rounded = dtype === "float32" ? Math.fround : (v: number) => v;
    const values = first.map((a, i) => rest.reduce((sum, list) => rounded(fold(sum, list[i] as number, c, dtype)), a));
    return made(result ?? dtype, dims, values);
  };
}

const where: EvaluateRule = (c) => {
  const inputs = allInputs(c);
  if (!inputs || !c.constants.every((t) => t)) return undefined;
  const dims = broadcastDims(
    c.node,
    inputs.map((x) => x.dims),
  );
  const [condition, yes, no] = operands(c, dims) ?? [];
  if (!condition || !yes || !no) return undefined;
  return made(
    inputs[1]?.dtype ?? "other",
    dims,
    condition.map((b, i) => (b ? yes[i] : no[i]) as number),
  );
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  ...Object.fromEntries(
    Object.entries(folds).map(([name, fold]) => [name, folding(fold, compares.includes(name) ? "bool" : undefined)]),
  ),
  Where: where,
};
