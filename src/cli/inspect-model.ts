/** What `halp inspect` finds out, as data. */
import type { Coupling, describe } from "../coupling/index.js";
import { prunableMacs } from "../coupling/prunable-macs.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { type Dim, normalDomain } from "../graph/ir.js";
import { countParameters } from "../graph/parameters.js";
import { macsOf } from "../operators/cost.js";
import { groupOptions, leastWidths, type WidthLimit } from "../problem/index.js";
import { groupsThatMayVanish } from "../rewrite/index.js";

export interface InspectedGroup {
  readonly name: string;
  readonly channels: number;
  /** Numbers of channels it may keep; only all of them where it is frozen. */
  readonly options: readonly number[];
  readonly frozen: string | null;
  readonly producers: readonly InspectedNode[];
  readonly consumers: readonly InspectedNode[];
}
export interface InspectedNode {
  readonly name: string;
  readonly opType: string;
}

/** `halp.inspection/1` */
export interface Inspection {
  readonly format: "halp.inspection/1";
  readonly model: string;
  readonly opset: number;
  readonly producer: string | null;
  /** Dims as the file has them, and as they were taken. */
  readonly inputs: readonly {
    readonly name: string;
    readonly dims: readonly Dim[];
    readonly taken: readonly number[];
  }[];
  readonly outputs: readonly { readonly name: string; readonly dims: readonly number[] | null }[];
  readonly operators: Readonly<Record<string, number>>;
  /** Multiply-accumulates of one run at these input dims; null where a shape is unknown. */
  readonly macs: number | null;
  /** Those of them that read or make a channel that may go; null likewise. */
  readonly prunableMacs: number | null;
  /** Elements of floating-point constants. */
  readonly parameters: number;
  readonly groups: readonly InspectedGroup[];
  /** Nodes that halp has no rule for, and what that froze. */
  readonly unknown: readonly (InspectedNode & { readonly reason: string })[];
}

/** @param alignment multiple of channels that widths are offered at; what a device prefers is only known once it is measured. */
export function inspectModel(
  path: string,
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  alignment: number,
  limits: readonly WidthLimit[] = [],
): Inspection {
  const { graph, model, types } = analyzed;
  const operators: Record<string, number> = {};
  const mayVanish = groupsThatMayVanish(analyzed, coupling);
  const least = leastWidths(coupling, limits);
  let macs: number | null = 0;
  for (const node of graph.nodes) {
    const domain = normalDomain(node.domain);
    const opType = domain === "" ? node.opType : `${domain}.${node.opType}`;
    operators[opType] = (operators[opType] ?? 0) + 1;
    const cost = macsOf(node, (name) => types.get(name));
    macs = macs === null || cost === undefined ? null : macs + cost;
  }
  return {
    format: "halp.inspection/1",
    model: path,
    opset: analyzed.opset,
    producer: model.producerName ? `${model.producerName} ${model.producerVersion ?? ""}`.trim() : null,
    inputs: graph.inputs
      .filter((input) => analyzed.inputDims.has(input.name))
      .map(({ name, dims }) => ({ name, dims: dims ?? [], taken: analyzed.inputDims.get(name) ?? [] })),
    outputs: graph.outputs.map(({ name }) => ({ name, dims: types.get(name)?.dims ?? null })),
    operators,
    macs,
    prunableMacs: prunableMacs(analyzed, coupling)?.prunable ?? null,
    parameters: countParameters(analyzed),
    groups: coupling.groups.map((group) => ({
      name: group.name,
      channels: group.size,
      options: groupOptions(group, { alignment }, mayVanish.has(group.id), least[group.id]),
      frozen: group.frozen ?? null,
      producers: group.producers.map(inspectedNode),
      consumers: group.consumers.map(inspectedNode),
    })),
    unknown: coupling.unknown.map(({ node, reason }) => ({ ...inspectedNode(node), reason })),
  };
}

function inspectedNode(node: Parameters<typeof describe>[0]): InspectedNode {
  return { name: node.name || (node.outputs[0] ?? ""), opType: node.opType };
}
