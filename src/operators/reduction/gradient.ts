/** Gradients of reductions, by operator type: what was gathered is handed back to each element by its share. */
import { intAttr, intsAttr } from "../../graph/attributes.js";
import { integersOf, sizeOf } from "../../graph/tensors.js";
import { dimsOf, type Emit, emitter, noGradient } from "../emit.js";
import type { GradientContext, GradientRule } from "../spec.js";

interface Reduced {
  readonly x: string;
  /** Output and its gradient with the reduced axes kept at extent 1. */
  readonly y: string;
  readonly dy: string;
  readonly axes: readonly number[];
  /** Elements that are reduced to one. */
  readonly count: number;
}

function reducedAxes(c: GradientContext, rank: number): number[] {
  const name = c.node.inputs[1];
  const constant = name ? c.constant(name) : undefined;
  if (name && !constant) throw noGradient(c, "its axes are computed at run time");
  const axes = constant ? integersOf(constant) : intsAttr(c.node, "axes");
  if (axes && axes.length > 0) return axes.map((a) => (a < 0 ? a + rank : a));
  return intAttr(c.node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

/** dx = share(x, y, dy), broadcast to the dims of x where it is smaller. */
function reduction(share: (e: Emit, r: Reduced) => string, full: boolean): GradientRule {
  return (c) => {
    const dy = c.outputGradient(0);
    if (dy === undefined || !c.wants(0)) return [];
    const e = emitter(c);
    const [x = ""] = c.node.inputs;
    const dims = dimsOf(c, x);
    const axes = reducedAxes(c, dims.length);
    const kept = dims.map((d, i) => (axes.includes(i) ? 1 : d));
    const keeps = intAttr(c.node, "keepdims", 1) === 1;
    const widen = (value: string) => (keeps ? value : e.reshape(value, kept));
    const count = sizeOf(axes.map((a) => dims[a] as number));
    const dx = share(e, { x, y: widen(c.node.outputs[0] ?? ""), dy: widen(dy), axes, count });
    return [full ? dx : e.expand(dx, dims)];
  };
}

/** Elements that reach the extreme share its gradient. */
function extreme(greatest: boolean): GradientRule {
  return reduction((e, { x, y, dy, axes }) => {
    const reached = greatest ? e.atLeast(x, y) : e.atLeast(y, x);
    const count = axes.length === 0 ? reached : e.reduceSum(reached, axes);
    return e.mul(reached, e.div(dy, count));
  }, true);
}

const cumulative: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined || !c.wants(0)) return [];
  const back = { kind: "int", value: BigInt(1 - intAttr(c.node, "reverse", 0)) } as const;
  const exclusive = { kind: "int", value: BigInt(intAttr(c.node, "exclusive", 0)) } as const;
  return [emitter(c).op("CumSum", [dy, c.node.inputs[1] ?? ""], { reverse: back, exclusive })];
};

export const gradients: Readonly<Record<string, GradientRule>> = {
  ReduceSum: reduction((_, { dy }) => dy, false),
  ReduceMean: reduction((e, { dy, count }) => e.mul(dy, e.scalar(1 / count)), false),
  ReduceMax: extreme(true),
  ReduceMin: extreme(false),
  ReduceProd: reduction((e, { x, y, dy }) => e.div(e.mul(dy, y), x), true),
  ReduceSumSquare: reduction((e, { x, dy }) => e.mul(x, e.mul(dy, e.scalar(2))), true),
  ReduceL1: reduction((e, { x, dy }) => e.mul(e.op("Sign", [x]), dy), true),
  ReduceL2: reduction((e, { x, y, dy }) => e.mul(x, e.div(dy, y)), true),
  // y = log(sum x): dx = dy / exp(y)
  ReduceLogSum: reduction((e, { y, dy }) => e.div(dy, e.op("Exp", [y])), false),
  ReduceLogSumExp: reduction((e, { x, y, dy }) => e.mul(dy, e.op("Exp", [e.sub(x, y)])), true),
  CumSum: cumulative,
};
