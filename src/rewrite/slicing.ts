/** Runs the operators' slice rules. */

import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { attr } from "../graph/attributes.js";
import type { Node, Tensor } from "../graph/ir.js";
import { deriveTensor } from "../graph/lazy-tensor.js";
import { dataTypeCode, int64Tensor, integersOf } from "../graph/tensors.js";
import type { OperatorSpec, SliceContext } from "../operators/spec.js";
import type { Kept } from "./kept.js";
import { plainNode } from "./plain-node.js";

/** Makes the nodes of one rewriting and collects the constants that they need. */
export interface Slicer {
  /** The nodes that stand for one node after the cut. */
  slice(node: Node, spec: OperatorSpec | undefined): readonly Node[];
  /** A new constant: an initialiser, or a Constant node where the IR version wants every initialiser to be an input. */
  addConstant(tensor: Tensor): string;
  /** Constants made since the last call, as nodes. */
  takeNodes(): readonly Node[];
  readonly initializers: readonly Tensor[];
}

/** Before version 4 of the IR every initialiser must be a graph input too. */
const firstIrWithFreeInitializers = 4;

export function slicerFor(
  analyzed: AnalyzedGraph,
  kept: Kept,
  fixed: ReadonlySet<string>,
  freshName: (hint: string) => string,
): Slicer {
  const initializers: Tensor[] = [];
  let pending: Node[] = [];
  const addConstant = (tensor: Tensor): string => {
    const name = freshName(tensor.name);
    if (analyzed.model.irVersion >= firstIrWithFreeInitializers) initializers.push(deriveTensor(tensor, { name }));
    else
      pending.push({
        ...plainNode("Constant", [], name),
        attributes: new Map([["value", attr.tensor(deriveTensor(tensor, { name: "" }))]]),
      });
    return name;
  };
  const takeNodes = () => {
    const taken = pending;
    pending = [];
    return taken;
  };

  const replaceEntries = (node: Node, name: string, entries: ReadonlyMap<number, number>): string => {
    const known = analyzed.constants.get(name);
    if (!known)
      throw new HalpError(
        "HALP_REWRITE_SHAPE",
        `${node.opType} "${node.outputs[0]}" loses channels, but "${name}", which speaks of them, is known only at run time. Freeze its group.`,
        { name, exitCode: 1 },
      );
    const values = integersOf(known);
    const changed = [...entries].filter(([i, v]) => values[i] !== v);
    if (changed.length === 0 && fixed.has(name)) return name;
    const vector = (hint: string, list: readonly number[]) => addConstant(integerTensor(hint, known, list));
    if (fixed.has(name))
      return vector(
        `${name}_cut`,
        values.map((v, i) => entries.get(i) ?? v),
      );
    const mask = vector(
      `${name}_stays`,
      values.map((_, i) => (entries.has(i) ? 0 : 1)),
    );
    const add = vector(
      `${name}_cut`,
      values.map((_, i) => entries.get(i) ?? 0),
    );
    const masked = freshName(`${name}_masked`);
    const out = freshName(`${name}_patched`);
    pending.push(plainNode("Mul", [name, mask], masked), plainNode("Add", [masked, add], out));
    return out;
  };

  return {
    initializers,
    addConstant,
    takeNodes,
    slice(node, spec) {
      if (!spec?.slice) return [node];
      const context: SliceContext = {
        node,
        opset: analyzed.opset,
        type: (name) => analyzed.types.get(name),
        constant: (name) => analyzed.constants.get(name),
        kept: (name, axis) => kept.positions(name, axis),
        addConstant,
        replaceEntries: (name, entries) => replaceEntries(node, name, entries),
        freshName,
      };
      const made = spec.slice(context);
      const nodes = Array.isArray(made) ? (made as readonly Node[]) : [made as Node];
      return [...takeNodes(), ...nodes];
    },
  };
}

/** Of the same integer type as another tensor; int32 stays int32, everything else is int64. */
function integerTensor(name: string, like: Tensor, values: readonly number[]): Tensor {
  if (like.dtype !== "int32") return int64Tensor(name, like.dims, values);
  const bytes = new Uint8Array(Int32Array.from(values).buffer);
  return { name, dtype: "int32", dtypeCode: dataTypeCode.int32, dims: like.dims, storage: "raw", bytes };
}
