/** Shapes of operators that make, take and compute with quantised tensors. */
import type { ValueType } from "../../graph/analysis.js";
import { shapes as convolutions } from "../convolution/shape.js";
import { shapes as linear } from "../linear/shape.js";
import type { ShapeRule } from "../spec.js";

/** The rule of the operator in float, for these of the inputs; the result has the type of `typed`. */
function as(
  rule: ShapeRule | undefined,
  operands: readonly number[],
  typed: (inputs: readonly (ValueType | undefined)[]) => ValueType["dtype"] | undefined,
): ShapeRule {
  return (c) => {
    const made = rule?.({
      ...c,
      inputs: operands.map((i) => c.inputs[i]),
      constants: operands.map((i) => c.constants[i]),
    });
    const dtype = typed(c.inputs);
    return made?.map((type) => type && dtype && { ...type, dtype });
  };
}

const quantize: ShapeRule = ({ inputs: [x, , zeroPoint] }) =>
  x && [{ dims: x.dims, dtype: zeroPoint?.dtype ?? "uint8" }];
const dequantize: ShapeRule = ({ inputs: [x, scale] }) => x && scale && [{ dims: x.dims, dtype: scale.dtype }];
const dynamicQuantize: ShapeRule = ({ inputs: [x] }) =>
  x && [
    { dims: x.dims, dtype: "uint8" },
    { dims: [], dtype: "float32" },
    { dims: [], dtype: "uint8" },
  ];

export const shapes: Readonly<Record<string, ShapeRule>> = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
  QLinearConv: as(convolutions.Conv, [0, 3], (inputs) => inputs[7]?.dtype),
  QLinearMatMul: as(linear.MatMul, [0, 3], (inputs) => inputs[7]?.dtype),
  ConvInteger: as(convolutions.Conv, [0, 1], () => "int32"),
  MatMulInteger: as(linear.MatMul, [0, 1], () => "int32"),
};
