import type { Attribute, Graph, Model, Node, Tensor } from "../graph/ir.js";

export type TensorChange = (tensor: Tensor, place: "initializer" | "attribute") => Tensor;

/**
 * The model with every tensor (initialisers and tensor attributes, those of subgraphs too) replaced by what `change` makes
 * of it. What does not change stays the same object.
 */
export function mapTensors(model: Model, change: TensorChange): Model {
  const graph = mapGraph(model.graph, change);
  return graph === model.graph ? model : { ...model, graph };
}

function mapGraph(graph: Graph, change: TensorChange): Graph {
  const nodes = mapList(graph.nodes, (n) => mapNode(n, change));
  const initializers = mapList(graph.initializers, (t) => change(t, "initializer"));
  return nodes === graph.nodes && initializers === graph.initializers ? graph : { ...graph, nodes, initializers };
}

function mapNode(node: Node, change: TensorChange): Node {
  let changed = false;
  const attributes = new Map<string, Attribute>();
  for (const [name, a] of node.attributes) {
    const b = mapAttribute(a, change);
    changed ||= b !== a;
    attributes.set(name, b);
  }
  return changed ? { ...node, attributes } : node;
}

function mapAttribute(a: Attribute, change: TensorChange): Attribute {
  switch (a.kind) {
    case "tensor": {
      const value = change(a.value, "attribute");
      return value === a.value ? a : { ...a, value };
    }
    case "graph": {
      const value = mapGraph(a.value, change);
      return value === a.value ? a : { ...a, value };
    }
    case "graphs": {
      const value = mapList(a.value, (g) => mapGraph(g, change));
      return value === a.value ? a : { ...a, value };
    }
    default:
      return a;
  }
}

function mapList<T>(list: readonly T[], change: (item: T) => T): readonly T[] {
  const mapped = list.map(change);
  return mapped.every((item, i) => item === list[i]) ? list : mapped;
}

/** All tensors of a model, in the order in which {@link mapTensors} meets them. */
export function tensorsOf(model: Model): Tensor[] {
  const tensors: Tensor[] = [];
  mapTensors(model, (t) => {
    tensors.push(t);
    return t;
  });
  return tensors;
}
