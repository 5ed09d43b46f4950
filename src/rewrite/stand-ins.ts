/** What removed channels are best taken for: their mean over data, or what batch norm's beta comes to. */
import type { Coupling } from "../coupling/types.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { attr } from "../graph/attributes.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Model, Node } from "../graph/ir.js";
import { float32Of, float32Tensor, sizeOf } from "../graph/tensors.js";
import { emitter } from "../operators/emit.js";
import type { FindOperator } from "../operators/spec.js";
import { createSession, type Feeds, floatsOf } from "../runtime/index.js";
import { absorbersOf, type StandIns } from "./absorb.js";
import { nameGiver } from "./names.js";
import { plainNode } from "./plain-node.js";
import { randomFeeds, randomNormal } from "./random-feeds.js";

/** An axis of a value along which some layer reads channels that may go. */
interface Read {
  readonly name: string;
  readonly axis: number;
  readonly dims: readonly number[];
}

function readsOf(analyzed: AnalyzedGraph, coupling: Coupling, findOperator: FindOperator): Read[] {
  const reads = new Map<string, Read>();
  for (const { input, absorption } of absorbersOf(analyzed, coupling, findOperator)) {
    const dims = analyzed.types.get(input)?.dims ?? [];
    reads.set(`${input} ${absorption.inputAxis}`, { name: input, axis: absorption.inputAxis, dims });
  }
  return [...reads.values()];
}

function standInsOf(reads: readonly Read[], values: readonly Float64Array[]): StandIns {
  const found = new Map(reads.map((r, i) => [`${r.name} ${r.axis}`, values[i] as Float64Array]));
  return { valuesOf: (name, axis) => found.get(`${name} ${axis}`) };
}

type Statistic = "ReduceMean" | "ReduceMax" | "ReduceMin";

/** The network with statistics of what its layers read for outputs, each a vector over the channels. */
function statisticsModel(
  analyzed: AnalyzedGraph,
  model: Model,
  reads: readonly Read[],
  statistics: readonly Statistic[],
): { readonly model: Model; readonly outputs: readonly (readonly string[])[] } {
  const { graph } = model;
  const taken = nameGiver(graph);
  const builder = new GraphBuilder();
  const e = emitter({ builder, opset: analyzed.opset });
  const outputs = reads.map(({ name, axis, dims }) => {
    const others = dims.map((_, i) => i).filter((i) => i !== axis);
    return statistics.map((s) => {
      const result = taken(`halp_${s}`);
      const channels = dims[axis] as number;
      const reduced = others.length > 0 ? e.reduce(s, name, others, false) : name;
      builder.output(builder.node("Identity", [reduced], {}, { outputs: [result] }), [channels]);
      return result;
    });
  });
  const made = builder.graph();
  return {
    outputs,
    model: {
      ...model,
      irVersion: Math.max(model.irVersion, 8),
      graph: {
        ...graph,
        nodes: [...graph.nodes, ...made.nodes],
        initializers: [...graph.initializers, ...made.initializers],
        outputs: made.outputs,
      },
    },
  };
}

export interface MeanOptions {
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

/**
 * The mean of every channel at the layers that read it, over all positions and all batches.
 * A channel that is constant stands for just that constant: its removal changes nothing where no padding meets it.
 */
export async function meanStandIns(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  findOperator: FindOperator,
  batches: AsyncIterable<Feeds>,
  options: MeanOptions = {},
): Promise<StandIns> {
  const reads = readsOf(analyzed, coupling, findOperator);
  const totals = reads.map((r) => new Float64Array(r.dims[r.axis] as number));
  if (reads.length === 0) return standInsOf(reads, totals);
  const { model, outputs } = statisticsModel(analyzed, analyzed.model, reads, ["ReduceMean"]);
  using session = createSession(model, { threads: options.threads ?? 1 });
  let count = 0;
  for await (const feeds of batches) {
    options.signal?.throwIfAborted();
    const came = session.run(feeds);
    outputs.forEach(([name = ""], i) => {
      const means = floatsOf(came[name] as NonNullable<(typeof came)[string]>);
      means.forEach((m, k) => {
        (totals[i] as Float64Array)[k] = ((totals[i] as Float64Array)[k] as number) + m;
      });
    });
    count++;
    options.onProgress?.(count);
  }
  return standInsOf(
    reads,
    totals.map((sums) => sums.map((s) => (count > 0 && Number.isFinite(s) ? s / count : 0))),
  );
}

/**
 * What every channel comes to at the layers that read it when each batch norm gives its beta, as it does where its scale is
 * zero. Where anything else reaches a channel (layers without batch norm), or where it is not the same at all positions, it
 * stands for zero. Found by running the network on noise, twice.
 */
export function betaStandIns(
  analyzed: AnalyzedGraph,
  coupling: Coupling,
  findOperator: FindOperator,
  seed = 0,
): StandIns {
  const reads = readsOf(analyzed, coupling, findOperator);
  const values = reads.map((r) => new Float64Array(r.dims[r.axis] as number));
  if (reads.length === 0) return standInsOf(reads, values);
  const { model, outputs } = statisticsModel(analyzed, withBetas(analyzed, coupling), reads, [
    "ReduceMin",
    "ReduceMax",
  ]);
  using session = createSession(model, { optimization: "disabled" });
  const random = randomNormal(seed);
  const runs = [0, 1].map(() => session.run(randomFeeds(analyzed, random)));
  outputs.forEach((names, i) => {
    const found = runs.flatMap((run) => names.map((n) => floatsOf(run[n] as NonNullable<(typeof run)[string]>)));
    const target = values[i] as Float64Array;
    target.forEach((_, k) => {
      const [first = 0, ...others] = found.map((f) => f[k] as number);
      // Means over space of a constant are off by roundings.
      const near = others.every((v) => Math.abs(v - first) <= 1e-5 * Math.abs(first));
      if (near && Number.isFinite(first)) target[k] = first;
    });
  });
  return standInsOf(reads, values);
}

/** Every batch norm gives its beta whatever it reads; every other layer that weighs channels gives noise. */
function withBetas(analyzed: AnalyzedGraph, coupling: Coupling): Model {
  const { graph, constants, types } = analyzed;
  const freshName = nameGiver(graph);
  const producers = new Set<Node>(coupling.groups.flatMap((g) => g.producers));
  const initializers = [];
  const never = freshName("halp_never");
  initializers.push({
    name: never,
    dtype: "bool" as const,
    dtypeCode: 9,
    dims: [],
    storage: "raw" as const,
    bytes: new Uint8Array(1),
  });
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const [output = ""] = node.outputs;
    const beta = node.opType === "BatchNormalization" ? constants.get(node.inputs[2] ?? "") : undefined;
    const rank = types.get(output)?.dims.length ?? 0;
    if (beta?.dtype === "float32" && rank >= 2) {
      const name = freshName(`${output}_beta`);
      const plain = freshName(`${output}_plain`);
      const dims = [1, sizeOf(beta.dims), ...new Array<number>(rank - 2).fill(1)];
      initializers.push(float32Tensor(name, dims, float32Of(beta)));
      nodes.push(
        { ...node, outputs: [plain, ...node.outputs.slice(1)] },
        plainNode("Where", [never, plain, name], output),
      );
    } else if (producers.has(node) && types.get(output)?.dtype === "float32") {
      const plain = freshName(`${output}_plain`);
      nodes.push(
        { ...node, outputs: [plain, ...node.outputs.slice(1)] },
        {
          ...plainNode("RandomNormalLike", [plain], output),
          attributes: new Map([["seed", attr.float(nodes.length)]]),
        },
      );
    } else nodes.push(node);
  }
  return { ...analyzed.model, graph: { ...graph, nodes, initializers: [...graph.initializers, ...initializers] } };
}
