/** Gradients of the linear family, by operator type. */
import { floatAttr, intAttr } from "../../graph/attributes.js";
import { sizeOf } from "../../graph/tensors.js";
import { dimsOf, emitter } from "../emit.js";
import type { GradientRule } from "../spec.js";

/** Y = alpha A' B' + beta C, where ' transposes as transA and transB say. */
const gemm: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const { node } = c;
  const [a = "", b = "", bias = ""] = node.inputs;
  const alpha = floatAttr(node, "alpha", 1);
  const beta = floatAttr(node, "beta", 1);
  const transA = intAttr(node, "transA", 0) === 1;
  const transB = intAttr(node, "transB", 0) === 1;
  const da = () =>
    transA ? e.matMul(b, dy, { transA: transB, transB: true, alpha }) : e.matMul(dy, b, { transB: !transB, alpha });
  const db = () =>
    transB ? e.matMul(dy, a, { transA: true, transB: transA, alpha }) : e.matMul(a, dy, { transA: !transA, alpha });
  const dc = () => {
    const summed = e.sumTo(dy, dimsOf(c, node.outputs[0]), dimsOf(c, bias));
    return beta === 1 ? summed : e.mul(summed, e.scalar(beta));
  };
  return [c.wants(0) ? da() : undefined, c.wants(1) ? db() : undefined, c.wants(2) ? dc() : undefined];
};

/** Vectors count as a row at the left and as a column at the right; leading axes broadcast. */
const matMul: GradientRule = (c) => {
  const dy = c.outputGradient(0);
  if (dy === undefined) return [];
  const e = emitter(c);
  const [a = "", b = ""] = c.node.inputs;
  const [ownA, ownB] = [dimsOf(c, a), dimsOf(c, b)];
  const da = ownA.length === 1 ? [1, ...ownA] : ownA;
  const db = ownB.length === 1 ? [...ownB, 1] : ownB;
  const rank = Math.max(da.length, db.length);
  const lead = Array.from({ length: rank - 2 }, (_, i) =>
    Math.max(da[i - rank + da.length] ?? 1, db[i - rank + db.length] ?? 1),
  );
  const [rows, inner, columns] = [da.at(-2) as number, da.at(-1) as number, db.at(-1) as number];
  const shaped = (x: string, own: readonly number[], dims: readonly number[]) =>
    own.length === dims.length && own.every((d, i) => d === dims[i]) ? x : e.reshape(x, dims);
  const A = shaped(a, ownA, da);
  const B = shaped(b, ownB, db);
  const dY = shaped(dy, dimsOf(c, c.node.outputs[0]), [...lead, rows, columns]);
  const gradA = () => {
    const full = e.sumTo(e.matMul(dY, B, { transB: true }), [...lead, rows, inner], da);
    return shaped(full, da, ownA);
  };
  const gradB = () => {
    if (db.length === 2) {
      // One matrix for all leading positions: they are rows of one product.
      const n = sizeOf(da.slice(0, -1));
      return shaped(e.matMul(e.reshape(A, [n, inner]), e.reshape(dY, [n, columns]), { transA: true }), db, ownB);
    }
    const full = e.sumTo(e.matMul(A, dY, { transA: true }), [...lead, inner, columns], db);
    return shaped(full, db, ownB);
  };
  return [c.wants(0) ? gradA() : undefined, c.wants(1) ? gradB() : undefined];
};

export const gradients: Readonly<Record<string, GradientRule>> = { Gemm: gemm, MatMul: matMul };
