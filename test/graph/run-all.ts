/** Runs a model in ONNX Runtime, unoptimised, with every tensor an output: the truth about its shapes. */
import type { Graph, Model } from "../../src/graph/ir.js";
import { createSession, isRuntimeType, type Outputs, zeroTensor } from "../../src/runtime/index.js";

/** The model with all that its nodes make as outputs, of types that the runtime tells. */
export function showAll(model: Model): Model {
  const known = new Map(model.graph.outputs.map((o) => [o.name, o]));
  const outputs = model.graph.nodes.flatMap((n) => n.outputs).filter((name) => name !== "");
  const graph: Graph = { ...model.graph, valueInfos: [], outputs: outputs.map((name) => known.get(name) ?? { name }) };
  return { ...model, graph };
}

/** All tensors that nodes make. Inputs are zeros of the given dims. */
export function runAll(model: Model, inputDims: ReadonlyMap<string, readonly number[]> = new Map()): Outputs {
  using session = createSession(showAll(model), { optimization: "disabled" });
  const feeds = session.inputs.flatMap(({ name, dtype }) => {
    const dims = inputDims.get(name);
    return dims && isRuntimeType(dtype) ? [[name, zeroTensor(dtype, dims)] as const] : [];
  });
  return session.run(Object.fromEntries(feeds));
}
