/** A plan applied: channels and branches gone from the graph. */

import { describe } from "../coupling/index.js";
import type { Coupling, Plan } from "../coupling/types.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { analyzeGraph } from "../graph/infer.js";
import type { Graph, Model, Node, Tensor, ValueInfo } from "../graph/ir.js";
import { deriveTensor } from "../graph/lazy-tensor.js";
import { removeDeadNodes } from "../graph/topology.js";
import type { FindOperator } from "../operators/spec.js";
import { absorbersOf, absorbRemoved, type Removed, type StandIns } from "./absorb.js";
import { substitute } from "./clean.js";
import { constantNode, cutTensor, fixedConstants } from "./constants.js";
import { foldGates } from "./fold-gates.js";
import { gateConstant } from "./gate.js";
import { withoutIdleRelu } from "./idle-relu.js";
import { type Kept, keptBy } from "./kept.js";
import { disconnects } from "./masked.js";
import { recordPruning } from "./metadata.js";
import { nameGiver } from "./names.js";
import { plainNode } from "./plain-node.js";
import { slicerFor } from "./slicing.js";
import { flushSubnormals } from "./subnormals.js";
import { traceAbsence, type Vanishing } from "./vanish.js";

export interface RewriteResult {
  readonly model: Model;
  /** The new graph under the same input dims. */
  readonly analyzed: AnalyzedGraph;
  /** Nodes of the old graph of which nothing is left. */
  readonly removedNodes: readonly Node[];
  /** Old positions that stay along an axis of a value, ascending; undefined where all stay. */
  keptOf(name: string, axis: number): Int32Array | undefined;
  readonly vanishing: Vanishing;
  /** What removed channels were taken for where layers read them; undefined: zero. */
  readonly removed?: Removed;
}

export interface ApplyOptions {
  /** What stands in for removed channels in the layers that read them; without it they count as zero. */
  readonly standIns?: StandIns;
}

/**
 * Applies a plan. Kept channels keep their order; opset and IR version stay; dynamic dims stay dynamic; inputs and
 * outputs of the network stay what they were.
 * @throws HalpError HALP_PLAN where the plan does not fit the groups, HALP_PLAN_DISCONNECTS where it cuts the network in
 * two, HALP_REWRITE_SHAPE where a value of the new graph does not have the dims that the plan says.
 */
export function applyPlan(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  plan: Plan,
  findOperator: FindOperator,
  { standIns }: ApplyOptions = {},
): RewriteResult {
  const kept = keptBy(coupling, plan);
  const vanishing = traceAbsence(analyzed, coupling, kept);
  if (!vanishing.ok) throw disconnects(vanishing);
  const cut = cutGraph(analyzed, coupling, kept, vanishing, findOperator);
  const removed = standIns && { standIns, absorbers: absorbersOf(analyzed, coupling, findOperator) };
  const absorbed = removed ? absorbRemoved(cut, analyzed.model.irVersion, kept, removed) : cut;
  const products = [...vanishing.gates.keys()].map((node) => node.outputs[0] ?? "");
  const graph = removeDeadNodes(foldGates(absorbed, products));
  const model = recordPruning({ ...analyzed.model, graph }, coupling, plan);
  const after = analyzeAgain(model, analyzed, findOperator);
  checkDims(analyzed, after, kept);
  const standing = new Set(graph.nodes.flatMap((n) => n.outputs));
  return {
    model,
    analyzed: after,
    removedNodes: analyzed.graph.nodes.filter((n) => !n.outputs.some((o) => o !== "" && standing.has(o))),
    keptOf: kept.positions,
    vanishing,
    ...(removed ? { removed } : {}),
  };
}

function cutGraph(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  kept: Kept,
  vanishing: Vanishing,
  findOperator: FindOperator,
): Graph {
  const { graph, constants } = analyzed;
  const freshName = nameGiver(graph);
  const fixed = fixedConstants(analyzed);
  const slicer = slicerFor(analyzed, kept, fixed, freshName);
  const replaced = new Map<string, string>();
  const gates = new Map<string, string>();
  const nodes: Node[] = [];
  const materialized: Tensor[] = [];

  for (const original of removeDeadNodes(graph).nodes) {
    const spec = findOperator(original.opType, original.domain);
    const named = original.outputs.filter((o) => o !== "");
    if (named.every((o) => vanishing.absentValues.has(o) || kept.isGone(o))) continue;
    const [output = ""] = original.outputs;
    const value = constants.get(output);
    if (value && fixed.has(output) && kept.isCut(output) && !spec?.passesConstant) {
      const tensor = cutTensor(value, output, kept);
      if (original.opType === "Constant") nodes.push(constantNode(original, tensor));
      else if (analyzed.model.irVersion >= 4) materialized.push(deriveTensor(tensor, { name: output }));
      else nodes.push(constantNode(plainNode("Constant", [], output), tensor));
      continue;
    }
    const node = withoutAbsent(original, vanishing, (gate) => {
      let name = gates.get(gate);
      if (name === undefined) {
        name = slicer.addConstant(gateConstant(analyzed, coupling, kept, gate, `${gate}_constant`));
        nodes.push(...slicer.takeNodes());
        gates.set(gate, name);
      }
      return name;
    });
    if (typeof node === "string") {
      replaced.set(output, node);
      continue;
    }
    const touched = [...node.inputs, ...named].some((v) => kept.isCut(v));
    for (const made of touched ? slicer.slice(node, spec) : [node]) {
      const [input, ...more] = made.inputs;
      const isLeftover = made.opType === "Identity" && original.opType !== "Identity" && more.length === 0;
      if (isLeftover && input !== undefined) replaced.set(made.outputs[0] ?? "", input);
      else nodes.push(made);
    }
  }
  const infos = (list: readonly ValueInfo[]) => list.map((v) => cutInfo(v, kept));
  const names = new Set(graph.initializers.map((t) => t.name));
  return substitute(
    {
      ...graph,
      nodes: withoutIdleRelu(nodes, replaced),
      inputs: graph.inputs.map((v) => (names.has(v.name) ? cutInfo(v, kept) : v)),
      valueInfos: infos(graph.valueInfos),
      initializers: [
        ...graph.initializers.map((t) => flushSubnormals(kept.isCut(t.name) ? cutTensor(t, t.name, kept) : t)),
        ...materialized.map(flushSubnormals),
        ...slicer.initializers,
      ],
    },
    replaced,
  );
}

/** The node without its absent operands, or the name of the value that it hands on unchanged. */
function withoutAbsent(node: Node, vanishing: Vanishing, constantOf: (gate: string) => string): Node | string {
  const dropped = vanishing.dropped.get(node);
  const gates = vanishing.gates.get(node);
  if (gates) return { ...node, inputs: node.inputs.map((name, i) => (gates.includes(i) ? constantOf(name) : name)) };
  if (!dropped) return node;
  const inputs = node.inputs.filter((_, i) => !dropped.includes(i));
  const [only] = inputs;
  if (inputs.length !== 1 || only === undefined) return { ...node, inputs };
  if (node.opType === "Sub" && dropped.includes(0))
    return { ...plainNode("Neg", inputs, node.outputs[0] ?? ""), name: node.name };
  return only;
}

function cutInfo(info: ValueInfo, kept: Kept): ValueInfo {
  if (!info.dims || !kept.isCut(info.name)) return info;
  return {
    ...info,
    dims: info.dims.map((d, axis) => (typeof d === "number" ? (kept.positions(info.name, axis)?.length ?? d) : d)),
  };
}

function analyzeAgain(model: Model, before: AnalyzedGraph, findOperator: FindOperator): AnalyzedGraph {
  try {
    return analyzeGraph(model, findOperator, { inputDims: before.inputDims });
  } catch (cause) {
    if (!(cause instanceof HalpError)) throw cause;
    throw new HalpError(
      "HALP_REWRITE_SHAPE",
      `After the cut the shapes no longer fit together. ${cause.message} This is a fault of halp: freeze the group of this tensor to go on, and please report it.`,
      {
        cause,
        exitCode: 1,
        ...(cause.node === undefined ? {} : { node: cause.node }),
        ...(cause.opType === undefined ? {} : { opType: cause.opType }),
      },
    );
  }
}

/** Every value that both graphs have must have exactly the dims that the plan leaves it. */
function checkDims(before: AnalyzedGraph, after: AnalyzedGraph, kept: Kept): void {
  for (const node of after.graph.nodes)
    for (const name of node.outputs) {
      const type = before.types.get(name);
      if (!type) continue;
      const expected = kept.dims(name, type.dims);
      const came = after.types.get(name)?.dims;
      if (came && came.length === expected.length && came.every((d, i) => d === expected[i])) continue;
      throw new HalpError(
        "HALP_REWRITE_SHAPE",
        `After the cut "${name}" should be [${expected}]; ${describe(node)} makes it ${came ? `[${came}]` : "of unknown shape"}. ` +
          "This is a fault of halp: freeze the group of this tensor to go on, and please report it.",
        { name, node: node.name, opType: node.opType, exitCode: 1 },
      );
    }
}
