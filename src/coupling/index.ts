import { didYouMean, HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";
import type { FindOperator } from "../operators/spec.js";
import { type Labelled, labelGraph } from "./engine.js";
import { formGroups } from "./groups.js";
import { matcher } from "./match-name.js";
import type { Coupling } from "./types.js";

export { describe } from "./engine.js";
export { matcher } from "./match-name.js";
export type { Coupling, CouplingGroup, Plan } from "./types.js";

export interface CouplingOptions {
  /** Names of nodes, initialisers or values that stay whole; `*` matches any run of characters. */
  readonly freeze?: readonly string[];
  /** Names, as above, of nodes that split channels into attention heads: whole heads may go there. */
  readonly heads?: readonly string[];
  /** Likewise: the same places of every head may go there. What neither names goes by whichever leaves most channels. */
  readonly headWidth?: readonly string[];
  /** A name that matches nothing is passed over: what it named went with an earlier pruning. */
  readonly mayMiss?: boolean;
}

/**
 * Finds the coupling groups of a graph.
 * @throws HalpError HALP_FREEZE_NAME where a name to freeze matches nothing; HALP_HEADS_NAME where one of heads matches no
 *   node that splits channels
 */
export function analyzeCoupling(
  analyzed: AnalyzedGraph,
  findOperator: FindOperator,
  options: CouplingOptions = {},
): Coupling {
  const { wantedSplit, check } = splitChoices(options);
  const labelled = labelGraph(analyzed, findOperator, wantedSplit);
  if (!options.mayMiss) check();
  for (const pattern of options.freeze ?? []) freezeNamed(analyzed, labelled, pattern, options.mayMiss ?? false);
  return formGroups(analyzed, labelled);
}

function splitChoices({ heads = [], headWidth = [] }: CouplingOptions) {
  const rules = [
    ...heads.map((name) => ({ name, option: "--heads", wanted: "heads" as const })),
    ...headWidth.map((name) => ({ name, option: "--head-width", wanted: "head-width" as const })),
  ].map((rule) => ({ ...rule, matches: matcher(rule.name), used: false }));
  return {
    wantedSplit: (node: Node) => {
      const found = rules.filter(({ matches }) => matches(node.name) || node.outputs.some(matches));
      for (const rule of found) rule.used = true;
      return found[0]?.wanted;
    },
    check: () => {
      for (const { name, option, used } of rules)
        if (!used)
          throw new HalpError(
            "HALP_HEADS_NAME",
            `${option} ${name} matches no node that splits channels into heads. Give the name of a Reshape to [..., heads, width].`,
            { name },
          );
    },
  };
}

/** All names that --freeze may mean. */
function* namesIn({ graph }: AnalyzedGraph): Generator<string> {
  for (const node of graph.nodes) {
    if (node.name !== "") yield node.name;
    yield* node.outputs;
  }
  for (const tensor of graph.initializers) yield tensor.name;
}

function freezeNamed(analyzed: AnalyzedGraph, labelled: Labelled, pattern: string, mayMiss: boolean): void {
  const matches = matcher(pattern);
  const reason = `asked for by --freeze ${pattern}`;
  let found = false;
  const freeze = (labels: Int32Array | null | undefined) => {
    for (const l of labels ?? []) if (l >= 0) labelled.classes.freeze(l, reason);
  };
  for (const node of analyzed.graph.nodes)
    if (matches(node.name) || node.outputs.some(matches)) {
      found = true;
      for (const output of node.outputs) labelled.axes.get(output)?.forEach(freeze);
    }
  for (const tensor of analyzed.graph.initializers)
    if (matches(tensor.name)) {
      found = true;
      labelled.axes.get(tensor.name)?.forEach(freeze);
    }
  if (!found && !mayMiss)
    throw new HalpError(
      "HALP_FREEZE_NAME",
      `--freeze ${pattern} matches no node, value or initialiser of the model${didYouMean(pattern, namesIn(analyzed))} \`halp inspect MODEL\` lists the names.`,
      { name: pattern },
    );
}
