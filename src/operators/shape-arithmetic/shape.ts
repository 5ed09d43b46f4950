/** Operators that make tensors out of shapes, numbers or nothing. */
import { floatAttr, floatsAttr, intAttr, intsAttr, tensorAttr } from "../../graph/attributes.js";
import type { Tensor } from "../../graph/ir.js";
import { dataTypeOf, float32Tensor, int64Tensor, sizeOf } from "../../graph/tensors.js";
import { gathered, numbersOf, tensorOf } from "../elements.js";
import { integersAt } from "../inference.js";
import type { EvaluateRule, InferContext, ShapeRule } from "../spec.js";

/** Extents from `start` to `end` (opset 15), counted from the back where negative. */
function extents({ node, inputs: [x] }: InferContext): readonly number[] | undefined {
  if (!x) return undefined;
  const rank = x.dims.length;
  const at = (name: string, otherwise: number) => {
    const v = intAttr(node, name, otherwise);
    return Math.min(Math.max(v < 0 ? v + rank : v, 0), rank);
  };
  return x.dims.slice(at("start", 0), at("end", rank));
}

/** The tensor that a Constant node holds, in whichever attribute; undefined for strings and sparse tensors. */
function held({ node }: InferContext): Tensor | undefined {
  const kinds = node.attributes;
  if (kinds.has("value")) return tensorAttr(node, "value");
  if (kinds.has("value_int")) return int64Tensor("", [], [intAttr(node, "value_int", 0)]);
  if (kinds.has("value_float")) return float32Tensor("", [], [floatAttr(node, "value_float", 0)]);
  const ints = intsAttr(node, "value_ints");
  if (ints) return int64Tensor("", [ints.length], ints);
  const floats = floatsAttr(node, "value_floats");
  return floats && float32Tensor("", [floats.length], floats);
}

/** One element that ConstantOfShape repeats: float32 zero unless given. */
const filler = (c: InferContext) => tensorAttr(c.node, "value") ?? float32Tensor("", [1], [0]);

const constantOfShape: ShapeRule = (c) => {
  const dims = integersAt(c, 0);
  return dims && dims !== "unknown" ? [{ dtype: filler(c).dtype, dims }] : undefined;
};

/** Start, limit and step. */
function progression(c: InferContext): { start: number; step: number; count: number } | undefined {
  const [start, limit, step] = c.constants.map((t) => numbersOf(t)?.[0]);
  if (start === undefined || limit === undefined || !step) return undefined;
  return { start, step, count: Math.max(0, Math.ceil((limit - start) / step)) };
}

const range: ShapeRule = (c) => {
  const [x] = c.inputs;
  const found = x && progression(c);
  return found && [{ dtype: x.dtype, dims: [found.count] }];
};

const eyeLike: ShapeRule = ({ node, inputs: [x] }) => {
  const code = intAttr(node, "dtype", 0);
  return x && [{ dtype: code === 0 ? x.dtype : dataTypeOf(code), dims: x.dims }];
};

export const shapes: Readonly<Record<string, ShapeRule>> = {
  Shape: (c) => {
    const dims = extents(c);
    return dims && [{ dtype: "int64", dims: [dims.length] }];
  },
  Size: ({ inputs: [x] }) => x && [{ dtype: "int64", dims: [] }],
  Constant: (c) => {
    const tensor = held(c);
    return tensor && [{ dtype: tensor.dtype, dims: tensor.dims }];
  },
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  // How many elements are not zero only a run tells.
  NonZero: () => undefined,
};

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  Shape: (c) => {
    const dims = extents(c);
    return dims && [int64Tensor("", [dims.length], dims)];
  },
  Size: ({ inputs: [x] }) => x && [int64Tensor("", [], [sizeOf(x.dims)])],
  Constant: (c) => {
    const tensor = held(c);
    return tensor && [tensor];
  },
  ConstantOfShape: (c) => {
    const dims = constantOfShape(c)?.[0]?.dims;
    const tensor = dims && gathered(filler(c), dims, () => 0);
    return tensor && [tensor];
  },
  Range: (c) => {
    const found = progression(c);
    const dtype = c.inputs[0]?.dtype;
    if (!found || !dtype) return undefined;
    const values = Array.from({ length: found.count }, (_, i) => found.start + i * found.step);
    const tensor = tensorOf(dtype, [values.length], values);
    return tensor && [tensor];
  },
};
