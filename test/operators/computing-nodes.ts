/** Random nodes that compute: element by element, between tensors, over axes. */
import { attr } from "../../src/graph/attributes.js";
import type { DataType, Tensor } from "../../src/graph/ir.js";
import { broadcastable, type Draw, float32s, int64s, type RandomNode, some } from "./random-node.js";

type Make = (d: Draw) => RandomNode;

const unary =
  (opset: number, dtypes: readonly DataType[] = ["float32"], min = -9): Make =>
  (d) => ({ opset, inputs: [d.tensor(d.of(...dtypes), d.dims(0, 4), min)] });

const binary =
  (opset: number, dtypes: readonly DataType[] = ["float32", "int64"], min = -9, max = 9): Make =>
  (d) => {
    const dtype = d.of(...dtypes);
    return { opset, inputs: broadcastable(d, 2).map((dims) => d.tensor(dtype, dims, min, max)) };
  };

const variadic: Make = (d) => ({ opset: 13, inputs: broadcastable(d, d.int(1, 3)).map((dims) => d.floats(dims)) });

const where: Make = (d) => {
  const [a = [], b = [], c = []] = broadcastable(d, 3);
  const dtype = d.of<DataType>("float32", "int64");
  return { opset: 9, inputs: [d.tensor("bool", a, 0, 1), d.tensor(dtype, b), d.tensor(dtype, c)] };
};

const gemm: Make = (d) => {
  const [m, k, n] = [d.int(1, 4), d.int(1, 4), d.int(1, 4)];
  const [transA, transB] = [d.bool(), d.bool()];
  return {
    opset: d.of(9, 11, 13, 26),
    attributes: { transA: attr.int(Number(transA)), transB: attr.int(Number(transB)) },
    inputs: [d.floats(transA ? [k, m] : [m, k]), d.floats(transB ? [n, k] : [k, n]), d.floats(d.of([], [n], [m, n]))],
  };
};

const matMul: Make = (d) => {
  const k = d.int(1, 4);
  const [a = [], b = []] = broadcastable(d, 2);
  const left = d.bool() ? [k] : [...a.slice(-2), d.int(1, 4), k];
  const right = d.bool() ? [k] : [...b.slice(-2), k, d.int(1, 4)];
  return { opset: 13, inputs: [d.floats(left), d.floats(right)] };
};

const channelwise =
  (opset: number, parameters: number): Make =>
  (d) => {
    const dims = [d.int(1, 3), d.int(1, 4), ...d.dims(1, 2)];
    return {
      opset,
      inputs: [d.floats(dims), ...d.ints(parameters, 1, 9).map(() => d.tensor("float32", [dims[1] ?? 1], 1, 3))],
    };
  };

const layerNormalization: Make = (d) => {
  const dims = d.dims(1, 4);
  const axis = d.axis(dims.length);
  const scale = d.floats(dims.slice(axis < 0 ? axis + dims.length : axis));
  return { opset: 17, attributes: { axis: attr.int(axis) }, inputs: [d.floats(dims), scale], outputs: d.of(1, 3) };
};

const softmax: Make = (d) => {
  const dims = d.dims(1, 4);
  return {
    opset: d.of(9, 11, 13, 26),
    attributes: { axis: attr.int(d.int(0, dims.length - 1)) },
    inputs: [d.floats(dims)],
  };
};

const reduce =
  (inputFrom: number, dtypes: readonly DataType[] = ["float32"]): Make =>
  (d) => {
    const opset = d.of(9, 11, 13, 18, 26);
    const dims = d.dims(1, 4);
    const axes = d.bool() ? d.axes(dims.length, d.int(1, dims.length)) : undefined;
    const plain = opset < 11 ? axes?.map((a) => (a < 0 ? a + dims.length : a)) : axes;
    const asInput = opset >= inputFrom;
    return {
      opset,
      attributes: some({
        keepdims: d.bool() ? attr.int(d.int(0, 1)) : undefined,
        axes: plain && !asInput ? attr.ints(plain) : undefined,
        noop_with_empty_axes: asInput && d.bool() ? attr.int(d.int(0, 1)) : undefined,
      }),
      inputs: [d.tensor(d.of(...dtypes), dims, 1, 4), asInput && plain ? int64s(...plain) : undefined],
    };
  };

const argReduce: Make = (d) => {
  const dims = d.dims(1, 4);
  const attributes = some({
    axis: d.bool() ? attr.int(d.axis(dims.length)) : undefined,
    keepdims: d.bool() ? attr.int(d.int(0, 1)) : undefined,
  });
  return { opset: d.of(11, 13, 26), attributes, inputs: [d.floats(dims)] };
};

const each = (names: string, make: Make) => Object.fromEntries(names.split(" ").map((name) => [name, make]));
const whole: readonly DataType[] = ["float32", "int64", "int32"];

/** A scalar, as scales of whole tensors are. */
const scale = (value: number) => ({ ...float32s(value), dims: [] });

function matrices(d: Draw, dtype: "uint8"): [Tensor, Tensor] {
  const inner = d.int(1, 4);
  return [d.tensor(dtype, [...d.dims(0, 1), d.int(1, 3), inner], 0, 9), d.tensor(dtype, [inner, d.int(1, 3)], 0, 9)];
}

export const computingNodes: Readonly<Record<string, Make>> = {
  ...each("Relu LeakyRelu Elu Selu Sigmoid HardSigmoid Softplus Softsign Tanh Erf Exp Log Sin Cos Tan", unary(9)),
  ...each("Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ThresholdedRelu Shrink IsNaN", unary(10)),
  ...each("IsInf Celu Clip", unary(12)),
  ...each("HardSwish Mish Gelu", unary(20)),
  Swish: unary(24),
  ...each("Floor Ceil Round", unary(11)),
  ...each("Sqrt Reciprocal", unary(13, ["float32", "float64"], 1)),
  ...each("Abs Neg Sign", unary(13, whole)),
  Not: (d) => ({ opset: 9, inputs: [d.tensor("bool", d.dims(0, 4), 0, 1)] }),
  BitwiseNot: unary(18, ["int32", "int64"]),
  PRelu: (d) => {
    const dims = d.dims(2, 4);
    return { opset: 9, inputs: [d.floats(dims), d.floats(d.of([1], dims.map((e, i) => (i === 1 ? e : 1)).slice(1)))] };
  },
  ...each("Add Sub Mul", binary(13, whole)),
  Div: binary(13, whole, 1),
  Pow: binary(13, whole, 1, 4),
  ...each("Equal Less Greater", binary(13)),
  ...each("LessOrEqual GreaterOrEqual", binary(16)),
  ...each("And Or Xor", binary(9, ["bool"], 0, 1)),
  ...each("BitwiseAnd BitwiseOr BitwiseXor", binary(18, ["int32"])),
  BitShift: (d) => ({ ...binary(11, ["uint8"], 0, 3)(d), attributes: { direction: attr.string("LEFT") } }),
  Mod: (d) => {
    const fmod = d.bool();
    return { ...binary(13, fmod ? whole : ["int64", "int32"], 1, 9)(d), attributes: { fmod: attr.int(Number(fmod)) } };
  },
  ...each("Min Max Sum Mean", variadic),
  Where: where,
  Gemm: gemm,
  MatMul: matMul,
  BatchNormalization: (d) => channelwise(d.of(9, 14, 15, 26), 4)(d),
  InstanceNormalization: channelwise(9, 2),
  LayerNormalization: layerNormalization,
  GroupNormalization: (d) => ({ ...channelwise(21, 2)(d), attributes: { num_groups: attr.int(1) } }),
  LRN: (d) => ({ opset: 13, attributes: { size: attr.int(3) }, inputs: [d.floats(d.ints(4, 1, 4))] }),
  LpNormalization: (d) => ({ opset: 9, inputs: [d.floats(d.dims(1, 4))] }),
  MeanVarianceNormalization: (d) => ({ opset: 13, inputs: [d.floats(d.ints(4, 1, 3))] }),
  QuantizeLinear: (d) => ({
    opset: d.of(10, 13, 19),
    inputs: [d.floats(d.dims(0, 4)), scale(0.5), d.bool() ? d.tensor(d.of("uint8", "int8"), [], 0, 3) : undefined],
  }),
  DequantizeLinear: (d) => {
    const dtype = d.of("uint8", "int8");
    const zero = d.bool() ? d.tensor(dtype, [], 0, 3) : undefined;
    return { opset: d.of(10, 13, 19), inputs: [d.tensor(dtype, d.dims(0, 4), 0, 9), scale(0.5), zero] };
  },
  DynamicQuantizeLinear: (d) => ({ opset: 11, outputs: 3, inputs: [d.floats(d.dims(1, 4))] }),
  QLinearConv: (d) => {
    const [groups, from, to] = [d.of(1, 2), d.int(1, 2), d.int(1, 2)];
    const dtype = d.of("uint8", "int8");
    const zero = () => d.tensor(dtype, [], 0, 2);
    const x = d.tensor(dtype, [d.int(1, 2), groups * from, d.int(3, 5), d.int(3, 5)], 0, 9);
    const w = d.tensor(dtype, [groups * to, from, d.int(1, 3), d.int(1, 3)], 0, 5);
    return {
      opset: 10,
      attributes: { group: attr.int(groups), strides: attr.ints([1, d.int(1, 2)]) },
      inputs: [x, scale(0.5), zero(), w, scale(0.25), zero(), scale(2), zero()],
    };
  },
  QLinearMatMul: (d) => {
    const [a, b] = matrices(d, "uint8");
    const zero = () => d.tensor("uint8", [], 0, 2);
    return { opset: 10, inputs: [a, scale(0.5), zero(), b, scale(0.25), zero(), scale(2), zero()] };
  },
  ConvInteger: (d) => ({
    opset: 10,
    attributes: { pads: attr.ints([1, 0, d.int(0, 1), 1]) },
    inputs: [
      d.tensor("uint8", [1, 2, d.int(3, 5), d.int(3, 5)], 0, 9),
      d.tensor("uint8", [d.int(1, 3), 2, d.int(1, 3), d.int(1, 3)], 0, 9),
    ],
  }),
  MatMulInteger: (d) => ({ opset: 10, inputs: matrices(d, "uint8") }),
  ...each("Softmax LogSoftmax Hardmax", softmax),
  ReduceSum: reduce(13, ["float32", "int64", "int32"]),
  ...each("ReduceMean ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp", reduce(18)),
  ...each("ReduceMax ReduceMin ReduceProd", reduce(18, ["float32", "int64", "int32"])),
  ...each("ArgMax ArgMin", argReduce),
  CumSum: (d) => ({ opset: 11, inputs: [d.floats(d.dims(1, 3)), int64s(0)] }),
};
