/** Reverse mode over an inference graph. Knows no operator by name: rules are asked for through `findOperator`. */
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { GraphBuilder } from "../graph/builder.js";
import { type Node, normalDomain } from "../graph/ir.js";
import type { ChooseForm, OperatorSpec } from "../operators/spec.js";

/** Where the gradient starts: `gradient` names a value of the same shape in the builder, the derivative of the loss. */
export interface Seed {
  readonly value: string;
  readonly gradient: string;
}

export interface BackwardOptions {
  readonly analyzed: AnalyzedGraph;
  readonly findOperator: (opType: string, domain: string) => Pick<OperatorSpec, "gradient"> | undefined;
  /** Holds the nodes of the network already; the nodes of the gradient are added after them. */
  readonly builder: GraphBuilder;
  readonly seeds: readonly Seed[];
  /** Values or initialisers whose gradients are asked for. */
  readonly wrt: readonly string[];
  /** Initialisers that are not constants in the graph: they are fed. Those of `wrt` are never taken as constants. */
  readonly fed?: readonly string[];
  /** What to do where an operator on the path has no gradient. Default "error". */
  readonly onMissing?: "error" | "cut";
  /** Which of several ways to compute something is taken. Default: the plain one. */
  readonly choose?: ChooseForm;
}

export interface CutPath {
  readonly node: Node;
  readonly reason: string;
}

export interface Backward {
  /** Gradient of each value of `wrt` that the seeds depend on. */
  readonly gradientOf: ReadonlyMap<string, string>;
  /** Nodes through which no gradient went, with "cut". */
  readonly cut: readonly CutPath[];
}

const integral = /^(u?int|bool|string)/;

/**
 * Emits the gradient of the loss with respect to each of `wrt`. A value off every path from them to a seed costs nothing.
 * @throws HalpError HALP_NO_GRADIENT (fields `node`, `opType`) where an operator on a path has no gradient and is not to be cut.
 */
export function emitBackward(options: BackwardOptions): Backward {
  const { analyzed, builder, seeds, findOperator } = options;
  const { nodes } = analyzed.graph;
  const wanted = new Set(options.wrt);
  const notConstant = new Set([...options.wrt, ...(options.fed ?? [])]);
  const moved = dependents(analyzed, wanted);
  const contributions = new Map<string, string[]>();
  const contribute = (value: string, gradient: string) => {
    const list = contributions.get(value);
    if (list) list.push(gradient);
    else contributions.set(value, [gradient]);
  };
  const total = (value: string): string | undefined => {
    const list = contributions.get(value);
    if (!list || list.length < 2) return list?.[0];
    const sum = builder.node(list.length === 2 ? "Add" : "Sum", list);
    contributions.set(value, [sum]);
    return sum;
  };
  for (const { value, gradient } of seeds) if (moved.has(value)) contribute(value, gradient);

  const cut: CutPath[] = [];
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i] as Node;
    if (!node.outputs.some((o) => contributions.has(o)) || !node.inputs.some((x) => moved.has(x))) continue;
    // Nothing depends on what has no elements (and Reshape reads a 0 as something else).
    if (node.outputs.some((o) => analyzed.types.get(o)?.dims.includes(0))) continue;
    let gradients: readonly (string | undefined)[];
    try {
      const rule = findOperator(node.opType, node.domain)?.gradient;
      if (!rule) throw missing(node, "halp knows no gradient of this operator");
      gradients = rule({
        node,
        opset: analyzed.model.opsets.find((o) => normalDomain(o.domain) === "")?.version ?? 1,
        builder,
        type: (name) => analyzed.types.get(name),
        constant: (name) => (notConstant.has(name) ? undefined : analyzed.constants.get(name)),
        wants: (input) => moved.has(node.inputs[input] ?? ""),
        outputGradient: (output) => total(node.outputs[output] ?? ""),
        ...(options.choose ? { choose: options.choose } : {}),
      });
      const half = node.inputs.find((x) => moved.has(x) && analyzed.types.get(x)?.dtype !== "float32");
      if (half !== undefined) throw missing(node, `"${half}" is not float32`);
    } catch (e) {
      if (options.onMissing !== "cut" || !(e instanceof HalpError) || e.code !== "HALP_NO_GRADIENT") throw e;
      cut.push({ node, reason: e.message });
      continue;
    }
    gradients.forEach((gradient, input) => {
      const value = node.inputs[input] ?? "";
      if (gradient !== undefined && moved.has(value)) contribute(value, gradient);
    });
  }

  const gradientOf = new Map<string, string>();
  for (const value of wanted) {
    const gradient = total(value);
    if (gradient !== undefined) gradientOf.set(value, gradient);
  }
  return { gradientOf, cut };
}

/** Values that change with the given ones by a gradient: not constants, not integers (indices, shapes, comparisons). */
function dependents(analyzed: AnalyzedGraph, wrt: ReadonlySet<string>): ReadonlySet<string> {
  const moved = new Set(wrt);
  for (const node of analyzed.graph.nodes) {
    if (!node.inputs.some((x) => moved.has(x))) continue;
    for (const name of node.outputs)
      if (name !== "" && !analyzed.constants.has(name) && !integral.test(analyzed.types.get(name)?.dtype ?? ""))
        moved.add(name);
  }
  return moved;
}

function missing(node: Node, why: string): HalpError {
  const name = node.name || (node.outputs[0] ?? "");
  return new HalpError(
    "HALP_NO_GRADIENT",
    `The gradient cannot pass ${node.opType} "${name}": ${why}. Cut the path there, or score by a criterion of the weights alone (l1, l2, bn-scale).`,
    { node: name, opType: node.opType, exitCode: 1 },
  );
}
