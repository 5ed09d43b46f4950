/** A plan in the words of tensors and layers: for whoever applies it to weights that lie elsewhere, such as a PyTorch state dict. */
import type { Coupling, Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { intAttr } from "../graph/attributes.js";
import type { Node, Tensor } from "../graph/ir.js";
import { findOperator } from "../operators/index.js";
import { applyPlan, cutTensor } from "../rewrite/index.js";

/** What became of a tensor of the original: its values are those of the original at the kept places, or others, or it is gone. */
export type TensorState = "same" | "changed" | "removed";

export interface ExportedTensor {
  readonly shape: readonly number[];
  /** Shape in the pruned network; null where the tensor is gone. */
  readonly prunedShape: readonly number[] | null;
  /** For each axis the places that stay, ascending from 0; null where all stay. Null as a whole where the tensor is gone. */
  readonly kept: readonly (readonly number[] | null)[] | null;
  /**
   * "same": bit for bit the original's values at the kept places. "changed": trained since, or it took in what
   * was removed: a bias a stand-in, a weight a gate that became a constant. "removed": the pruned network has no tensor of this name.
   */
  readonly state: TensorState;
}

export interface ExportedLayer {
  /** Name of the node, or of its first output where it has none. */
  readonly name: string;
  readonly opType: string;
  /** Initialisers that it reads, in the order of its inputs. */
  readonly tensors: readonly string[];
  /** Channels that stay, ascending from 0; null where all stay. */
  readonly inputs: readonly number[] | null;
  readonly outputs: readonly number[] | null;
  /** Blocks of a grouped convolution, before and after; null for layers that have none. */
  readonly group: readonly [before: number, after: number] | null;
  /** Whether nothing of it is left: the branch it stood in is gone. */
  readonly removed: boolean;
}

/** `halp.export/1`. */
export interface ExportedPlan {
  readonly format: "halp.export/1";
  readonly groups: readonly {
    readonly name: string;
    readonly size: number;
    readonly kept: readonly number[];
    /** Why it stayed whole, where it had to. */
    readonly frozen?: string;
  }[];
  /** Every initialiser of the original, by name. */
  readonly tensors: Readonly<Record<string, ExportedTensor>>;
  /** Layers of the original with weights, in their order. */
  readonly layers: readonly ExportedLayer[];
  /** Initialisers that only the pruned network has, such as what a gate came to whose branch is gone. */
  readonly added: Readonly<Record<string, readonly number[]>>;
}

/**
 * @param original the network that the plan speaks of
 * @param pruned initialisers of the network that came of it, as it lies on disk; its weights may have been trained since
 * @throws HalpError HALP_PLAN where the plan does not fit the original, HALP_EXPORT_MISMATCH where `pruned` is not of this plan
 */
export function exportPlan(
  original: AnalyzedGraph,
  coupling: Coupling,
  plan: Plan,
  pruned: readonly Tensor[],
): ExportedPlan {
  const rewritten = applyPlan(original, coupling, plan, findOperator);
  const after = new Map(pruned.map((t) => [t.name, t]));
  const names = new Set(original.graph.initializers.map((t) => t.name));
  const tensors = original.graph.initializers.map(
    (t) => [t.name, describe(t, after.get(t.name), rewritten.keptOf)] as const,
  );
  const gone = new Set(rewritten.removedNodes.map((n) => n.outputs[0]));
  const nodesAfter = new Map(rewritten.model.graph.nodes.map((n) => [n.outputs[0], n]));
  return {
    format: "halp.export/1",
    groups: coupling.groups.map((g) => ({
      name: g.name,
      size: g.size,
      kept: [...(plan.kept[g.id] ?? [])],
      ...(g.frozen === undefined ? {} : { frozen: g.frozen }),
    })),
    tensors: Object.fromEntries(tensors),
    layers: original.graph.nodes
      .filter((node) => isLayer(node, names))
      .map((node) =>
        describeLayer(node, names, nodesAfter.get(node.outputs[0]), gone.has(node.outputs[0]), rewritten.keptOf),
      ),
    added: Object.fromEntries(pruned.filter((t) => !names.has(t.name)).map((t) => [t.name, t.dims])),
  };
}

type KeptOf = (name: string, axis: number) => Int32Array | undefined;

function describe(tensor: Tensor, after: Tensor | undefined, keptOf: KeptOf): ExportedTensor {
  if (!after) return { shape: tensor.dims, prunedShape: null, kept: null, state: "removed" };
  const kept = tensor.dims.map((_, axis) => keptOf(tensor.name, axis));
  const expected = tensor.dims.map((d, axis) => kept[axis]?.length ?? d);
  if (after.dims.join() !== expected.join())
    throw new HalpError(
      "HALP_EXPORT_MISMATCH",
      `"${tensor.name}" is [${after.dims}] in the pruned network; the plan of this run leaves [${expected}] of it. The file is of another run: give the run that wrote it.`,
      { name: tensor.name },
    );
  const cut = cutTensor(tensor, tensor.name, { positions: keptOf });
  return {
    shape: tensor.dims,
    prunedShape: after.dims,
    kept: kept.map(listed),
    state: Buffer.compare(cut.bytes, after.bytes) === 0 ? "same" : "changed",
  };
}

const listed = (positions: Int32Array | undefined): readonly number[] | null => (positions ? [...positions] : null);

/** A node that learns from initialisers. */
function isLayer(node: Node, initializers: ReadonlySet<string>): boolean {
  const slots = findOperator(node.opType, node.domain)?.learns ?? [];
  return slots.some((slot) => initializers.has(node.inputs[slot] ?? ""));
}

function describeLayer(
  node: Node,
  initializers: ReadonlySet<string>,
  after: Node | undefined,
  removed: boolean,
  keptOf: KeptOf,
): ExportedLayer {
  const [output = ""] = node.outputs;
  const data = node.inputs.find((name) => name !== "" && !initializers.has(name)) ?? "";
  // Linear layers have their channels last, all others behind the batch.
  const axis = node.opType === "Gemm" || node.opType === "MatMul" ? -1 : 1;
  const grouped = node.opType === "Conv" || node.opType === "ConvTranspose";
  return {
    name: node.name === "" ? output : node.name,
    opType: node.opType,
    tensors: node.inputs.filter((name) => initializers.has(name)),
    inputs: removed ? null : listed(keptOf(data, axis)),
    outputs: removed ? null : listed(keptOf(output, axis)),
    group: grouped ? [intAttr(node, "group", 1), after ? intAttr(after, "group", 1) : 0] : null,
    removed,
  };
}
