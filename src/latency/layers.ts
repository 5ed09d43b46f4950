/** Each layer of a whole network, as predicted and as it runs, so that a prediction that fails can be explained. */
import type { Model } from "../graph/ir.js";
import { isLarge, type Pin, type Pinned, type PinTask, spawnChild, storeModel } from "../runtime/index.js";
import type { WholeReply, WholeTask } from "./bank-child.js";
import type { Network, Segment } from "./network.js";
import { networkLayers } from "./segment-config.js";
import { type LatencyTable, lookup, missingKeys } from "./table.js";

export interface LayerTimes {
  /** Name of the layer's first node. */
  readonly name: string;
  /** "Conv+BatchNormalization+Relu" */
  readonly operators: string;
  /** From the table, changes of layout behind the layer included; null where it has no entry. */
  readonly predictedNs: number | null;
  /** In a run of the whole network, less what the profiler costs; null where it was not measured. */
  readonly measuredNs: number | null;
}

export interface NetworkLayers {
  /** In the order in which they run. */
  readonly layers: readonly LayerTimes[];
  /** Kernels that belong to no layer: what the runtime does to add activations whose extents it does not know. */
  readonly unattributedNs: number | null;
}

/** Profiles of a network, of each kernel the best of which counts. */
const turns = 3;

/** What the table says of each layer of a network. */
export function predictLayers(network: Network, table: LatencyTable): NetworkLayers {
  const layers = networkLayers(network, { dimsOf: () => undefined }).map(({ segment, configs }): LayerTimes => {
    const isKnown = missingKeys(table, configs).length === 0;
    return {
      name: segment.name,
      operators: segment.nodes.map((n) => n.opType).join("+") || "input",
      predictedNs: isKnown ? configs.reduce((ns, c) => ns + lookup(table, c), 0) : null,
      measuredNs: null,
    };
  });
  return { layers, unattributedNs: null };
}

/**
 * As {@link predictLayers}, and what each layer takes in a run of the network on this machine.
 * @throws HalpError HALP_RUNTIME_LOAD, HALP_CHILD_ENDED, HALP_PIN
 */
export async function measureLayers(
  network: Network,
  table: LatencyTable,
  options: { readonly pin?: Pin; readonly signal?: AbortSignal } = {},
): Promise<NetworkLayers> {
  const { analyzed } = network;
  const { calibration, threads } = table.device;
  using stored = storeModel(named(analyzed.model));
  using child = spawnChild(new URL("./bank-child.js", import.meta.url), {
    ...(options.signal ? { signal: options.signal } : {}),
    freeMemory: isLarge(stored.source) ? "return-large" : "keep",
  });
  await child.request<Pinned>("pin", { pin: options.pin ?? "auto", threads } satisfies PinTask);
  const task: WholeTask = {
    model: stored.source,
    inputs: Object.fromEntries(analyzed.inputDims),
    threads,
  };
  const profiles: WholeReply[] = [];
  for (let turn = 0; turn < turns; turn++) profiles.push(await child.request<WholeReply>("whole", task));
  const { layers } = predictLayers(network, table);
  const times = new Map<Segment, number>();
  const owner = ownersOf(network);
  let unattributedNs = 0;
  for (const [k, kernel] of (profiles[0]?.kernels ?? []).entries()) {
    // disturbance only ever adds
    const best = Math.min(...profiles.map(({ kernels }) => kernels[k]?.ns ?? Number.POSITIVE_INFINITY));
    const ns = Math.max(0, best - calibration.nodeNs);
    const segment = owner(kernel);
    if (segment) times.set(segment, (times.get(segment) ?? 0) + ns);
    else unattributedNs += ns;
  }
  return {
    layers: layers.map((layer, i) => ({
      ...layer,
      measuredNs: Math.round(times.get(network.segments[i] as Segment) ?? 0),
    })),
    unattributedNs: Math.round(unattributedNs),
  };
}

/** Finds the layer that a kernel of the optimised network belongs to. */
function ownersOf(network: Network): (kernel: WholeReply["kernels"][number]) => Segment | undefined {
  const makes = new Map<string, Segment>();
  const holds = new Map<string, Segment>();
  for (const s of network.segments) {
    for (const o of s.outputs) makes.set(o, s);
    for (const n of s.nodes) {
      holds.set(nameOf(n.name, n.outputs), s);
      for (const o of n.outputs) makes.set(o, s);
    }
  }
  const first = (values: readonly string[]) => values.map((v) => makes.get(v)).find((s) => s !== undefined);
  return ({ name, opType, inputs, outputs }) =>
    // The runtime names what it makes of a convolution in blocks after the value that it makes.
    makes.get(name.replace(/_nchwc$/, "")) ??
    first(outputs) ??
    holds.get(name) ??
    (opType === "ReorderInput" ? first(inputs) : undefined);
}

/** Nodes without a name are called after what they make: the runtime's profile tells kernels by names. */
function named(model: Model): Model {
  const { graph } = model;
  return {
    ...model,
    graph: { ...graph, nodes: graph.nodes.map((n) => ({ ...n, name: nameOf(n.name, n.outputs) })) },
  };
}

function nameOf(name: string, outputs: readonly string[]): string {
  return name === "" ? `makes ${outputs.find((o) => o !== "") ?? ""}` : name;
}
