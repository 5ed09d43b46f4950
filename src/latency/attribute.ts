/** Which kernels of a bank's run belong to which layer. */
import type { Model, Node } from "../graph/ir.js";
import { lowerMean, type Profile, type Samples, summarize } from "../runtime/index.js";
import { type LayerConfig, layoutDomain } from "./config.js";

export interface RawLayer {
  /** Nanoseconds, profiler's cost included: mean of the lower half of the runs. */
  readonly lower: number;
  readonly samples: Samples;
  /** Number of kernels that the runtime makes of the layer. */
  readonly kernels: number;
  /** Whether inputs and results had the layouts that the configuration says. */
  readonly layoutAsExpected: boolean;
}

/** The kernels of one layer in the graph that the runtime made of a bank. */
export interface LayerKernels {
  readonly nodes: readonly Node[];
  /** Whether inputs and results had the layouts that the configuration says. */
  readonly layoutAsExpected: boolean;
}

/** Splits the optimised graph of a bank into its layers, by following it from readers, and from what leaves it, back to makers. */
export function layerKernels(
  optimized: Model,
  configs: readonly LayerConfig[],
  prefixOf: (layer: number) => string,
): LayerKernels[] {
  const producer = new Map<string, Node>();
  const readers = new Map<string, Node[]>();
  for (const n of optimized.graph.nodes) {
    for (const o of n.outputs) if (o !== "") producer.set(o, n);
    const layer = /^(L\d+_)reader/.exec(n.name)?.[1];
    if (layer !== undefined) readers.set(layer, [...(readers.get(layer) ?? []), n]);
  }
  return configs.map((config, i) => {
    const prefix = prefixOf(i);
    const leaving = new Map<number, string>();
    config.results.forEach((r, j) => {
      const [, node, output = "0"] = /^n(\d+)(?:\.(\d+))?$/.exec(r.value) ?? [];
      if (r.leaves && node !== undefined) leaving.set(j, `${prefix}n${node}_${output}`);
    });
    const found = collect(readers.get(prefix) ?? [], leaving, producer, prefix);
    return boundary(config, found, prefix, producer);
  });
}

/**
 * Mean time of the readers' own Reshape nodes. They do nothing, so this is what the profiler costs in this company, caches
 * as cold as the layers leave them. Undefined where the runtime has removed them all.
 */
export function readerNs(profile: Profile): number | undefined {
  const times = profile.kernels.filter((k) => /^L\d+_reader\d+$/.test(k.name)).map((k) => lowerMean(k.ns));
  return times.length > 0 ? times.reduce((sum, t) => sum + t, 0) / times.length : undefined;
}

/** Times of the layers of a bank. */
export function attributeKernels(
  profile: Profile,
  configs: readonly LayerConfig[],
  prefixOf: (layer: number) => string,
): RawLayer[] {
  const times = new Map(profile.kernels.map((k) => [k.name, k.ns]));
  return layerKernels(profile.optimized, configs, prefixOf).map(({ nodes, layoutAsExpected }) => {
    const known = nodes.map((n) => times.get(n.name)).filter((t) => t !== undefined);
    const runs = Math.min(...known.map((t) => t.length));
    const sums = new Float64Array(Number.isFinite(runs) ? runs : 1);
    for (const t of known) for (let r = 0; r < sums.length; r++) sums[r] = (sums[r] ?? 0) + (t[r] ?? 0);
    return {
      lower: lowerMean(sums),
      samples: summarize(sums),
      kernels: known.length,
      layoutAsExpected: layoutAsExpected && known.length === nodes.length,
    };
  });
}

interface Found {
  /** Between makers and readers. */
  readonly nodes: ReadonlySet<Node>;
  /** What a reader reads, by the reader's number. */
  readonly read: ReadonlyMap<number, Node>;
}

/** @param leaving values that leave the bank, by the number of the result */
function collect(
  readers: readonly Node[],
  leaving: ReadonlyMap<number, string>,
  producer: ReadonlyMap<string, Node>,
  prefix: string,
): Found {
  const nodes = new Set<Node>();
  const read = new Map<number, Node>();
  const visit = (value: string, reader: number | undefined): void => {
    const n = producer.get(value);
    if (!n) return;
    if (n.name.startsWith(`${prefix}reader`)) return;
    if (reader !== undefined) read.set(reader, n);
    if (n.name.startsWith(`${prefix}maker`) || nodes.has(n)) return;
    nodes.add(n);
    for (const i of n.inputs) visit(i, undefined);
  };
  for (const r of readers) {
    const number = Number(/reader(\d+)/.exec(r.name)?.[1] ?? 0);
    for (const i of r.inputs) visit(i, number);
  }
  for (const [number, value] of leaving) visit(value, number);
  return { nodes, read };
}

/** Changes of layout at the edges: those that a neighbour accounts for do not count. */
function boundary(
  config: LayerConfig,
  found: Found,
  prefix: string,
  producer: ReadonlyMap<string, Node>,
): LayerKernels {
  const isChange = (n: Node | undefined): boolean => n?.domain === layoutDomain && n.opType.startsWith("Reorder");
  if (config.nodes.every((n) => n.domain === layoutDomain)) {
    const counted = [...found.nodes].filter((n) => n.opType === config.nodes[0]?.opType);
    return { nodes: counted, layoutAsExpected: counted.length === 1 && found.nodes.size === 1 };
  }
  let layoutAsExpected = true;
  const counted = new Set(found.nodes);
  config.results.forEach((r, j) => {
    const last = found.read.get(j);
    if (r.layout === "blocked") {
      if (last && isChange(last)) counted.delete(last);
      else layoutAsExpected = false;
    } else if (isChange(last) && config.nodes.at(-1)?.opType !== "Transpose") layoutAsExpected = false;
  });
  for (const n of counted) {
    if (!isChange(n)) continue;
    const from = producer.get(n.inputs[0] ?? "");
    if (from?.name.startsWith(`${prefix}maker`) && config.nodes[0]?.opType !== "Transpose") layoutAsExpected = false;
  }
  return { nodes: [...counted], layoutAsExpected };
}
