/** Shape inference and constant folding under concrete input dimensions. Knows no operator by name. */

import type { AnalyzedGraph, ValueType } from "./analysis.js";
import { type InputDimsOptions, isDynamic, resolveInputDims } from "./input-dims.js";
import { type Model, type Node, normalDomain, opsetOf, type Tensor, type ValueInfo } from "./ir.js";
import { deriveTensor } from "./lazy-tensor.js";
import { sizeOf } from "./tensors.js";
import { checkSorted, linksOf } from "./topology.js";

/** What a shape rule is told. */
export interface InferenceInput {
  readonly node: Node;
  readonly opset: number;
  readonly inputs: readonly (ValueType | undefined)[];
  readonly constants: readonly (Tensor | undefined)[];
}

/** The part of what is known of an operator that inference needs. */
export interface InferenceRules {
  infer(c: InferenceInput): readonly (ValueType | undefined)[] | undefined;
  evaluate?(c: InferenceInput): readonly Tensor[] | undefined;
  readonly passesConstant?: boolean;
}

export type AnalyzeOptions = InputDimsOptions;

/** Computed constants of more elements are not folded: shape arithmetic is small, and weights are better left as they are. */
export const FOLDING_LIMIT = 4096;

/**
 * Tells the type of every value and folds what is known before the run. What an unknown operator or control flow makes
 * has the type that the model's own value info states, where that is fixed, and else none.
 *
 * Constant nodes and Identity of constants are constants of any size; all else folds up to `FOLDING_LIMIT` elements.
 * Constants hold for these input dims: a folded Shape of a dynamic value is one of them.
 * @throws HalpError HALP_INPUT_NAME, HALP_INPUT_SHAPE, HALP_DYNAMIC_DIM, HALP_BATCH for input dims that are missing or do
 * not fit; HALP_GRAPH_VALUE_MISSING, HALP_GRAPH_ORDER, HALP_GRAPH_VALUE_TWICE for a damaged graph; HALP_SHAPE where the
 * operands of a node do not fit together.
 */
export function analyzeGraph(
  model: Model,
  findOperator: (opType: string, domain: string) => InferenceRules | undefined,
  options: AnalyzeOptions = {},
): AnalyzedGraph {
  const { graph } = model;
  checkSorted(graph);
  const inputDims = resolveInputDims(graph, options);
  const types = new Map<string, ValueType>();
  const constants = new Map<string, Tensor>();

  for (const { name, dtype } of graph.inputs) {
    const dims = inputDims.get(name);
    if (dims && dtype) types.set(name, { dtype, dims });
  }
  for (const tensor of graph.initializers) {
    types.set(tensor.name, { dtype: tensor.dtype, dims: tensor.dims });
    constants.set(tensor.name, tensor);
  }
  const stated = new Map([...graph.valueInfos, ...graph.outputs].map((v) => [v.name, v]));
  const versions = new Map(model.opsets.map((o) => [normalDomain(o.domain), o.version]));

  for (const node of graph.nodes) {
    const rules = findOperator(node.opType, node.domain);
    const c: InferenceInput = {
      node,
      opset: versions.get(normalDomain(node.domain)) ?? 1,
      inputs: node.inputs.map((name) => types.get(name)),
      constants: node.inputs.map((name) => constants.get(name)),
    };
    const inferred = rules?.infer(c);
    node.outputs.forEach((name, i) => {
      const type = inferred?.[i] ?? statedType(stated.get(name));
      if (name !== "" && type) types.set(name, type);
    });
    if (!rules?.evaluate || !mayFold(node, rules, inferred)) continue;
    rules.evaluate(c)?.forEach((tensor, i) => {
      const name = node.outputs[i];
      if (name) constants.set(name, deriveTensor(tensor, { name }));
    });
  }
  return { model, graph, opset: opsetOf(model), inputDims, types, constants, ...linksOf(graph.nodes) };
}

function mayFold(node: Node, rules: InferenceRules, types: readonly (ValueType | undefined)[] | undefined): boolean {
  if (node.inputs.length === 0 || rules.passesConstant) return true;
  return !!types && types.length > 0 && types.every((t) => t && sizeOf(t.dims) <= FOLDING_LIMIT);
}

/** The type that the model states, where all of it is fixed. */
function statedType(info: ValueInfo | undefined): ValueType | undefined {
  if (!info?.dtype || !info.dims) return undefined;
  const dims = info.dims.filter((d): d is number => !isDynamic(d));
  return dims.length === info.dims.length ? { dtype: info.dtype, dims } : undefined;
}
