/** The constant that a gate has when the channels inside it are zero. */

import type { Coupling } from "../coupling/types.js";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node, Tensor } from "../graph/ir.js";
import { deriveTensor } from "../graph/lazy-tensor.js";
import { dataTypeCode, float32Tensor, sizeOf, takeAlongAxis } from "../graph/tensors.js";
import { createSession, floatsOf } from "../runtime/index.js";
import type { Kept } from "./kept.js";
import { maskNodes } from "./masked.js";

/**
 * Runs what lies between the values that are gone and the gate, with zeros for the former, once.
 * @returns dims of the gate after the cut, but 1 for the batch axis; the constant named `name`.
 */
export function gateConstant(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  kept: Kept,
  gate: string,
  name: string,
): Tensor {
  const nodes = new Set<Node>();
  const initializers = new Map<string, Tensor>();
  const queue = [gate];
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    if (value === "" || initializers.has(value)) continue;
    const known = analyzed.constants.get(value);
    const type = analyzed.types.get(value);
    const node = analyzed.producerOf.get(value);
    if (known) initializers.set(value, deriveTensor(known, { name: value }));
    else if (type && kept.isGone(value)) initializers.set(value, zeros(value, type.dims));
    else if (node && !nodes.has(node)) {
      nodes.add(node);
      queue.push(...node.inputs);
    }
  }
  const type = analyzed.types.get(gate);
  if (type?.dtype !== "float32")
    throw new HalpError(
      "HALP_REWRITE_GATE",
      `The gate "${gate}" is ${type?.dtype}; halp computes float32 gates only.`,
      {
        name: gate,
        exitCode: 1,
      },
    );
  const masked = maskNodes(
    analyzed,
    analyzed.graph.nodes.filter((n) => nodes.has(n)),
    kept,
    new Map(),
  );
  using session = createSession(
    {
      ...analyzed.model,
      graph: {
        name: "gate",
        nodes: masked.nodes,
        inputs: [],
        outputs: [{ name: gate, dtype: "float32", dtypeCode: dataTypeCode.float32, dims: type.dims }],
        valueInfos: [],
        initializers: [...initializers.values(), ...masked.initializers],
      },
    },
    { optimization: "disabled" },
  );
  const result = session.run({})[gate];
  if (!result) throw new HalpError("HALP_REWRITE_GATE", `The gate "${gate}" could not be computed.`, { exitCode: 1 });
  let tensor = float32Tensor(name, result.dims, floatsOf(result).slice());
  if (!coupling.axes.get(gate)?.[0]) tensor = takeAlongAxis(tensor, 0, [0]);
  type.dims.forEach((_, axis) => {
    const stays = kept.positions(gate, axis);
    if (stays) tensor = takeAlongAxis(tensor, axis, stays);
  });
  return tensor;
}

function zeros(name: string, dims: readonly number[]): Tensor {
  return float32Tensor(name, dims, new Float32Array(sizeOf(dims)));
}
