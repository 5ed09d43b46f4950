/**
 * What stands in for removed channels in the layers that read them. A removed channel counts as zero; where it is better
 * taken for a constant (Figurnov et al., arXiv 1504.08362; Evci et al., arXiv 1806.04051: mean replacement), what the
 * constant comes to behind a layer that sums over it goes into an addend that the layer has: no operator is added.
 *
 * Behind zero padding the constant comes to less at the borders; the mean over all positions is taken, which is the
 * constant with the least squared error.
 */
import type { Coupling } from "../coupling/types.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { attr, intAttr, withAttribute } from "../graph/attributes.js";
import type { Graph, Node, Tensor } from "../graph/ir.js";
import { float32Of, float32Tensor } from "../graph/tensors.js";
import { namesInside } from "../graph/topology.js";
import type { Absorption, FindOperator } from "../operators/spec.js";
import { fixedConstants } from "./constants.js";
import type { Kept } from "./kept.js";
import { nameGiver } from "./names.js";
import { plainNode } from "./plain-node.js";

/** What each channel is taken to hold where layers read it; one number for each position along the axis of the value. */
export interface StandIns {
  valuesOf(name: string, axis: number): Float64Array | undefined;
}

/** A layer that can take up what its removed inputs stood for. */
export interface Absorber {
  readonly node: Node;
  readonly input: string;
  readonly output: string;
  readonly absorption: Absorption;
  /** The addend that changes: what each output channel gains, times `factor`. */
  readonly addend: Addend;
}

interface Addend {
  readonly node: Node;
  readonly slot: number;
  readonly factor: number;
}

/** What the removed channels of a rewriting were taken for, and the layers that took it up. */
export interface Removed {
  readonly standIns: StandIns;
  readonly absorbers: readonly Absorber[];
}

const found = new WeakMap<Coupling, readonly Absorber[]>();

/** All layers that read channels which may be removed and have an addend for each output channel. */
export function absorbersOf(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  findOperator: FindOperator,
): readonly Absorber[] {
  let absorbers = found.get(coupling);
  if (!absorbers) {
    absorbers = findAbsorbers(analyzed, coupling, findOperator);
    found.set(coupling, absorbers);
  }
  return absorbers;
}

function findAbsorbers(analyzed: AnalyzedGraph, coupling: Coupling, findOperator: FindOperator): Absorber[] {
  const fixed = fixedConstants(analyzed);
  const shown = new Set(analyzed.graph.outputs.map((o) => o.name));
  for (const node of analyzed.graph.nodes) for (const name of namesInside(node)) shown.add(name);
  const absorbers: Absorber[] = [];
  for (const node of analyzed.graph.nodes) {
    const absorb = findOperator(node.opType, node.domain)?.absorb;
    const [input = ""] = node.inputs;
    const [output = ""] = node.outputs;
    if (!absorb || analyzed.constants.has(output) || analyzed.types.get(input)?.dtype !== "float32") continue;
    const absorption = absorb({
      node,
      type: (name) => analyzed.types.get(name),
      constant: (name) => (fixed.has(name) ? analyzed.constants.get(name) : undefined),
    });
    const labels = absorption && coupling.axes.get(input)?.[absorption.inputAxis];
    const mayGo = labels?.some((c) => c >= 0 && coupling.groups[coupling.groupOf[c] as number]?.frozen === undefined);
    const addend = absorption && mayGo ? addendOf(analyzed, node, absorption, fixed, shown) : undefined;
    if (absorption && addend) absorbers.push({ node, input, output, absorption, addend });
  }
  return absorbers;
}

/** The layer's own bias; else the mean of the batch norm, or the constant of the Add, that alone reads its output. */
function addendOf(
  analyzed: AnalyzedGraph,
  layer: Node,
  absorption: Absorption,
  fixed: ReadonlySet<string>,
  shown: ReadonlySet<string>,
): Addend | undefined {
  const [output = ""] = layer.outputs;
  const dims = analyzed.types.get(output)?.dims ?? [];
  const { outputAxis, bias } = absorption;
  const perChannel = (name: string): boolean => {
    const tensor = fixed.has(name) ? analyzed.constants.get(name) : undefined;
    const axis = outputAxis - (dims.length - (tensor?.dims.length ?? 0));
    return (
      tensor?.dtype === "float32" &&
      tensor.dims.length <= dims.length &&
      tensor.dims.every((d, i) => d === (i === axis ? dims[outputAxis] : 1)) &&
      axis >= 0
    );
  };
  const vector = (name: string): boolean => {
    const tensor = fixed.has(name) ? analyzed.constants.get(name) : undefined;
    return tensor?.dtype === "float32" && tensor.dims.length === 1 && tensor.dims[0] === dims[outputAxis];
  };
  if (bias) {
    const name = layer.inputs[bias.slot] ?? "";
    if (vector(name)) return { node: layer, slot: bias.slot, factor: 1 / bias.factor };
  }
  const [reader, ...others] = analyzed.consumersOf.get(output) ?? [];
  if (!reader || others.length > 0 || shown.has(output)) return undefined;
  if (reader.opType === "BatchNormalization" && outputAxis === 1 && intAttr(reader, "training_mode", 0) === 0)
    return reader.inputs[0] === output && vector(reader.inputs[3] ?? "")
      ? { node: reader, slot: 3, factor: -1 }
      : undefined;
  if (reader.opType !== "Add") return undefined;
  const slot = reader.inputs.findIndex((name) => name !== output);
  return slot >= 0 && perChannel(reader.inputs[slot] as string) ? { node: reader, slot, factor: 1 } : undefined;
}

/** What the removed positions of a layer's input stand for, 0 where they stay; undefined where all of it is 0. */
function removedValues(kept: Kept, standIns: StandIns, absorber: Absorber): Float64Array | undefined {
  const { input, absorption } = absorber;
  const stays = kept.positions(input, absorption.inputAxis);
  if (!stays || kept.isGone(input)) return undefined;
  const values = standIns.valuesOf(input, absorption.inputAxis)?.slice();
  if (!values) return undefined;
  for (const k of stays) values[k] = 0;
  return values.some((v) => v !== 0) ? values : undefined;
}

/** The cut graph with what its layers lost in their addends. */
export function absorbRemoved(cut: Graph, irVersion: number, kept: Kept, { standIns, absorbers }: Removed): Graph {
  const freshName = nameGiver(cut);
  const makerOf = new Map<string, number>();
  cut.nodes.forEach((node, i) => {
    for (const o of node.outputs) if (o !== "") makerOf.set(o, i);
  });
  const tensors = new Map(cut.initializers.map((t) => [t.name, t]));
  const constantAt = (name: string): Tensor | undefined => {
    const maker = cut.nodes[makerOf.get(name) ?? -1];
    const value = maker?.opType === "Constant" ? maker.attributes.get("value") : undefined;
    return tensors.get(name) ?? (value?.kind === "tensor" ? value.value : undefined);
  };
  const nodes = [...cut.nodes];
  const made: Tensor[] = [];
  for (const absorber of absorbers) {
    const values = removedValues(kept, standIns, absorber);
    const { absorption, addend, output } = absorber;
    const at = makerOf.get(addend.node.outputs[0] ?? "");
    const node = at === undefined ? undefined : (nodes[at] as Node);
    if (!values || node?.opType !== addend.node.opType || !makerOf.has(output)) continue;
    const name = node.inputs[addend.slot] ?? "";
    const tensor = constantAt(name);
    if (!tensor) continue;
    const added = absorption.added(values);
    const stays = kept.positions(output, absorption.outputAxis);
    const data = float32Of(tensor).map(
      (v, i) => v + addend.factor * (added[stays ? (stays[i] as number) : i] as number),
    );
    const fresh = freshName(`${name}_absorbed`);
    made.push(float32Tensor(fresh, tensor.dims, data));
    nodes[at as number] = { ...node, inputs: node.inputs.map((n, i) => (i === addend.slot ? fresh : n)) };
  }
  // Before version 4 of the IR every initialiser had to be an input as well.
  if (irVersion >= 4) return { ...cut, nodes, initializers: [...cut.initializers, ...made] };
  const constants = made.map((t) => ({
    ...plainNode("Constant", [], t.name),
    attributes: new Map([["value", attr.tensor({ ...t, name: "" })]]),
  }));
  return { ...cut, nodes: [...constants, ...nodes] };
}

/** Gemm has to have its bias before opset 11, and can be told to add none of it. */
function withoutBias(node: Node, { bias }: Absorption, input: string, output: string): Node {
  const alone = { ...node, name: "", outputs: [output] };
  if (node.opType === "Gemm" && node.inputs.length > 2)
    return withAttribute({ ...alone, inputs: [input, ...node.inputs.slice(1)] }, "beta", attr.float(0));
  return { ...alone, inputs: [input, ...node.inputs.slice(1, bias?.slot)] };
}

/**
 * The same for the masked original: behind each layer, what it makes of constants in the removed channels, by running it on
 * them, as a mean over space. Shapes stay as they were.
 */
export function standInNodes(
  analyzed: AnalyzedGraph,
  kept: Kept,
  { standIns, absorbers }: Removed,
): { readonly nodes: readonly Node[]; readonly initializers: readonly Tensor[] } {
  const freshName = nameGiver(analyzed.graph);
  const initializers: Tensor[] = [];
  const of = new Map(absorbers.map((a) => [a.node, a]));
  const nodes = analyzed.graph.nodes.flatMap((node): Node[] => {
    const absorber = of.get(node);
    const values = absorber && removedValues(kept, standIns, absorber);
    if (!absorber || !values) return [node];
    const { input, output, absorption } = absorber;
    const rank = analyzed.types.get(input)?.dims.length ?? 0;
    const shape = Array.from({ length: rank }, (_, axis) => (axis === absorption.inputAxis ? values.length : 1));
    const constant = freshName(`${input}_stand_in`);
    initializers.push(float32Tensor(constant, shape, Float32Array.from(values)));
    const [extents, whole, alone, plain] = ["shape", "everywhere", "alone", "plain"].map((hint) =>
      freshName(`${output}_${hint}`),
    ) as [string, string, string, string];
    const made: Node[] = [
      plainNode("Shape", [input], extents),
      plainNode("Expand", [constant, extents], whole),
      withoutBias(node, absorption, whole, alone),
    ];
    let addend = alone;
    if (rank > 2 && absorption.outputAxis === 1) {
      addend = freshName(`${output}_mean`);
      made.push(plainNode("GlobalAveragePool", [alone], addend));
    }
    made.push({ ...node, outputs: [plain] }, plainNode("Add", [plain, addend], output));
    return made;
  });
  return { nodes, initializers };
}
