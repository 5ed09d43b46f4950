/**
 * What gradient rules write their nodes with. A gradient joins the nodes of the network it belongs to, so it must be
 * valid at that network's opset: operators whose form changed between versions (axes, pads and bounds that moved from
 * attributes to inputs) are written here, once, in both forms.
 */
import { HalpError } from "../errors.js";
import { attr } from "../graph/attributes.js";
import type { Attribute, DataType } from "../graph/ir.js";
import { float32Tensor, sizeOf } from "../graph/tensors.js";
import type { ChooseForm, FormTask, GradientContext } from "./spec.js";

/** Larger than what any activation needs to be pushed out of [0, 1] by; small enough to leave ordinary numbers finite. */
const STEEP = 1e30;

/** Why a rule cannot give the gradient of this node. The engine reports it, or cuts the path, as it was told. */
export function noGradient(c: Pick<GradientContext, "node">, why: string): HalpError {
  const { node } = c;
  const name = node.name || (node.outputs[0] ?? "");
  return new HalpError("HALP_NO_GRADIENT", `${node.opType} "${name}" has no gradient here: ${why}.`, {
    node: name,
    opType: node.opType,
    exitCode: 1,
  });
}

/** Dims of an input or output. @throws HalpError HALP_NO_GRADIENT where they are unknown. */
export function dimsOf(c: GradientContext, name: string | undefined): readonly number[] {
  const type = name ? c.type(name) : undefined;
  if (!type) throw noGradient(c, `the shape of "${name ?? ""}" is not known before the run`);
  return type.dims;
}

export type Emit = ReturnType<typeof emitter>;

/** Emits nodes for one gradient rule. Every method returns the name of the value that it makes. */
export function emitter(c: Pick<GradientContext, "builder" | "opset">) {
  const { builder, opset } = c;
  const op = (
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ) => builder.node(opType, inputs, attributes, domain === "" ? {} : { domain });
  const scalar = (v: number) => builder.float32(v);

  const reduce = (opType: string, x: string, axes: readonly number[], keepDims: boolean): string => {
    const keepdims = attr.int(keepDims ? 1 : 0);
    return opset >= (opType === "ReduceSum" ? 13 : 18)
      ? op(opType, [x, builder.int64(axes)], { keepdims })
      : op(opType, [x], { axes: attr.ints(axes), keepdims });
  };
  const reshape = (x: string, dims: readonly number[]) => op("Reshape", [x, builder.int64(dims)]);
  const mul = (a: string, b: string) => op("Mul", [a, b]);

  /** Matrix product with ONNX Runtime's own operator: transposes for free, leading axes as NumPy broadcasts them. */
  const matMul = (a: string, b: string, how: { transA?: boolean; transB?: boolean; alpha?: number } = {}) =>
    builder.node(
      "FusedMatMul",
      [a, b],
      {
        transA: attr.int(how.transA ? 1 : 0),
        transB: attr.int(how.transB ? 1 : 0),
        alpha: attr.float(how.alpha ?? 1),
      },
      { domain: "com.microsoft" },
    );

  const slice = (
    x: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): string => {
    if (opset < 10)
      return op("Slice", [x], { axes: attr.ints(axes), starts: attr.ints(starts), ends: attr.ints(ends) });
    const inputs = [x, builder.int64(starts), builder.int64(ends), builder.int64(axes)];
    if (steps?.some((s) => s !== 1)) inputs.push(builder.int64(steps));
    return op("Slice", inputs);
  };

  /** Pads (or, where negative, crops) each axis; `before` and `after` have an entry per axis. */
  const pad = (x: string, before: readonly number[], after: readonly number[], value = 0): string => {
    if ([...before, ...after].every((p) => p === 0)) return x;
    return opset >= 11
      ? op(
          "Pad",
          value === 0
            ? [x, builder.int64([...before, ...after])]
            : [x, builder.int64([...before, ...after]), scalar(value)],
        )
      : op("Pad", [x], { pads: attr.ints([...before, ...after]), value: attr.float(value) });
  };

  const clip = (x: string, low: number, high: number): string =>
    opset >= 11
      ? op("Clip", [x, scalar(low), scalar(high)])
      : op("Clip", [x], { min: attr.float(low), max: attr.float(high) });

  const expand = (x: string, dims: readonly number[]) => op("Expand", [x, builder.int64(dims)]);

  /** Sums over the axes along which a value of `own` dims was broadcast to `wide`; the result has `own` dims. */
  const sumTo = (x: string, wide: readonly number[], own: readonly number[]): string => {
    const shift = wide.length - own.length;
    const axes = wide.map((_, i) => i).filter((i) => i < shift || (own[i - shift] === 1 && wide[i] !== 1));
    if (axes.length === 0) return x;
    return reshaped(reduce("ReduceSum", x, axes, true), own);
  };
  const reshaped = (x: string, dims: readonly number[]) => reshape(x, dims);

  /**
   * The product of two values of `wide` dims, summed over the axes along which `own` was broadcast. Where that is one
   * sum per leading position, it is a matrix product of rows: a tenth of the time of Mul and ReduceSum.
   */
  const sumOfProductsTo = (a: string, b: string, wide: readonly number[], own: readonly number[]): string => {
    const aligned = [...Array<number>(wide.length - own.length).fill(1), ...own];
    let kept = 0;
    while (kept < wide.length && aligned[kept] === wide[kept]) kept++;
    const inner = sizeOf(wide.slice(kept));
    if (kept === 0 || inner === 1 || sizeOf(aligned.slice(kept)) !== 1) return sumTo(mul(a, b), wide, own);
    const rows = [...wide.slice(0, kept), 1, inner];
    return reshape(matMul(reshape(a, rows), reshape(b, rows), { transB: true }), own);
  };

  /** Every step-th position along the axes, `count` of them, as in Slice but at every opset. All positions must exist. */
  const strided = (
    x: string,
    dims: readonly number[],
    axes: readonly number[],
    starts: readonly number[],
    counts: readonly number[],
    steps: readonly number[],
  ): string => {
    const ends = starts.map((s, i) => s + ((counts[i] as number) - 1) * (steps[i] as number) + 1);
    if (opset >= 10 || steps.every((s) => s === 1)) return slice(x, axes, starts, ends, steps);
    // Slice has no steps yet: cut to whole steps, split the axis in two, keep the first of each step.
    let value = x;
    const now = [...dims];
    axes.forEach((axis, i) => {
      const [start, count, step] = [starts[i] as number, counts[i] as number, steps[i] as number];
      const missing = Math.max(0, start + count * step - (now[axis] as number));
      value = pad(
        value,
        now.map(() => 0),
        now.map((_, a) => (a === axis ? missing : 0)),
      );
      value = slice(value, [axis], [start], [start + count * step]);
      now[axis] = count;
      value = reshape(value, now.toSpliced(axis, 1, count, step));
      value = reshape(slice(value, [axis + 1], [0], [1]), now);
    });
    return value;
  };

  /**
   * Multiplies along one axis by a constant matrix: out[..., j, ...] = sum over i of x[..., i, ...] * matrix[i][j].
   * @param matrix row-major, dims[axis] rows, `columns` columns
   */
  const alongAxis = (
    x: string,
    dims: readonly number[],
    axis: number,
    matrix: Float32Array,
    columns: number,
  ): string => {
    const rows = dims[axis] as number;
    const outer = sizeOf(dims.slice(0, axis));
    const inner = sizeOf(dims.slice(axis + 1));
    const out = dims.with(axis, columns);
    const m = builder.initializer(float32Tensor(builder.freshName("matrix"), [rows, columns], matrix));
    if (inner === 1) return reshape(matMul(reshape(x, [outer, rows]), m), out);
    return reshape(matMul(m, reshape(x, [outer, rows, inner]), { transA: true }), out);
  };

  return {
    builder,
    op,
    scalar,
    constant: (data: Float32Array, dims: readonly number[]) =>
      builder.initializer(float32Tensor(builder.freshName("constant"), dims, data)),
    zeros: (dims: readonly number[]) => expand(scalar(0), dims),
    add: (a: string, b: string) => op("Add", [a, b]),
    sub: (a: string, b: string) => op("Sub", [a, b]),
    mul,
    div: (a: string, b: string) => op("Div", [a, b]),
    neg: (a: string) => op("Neg", [a]),
    square: (a: string) => mul(a, a),
    reduce,
    reduceSum: (x: string, axes: readonly number[], keepDims = true) => reduce("ReduceSum", x, axes, keepDims),
    reduceMean: (x: string, axes: readonly number[], keepDims = true) => reduce("ReduceMean", x, axes, keepDims),
    reshape,
    transpose: (x: string, perm: readonly number[]) => op("Transpose", [x], { perm: attr.ints(perm) }),
    matMul,
    slice,
    strided,
    pad,
    clip,
    expand,
    sumTo,
    sumOfProductsTo,
    alongAxis,
    cast: (x: string, dtype: DataType = "float32") => op("Cast", [x], { to: attr.int(dtype === "float32" ? 1 : 7) }),
    /** 1 where x > 0, else 0 (in between within 1e-30 of 0), in one pass: faster than a comparison, a cast or Where. */
    positive: (x: string) => op("HardSigmoid", [x], { alpha: attr.float(STEEP), beta: attr.float(0) }),
    /** 1 where a >= b, else 0. */
    atLeast: (a: string, b: string) => op("Cast", [op("Not", [op("Less", [a, b])])], { to: attr.int(1) }),
    concat: (parts: readonly string[], axis: number) => op("Concat", parts, { axis: attr.int(axis) }),
  };
}

/** Makes a value in the form that is chosen for it; in the plain one where nobody chooses. */
export function emitForm(e: Emit, task: FormTask, choose: ChooseForm | undefined): string {
  const name = choose?.(task) ?? Object.keys(task.forms)[0] ?? "";
  const form = task.forms[name];
  if (!form) throw new RangeError(`${task.key} has no form "${name}".`);
  return form(
    e,
    task.inputs.map((i) => i.value),
  );
}
