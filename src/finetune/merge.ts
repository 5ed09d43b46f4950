/** Networks joined into one graph: the nodes of one added to a builder that holds another. */
import { HalpError } from "../errors.js";
import type { GraphBuilder } from "../graph/builder.js";
import { type Attribute, type Graph, type Model, type Node, normalDomain, opsetOf } from "../graph/ir.js";

/**
 * Adds a model's nodes and initialisers under new names.
 * @param bound what the model's inputs are in the builder; every input must be there
 * @returns the new names of all its values
 * @throws HalpError HALP_OPSET where its opsets differ from those of `host`
 */
export function addModel(
  builder: GraphBuilder,
  host: Model,
  model: Model,
  bound: ReadonlyMap<string, string>,
  what: string,
): ReadonlyMap<string, string> {
  if (opsetOf(model) !== opsetOf(host))
    throw new HalpError(
      "HALP_OPSET",
      `${what} has opset ${opsetOf(model)} and the network opset ${opsetOf(host)}; one graph has one opset. Export both alike.`,
    );
  const known = new Set(host.opsets.map((o) => normalDomain(o.domain)));
  const foreign = model.opsets.find((o) => !known.has(normalDomain(o.domain)));
  if (foreign && model.graph.nodes.some((n) => normalDomain(n.domain) === normalDomain(foreign.domain)))
    throw new HalpError(
      "HALP_OPSET",
      `${what} uses operators of the domain "${foreign.domain}", which the network does not.`,
    );
  const names = new Map(bound);
  const nameOf = (name: string): string => {
    if (name === "") return "";
    let own = names.get(name);
    if (own === undefined) {
      own = builder.freshName(name);
      names.set(name, own);
    }
    return own;
  };
  for (const tensor of model.graph.initializers)
    if (!bound.has(tensor.name)) builder.initializer({ ...tensor, name: nameOf(tensor.name) });
  for (const node of model.graph.nodes) builder.add(renamed(node, nameOf));
  return names;
}

/** A node with all its values renamed, in its subgraphs too: every name is made new, so none can meet another. */
function renamed(node: Node, nameOf: (name: string) => string): Node {
  const attribute = (a: Attribute): Attribute => {
    if (a.kind === "graph") return { ...a, value: inside(a.value) };
    if (a.kind === "graphs") return { ...a, value: a.value.map(inside) };
    return a;
  };
  const inside = (graph: Graph): Graph => ({
    ...graph,
    nodes: graph.nodes.map((n) => renamed(n, nameOf)),
    inputs: graph.inputs.map((i) => ({ ...i, name: nameOf(i.name) })),
    outputs: graph.outputs.map((o) => ({ ...o, name: nameOf(o.name) })),
    initializers: graph.initializers.map((t) => ({ ...t, name: nameOf(t.name) })),
    valueInfos: [],
  });
  return {
    ...node,
    // No two nodes may have one name; none is needed.
    name: "",
    inputs: node.inputs.map(nameOf),
    outputs: node.outputs.map(nameOf),
    attributes: new Map([...node.attributes].map(([key, a]) => [key, attribute(a)])),
  };
}
