/** Shapes and values of reductions. Axes moved from an attribute to an input at opset 13 (ReduceSum) and 18 (the others). */
import { intAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { numbersOf, strided, stridesOf, tensorOf } from "../elements.js";
import { listFrom, normalAxis, sameAsFirst } from "../inference.js";
import type { EvaluateRule, InferContext, ShapeRule } from "../spec.js";

/** Axes reduced over; undefined where only a run tells them. */
function reducedAxes(c: InferContext, rank: number): number[] | undefined {
  const axes = listFrom(c, 1, "axes");
  if (axes === "unknown") return undefined;
  if (!axes || axes.length === 0)
    return intAttr(c.node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((axis) => normalAxis(c.node, axis, rank));
}

function without(c: InferContext, dims: readonly number[], axes: readonly number[]): number[] {
  if (intAttr(c.node, "keepdims", 1) === 1) return dims.map((d, i) => (axes.includes(i) ? 1 : d));
  return dims.filter((_, i) => !axes.includes(i));
}

const reduce: ShapeRule = (c) => {
  const [x] = c.inputs;
  const axes = x && reducedAxes(c, x.dims.length);
  return axes && [{ dtype: x.dtype, dims: without(c, x.dims, axes) }];
};

const pick: ShapeRule = (c) => {
  const [x] = c.inputs;
  if (!x) return undefined;
  return [
    { dtype: "int64", dims: without(c, x.dims, [normalAxis(c.node, intAttr(c.node, "axis", 0), x.dims.length)]) },
  ];
};

const names = "Sum Mean Max Min Prod SumSquare L1 L2 LogSum LogSumExp".split(" ").map((name) => `Reduce${name}`);

export const shapes: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(names.map((name) => [name, reduce])),
  ArgMax: pick,
  ArgMin: pick,
  CumSum: sameAsFirst,
};

function folding(fold: (values: readonly number[]) => number): EvaluateRule {
  return (c) => {
    const [x] = c.constants;
    const values = numbersOf(x);
    const axes = x && reducedAxes(c, x.dims.length);
    if (!x || !values || !axes) return undefined;
    const strides = stridesOf(x.dims);
    const stay = x.dims.map((_, i) => i).filter((i) => !axes.includes(i));
    const along = (list: readonly number[]) =>
      strided(
        list.map((i) => x.dims[i] as number),
        list.map((i) => strides[i] as number),
      );
    const [outer, inner] = [along(stay), along(axes)];
    const count = sizeOf(axes.map((i) => x.dims[i] as number));
    const dims = without(c, x.dims, axes);
    const results = Array.from({ length: sizeOf(dims) }, (_, i) =>
      fold(Array.from({ length: count }, (_, j) => values[outer(i) + inner(j)] as number)),
    );
    const made = tensorOf(x.dtype, dims, results);
    return made && [made];
  };
}

/** Sums and products of fractions depend on the order in which they are taken; these are left to the run. */
function whole(rule: EvaluateRule): EvaluateRule {
  return (c) => (c.inputs[0]?.dtype.startsWith("float") ? undefined : rule(c));
}

export const evaluations: Readonly<Record<string, EvaluateRule>> = {
  ReduceSum: whole(folding((values) => values.reduce((a, b) => a + b, 0))),
  ReduceProd: whole(folding((values) => values.reduce((a, b) => a * b, 1))),
  ReduceMax: folding((values) => Math.max(...values)),
  ReduceMin: folding((values) => Math.min(...values)),
};
