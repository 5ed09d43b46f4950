/** Operators that change nothing of the elements but, at most, their type. */
import type { ValueType } from "../../graph/analysis.js";
import { intAttr } from "../../graph/attributes.js";
import type { DataType } from "../../graph/ir.js";
import { dataTypeOf } from "../../graph/tensors.js";
import { numbersOf, tensorOf } from "../elements.js";
import { sameAsFirst } from "../inference.js";
import type { EvaluateRule, InferContext, ShapeRule } from "../spec.js";

/** The mask became bool at opset 10. */
const dropout: ShapeRule = ({ inputs: [x], node, opset }) => {
  if (!x) return undefined;
  const mask: ValueType = opset < 10 ? x : { dtype: "bool", dims: x.dims };
  return node.outputs.map((_, i) => (i === 0 ? x : mask));
};

const castTo = ({ node }: InferContext): DataType => dataTypeOf(intAttr(node, "to", 1));
const castLike = ({ inputs }: InferContext): DataType | undefined => inputs[1]?.dtype;

function cast(typeOf: (c: InferContext) => DataType | undefined): ShapeRule {
  return (c) => {
    const [x] = c.inputs;
    const dtype = typeOf(c);
    return x && dtype && [{ dtype, dims: x.dims }];
  };
}

const isFloat = (dtype: DataType) => dtype === "float32" || dtype === "float64";

function castValue(typeOf: (c: InferContext) => DataType | undefined): EvaluateRule {
  return (c) => {
    const [x] = c.constants;
    const dtype = typeOf(c);
    if (!x || !dtype) return undefined;
    if (dtype === x.dtype) return [x];
    const values = numbersOf(x);
    if (!values) return undefined;
    const as =
      dtype === "bool"
        ? (v: number) => Number(v !== 0)
        : isFloat(dtype)
          ? (v: number) => v
          : (v: number) => Math.trunc(v);
    const made = tensorOf(dtype, x.dims, values.map(as));
    return made && [made];
  };
}

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Identity: sameAsFirst,
  Dropout: dropout,
  Cast: cast(castTo),
  CastLike: cast(castLike),
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  Identity: ({ constants: [x] }) => x && [x],
  Cast: castValue(castTo),
  CastLike: castValue(castLike),
};
