/** Gradients of the arithmetic family, by operator type. What was broadcast is summed over. */
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";

/** For each wanted input: the gradient at the dims of the output, before it is summed to the input's own. */
type Part = (e: Emit, input: number, c: GradientContext) => string | undefined;

/** Gradient of input i = sum over its broadcast axes of dy * factor(i); undefined: the factor is 1. */
function broadcast(factor: Part): GradientRule {
  return (c) => {
    const dy = c.outputGradient(0);
    if (dy === undefined) return [];
    const e = emitter(c);
    const wide = dimsOf(c, c.node.outputs[0]);
    return c.node.inputs.map((name, i) => {
      if (!c.wants(i)) return undefined;
      const own = dimsOf(c, name);
      const by = factor(e, i, c);
      return by === undefined ? e.sumTo(dy, wide, own) : product(e, dy, by, c, wide, own);
    });
  };
}

/** The factor may itself be smaller than the output: only then the fast sum of products does not apply. */
function product(
  e: Emit,
  dy: string,
  by: string,
  c: GradientContext,
  wide: readonly number[],
  own: readonly number[],
): string {
  const dims = c.type(by)?.dims;
  return dims && dims.join() === wide.join() ? e.sumOfProductsTo(dy, by, wide, own) : e.sumTo(e.mul(dy, by), wide, own);
}

const input = (c: GradientContext, i: number) => c.node.inputs[i] ?? "";
const output = (c: GradientContext) => c.node.outputs[0] ?? "";

/** 1 at the inputs that reach the extreme, shared evenly where several do. */
const extreme: Part = (e, i, c) => {
  const y = output(c);
  const greatest = c.node.opType === "Max";
  const reached = (name: string) => (greatest ? e.atLeast(name, y) : e.atLeast(y, name));
  const marks = c.node.inputs.map(reached);
  const count = marks.slice(1).reduce((sum, m) => e.add(sum, m), marks[0] ?? "");
  return e.div(marks[i] ?? "", count);
};

const pow: Part = (e, i, c) => {
  const [x, p] = [input(c, 0), input(c, 1)];
  if (i === 0) return e.mul(p, e.op("Pow", [x, e.sub(p, e.scalar(1))]));
  return e.mul(output(c), e.op("Log", [x]));
};

const where: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const wide = dimsOf(c, output(c));
  const chosen = (i: number, yes: string, no: string) =>
    c.wants(i) ? e.sumTo(e.op("Where", [input(c, 0), yes, no]), wide, dimsOf(c, input(c, i))) : undefined;
  return [undefined, chosen(1, dy, e.scalar(0)), chosen(2, e.scalar(0), dy)];
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  Add: broadcast(() => undefined),
  Sum: broadcast(() => undefined),
  Mean: broadcast((e, _, c) => e.scalar(1 / c.node.inputs.length)),
  Sub: broadcast((e, i) => (i === 0 ? undefined : e.scalar(-1))),
  Mul: broadcast((_, i, c) => input(c, 1 - i)),
  Div: broadcast((e, i, c) => (i === 0 ? e.div(e.scalar(1), input(c, 1)) : e.neg(e.div(output(c), input(c, 1))))),
  Pow: broadcast((e, i, c) => {
    if (c.type(input(c, 1))?.dtype !== "float32") throw noGradient(c, "its exponent is not float32");
    return pow(e, i, c);
  }),
  Max: broadcast(extreme),
  Min: broadcast(extreme),
  Where: where,
};
