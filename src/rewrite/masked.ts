/** The original network with removed channels forced to zero: what a rewritten network must equal. */
import type { Coupling, Plan } from "../coupling/types.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph, ValueType } from "../graph/analysis.js";
import type { Model, Node, Tensor } from "../graph/ir.js";
import { dataTypeCode, elementBytes } from "../graph/tensors.js";
import { type Removed, standInNodes } from "./absorb.js";
import { type Kept, keptBy } from "./kept.js";
import { nameGiver } from "./names.js";
import { plainNode } from "./plain-node.js";
import { traceAbsence, type Vanishing } from "./vanish.js";

/**
 * The original graph in which every value that loses channels has them set to zero where it is made, and in which the
 * operands that a vanished branch no longer brings (to Add, Sub, Sum) are zero as a whole. Shapes stay as they were.
 * @param removed what stands in for removed channels where layers read them; zero without it
 * @throws HalpError HALP_PLAN where the plan does not fit, HALP_PLAN_DISCONNECTS where it cuts the network in two.
 */
export function buildMasked(analyzed: AnalyzedGraph, coupling: Coupling, plan: Plan, removed?: Removed): Model {
  const kept = keptBy(coupling, plan);
  const vanishing = traceAbsence(analyzed, coupling, kept);
  if (!vanishing.ok) throw disconnects(vanishing);
  const { graph } = analyzed;
  const own = removed ? standInNodes(analyzed, kept, removed) : { nodes: graph.nodes, initializers: [] };
  const masks = maskNodes(analyzed, own.nodes, kept, vanishing.dropped);
  const initializers = [...graph.initializers, ...own.initializers, ...masks.initializers];
  return { ...analyzed.model, graph: { ...graph, nodes: masks.nodes, initializers } };
}

export function disconnects(vanishing: Vanishing): HalpError {
  return new HalpError(
    "HALP_PLAN_DISCONNECTS",
    `The plan leaves nothing of a group whose branch may not vanish: ${vanishing.reason}. Keep at least one channel of it.`,
    { exitCode: 1 },
  );
}

export interface MaskedNodes {
  readonly nodes: readonly Node[];
  readonly initializers: readonly Tensor[];
}

/** The nodes with masks behind those whose outputs lose channels. Names of all values stay; masked is what has the name. */
export function maskNodes(
  analyzed: AnalyzedGraph,
  nodes: readonly Node[],
  kept: Kept,
  dropped: ReadonlyMap<Node, readonly number[]>,
): MaskedNodes {
  const freshName = nameGiver({ ...analyzed.graph, nodes: [...analyzed.graph.nodes, ...nodes] });
  const out: Node[] = [];
  const initializers: Tensor[] = [];
  const shared = new Map<string, string>();
  const share = (key: string, make: (name: string) => Tensor): string => {
    let name = shared.get(key);
    if (name === undefined) {
      name = freshName("halp_mask");
      shared.set(key, name);
      initializers.push(make(name));
    }
    return name;
  };
  const mask = (dims: readonly number[], axis: number, stays: Int32Array | undefined) => {
    const extent = stays ? (dims[axis] ?? 1) : 1;
    const bytes = new Uint8Array(extent);
    for (const k of stays ?? []) bytes[k] = 1;
    const shape = stays ? dims.map((_, a) => (a === axis ? extent : 1)) : [];
    return share(`${shape}:${bytes}`, (name) => ({
      name,
      dtype: "bool",
      dtypeCode: 9,
      dims: shape,
      storage: "raw",
      bytes,
    }));
  };
  const zero = (dtype: ValueType["dtype"]) =>
    share(dtype, (name) => ({
      name,
      dtype,
      dtypeCode: dtype === "other" ? 0 : dataTypeCode[dtype],
      dims: [],
      storage: "raw",
      bytes: new Uint8Array(elementBytes[dtype]),
    }));
  /** Not a product with 0: that of an infinity is no zero. */
  const select = (condition: string, from: string, to: string, dtype: ValueType["dtype"]): Node =>
    dtype === "bool" ? plainNode("And", [condition, from], to) : plainNode("Where", [condition, from, zero(dtype)], to);

  for (const node of nodes) {
    const inputs = [...node.inputs];
    const without = node.opType === "Concat" ? [] : (dropped.get(node) ?? []);
    for (const slot of without) {
      const from = inputs[slot] ?? "";
      const to = freshName(`${from}_dropped`);
      out.push(select(mask([], 0, undefined), from, to, analyzed.types.get(from)?.dtype ?? "float32"));
      inputs[slot] = to;
    }
    const outputs = [...node.outputs];
    const after: Node[] = [];
    node.outputs.forEach((name, i) => {
      if (name === "" || !kept.isCut(name) || analyzed.constants.has(name)) return;
      const type = analyzed.types.get(name);
      if (!type) return;
      let from = freshName(`${name}_unmasked`);
      outputs[i] = from;
      const axes = [...type.dims.keys()].filter((axis) => kept.positions(name, axis));
      axes.forEach((axis, k) => {
        const to = k === axes.length - 1 ? name : freshName(`${name}_unmasked`);
        after.push(select(mask(type.dims, axis, kept.positions(name, axis)), from, to, type.dtype));
        from = to;
      });
    });
    out.push({ ...node, inputs, outputs }, ...after);
  }
  return { nodes: out, initializers };
}
