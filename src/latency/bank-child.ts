/** The process in which layers are timed. */
import type { Node } from "../graph/ir.js";
import {
  isLarge,
  lowerMean,
  type ModelSource,
  pinThreads,
  profileKernels,
  profileModel,
  randomFeeds,
  runtimeVersion,
  serveParent,
} from "../runtime/index.js";
import { attributeKernels, type RawLayer, readerNs } from "./attribute.js";
import { buildBank } from "./bank.js";
import type { LayerConfig } from "./config.js";
import { type Calibration, calibrate, probeTraits, referenceLayer, referenceNs } from "./probes.js";
import type { RuntimeTraits } from "./traits.js";

export interface ProbeReply {
  readonly runtimeVersion: string;
  readonly traits: RuntimeTraits;
  readonly calibration: Calibration;
}
export interface BankTask {
  readonly configs: readonly LayerConfig[];
  readonly threads: number;
  /** Time to spend on runs, in nanoseconds; between the least and the greatest number of runs. */
  readonly targetNs: number;
  readonly minRuns: number;
  readonly maxRuns: number;
}
export interface BankReply {
  /** As many as configurations. */
  readonly layers: readonly RawLayer[];
  /** Nanoseconds of the reference layer. */
  readonly referenceNs: number;
  /** What a node that does nothing took, the profiler's cost included. */
  readonly idleNs: number | undefined;
}

export interface WholeTask {
  readonly model: ModelSource;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly threads: number;
}
export interface WholeReply {
  /** Of the network as the runtime rewrote it; without inputs and outputs, where it is large. Nanoseconds with the profiler's cost. */
  readonly kernels: readonly (Pick<Node, "name" | "opType" | "inputs" | "outputs"> & { readonly ns: number })[];
}

serveParent({
  pin: pinThreads,
  probe: ({ threads }: { threads: number }): ProbeReply => ({
    runtimeVersion: runtimeVersion(),
    traits: probeTraits(),
    calibration: calibrate(threads),
  }),
  measure: (task: BankTask): BankReply => {
    const configs = [...task.configs, { ...referenceLayer, opset: task.configs.find((c) => c.opset > 0)?.opset ?? 13 }];
    const bank = buildBank(configs);
    const profile = profileModel(bank.model, bank.feeds, {
      threads: task.threads,
      runs: (once) => Math.round(Math.min(task.maxRuns, Math.max(task.minRuns, task.targetNs / once))),
    });
    const layers = attributeKernels(profile, configs, bank.prefixOf);
    return {
      layers: layers.slice(0, -1),
      referenceNs: referenceNs(profile, bank.prefixOf(task.configs.length)),
      idleNs: readerNs(profile),
    };
  },
  whole: ({ model, inputs, threads }: WholeTask): WholeReply => {
    const runs = (once: number) => Math.round(Math.min(400, Math.max(8, 3e8 / once)));
    const feeds = randomFeeds(model, inputs);
    if (isLarge(model))
      return {
        kernels: profileKernels(model, feeds, { threads, runs }).map(({ name, opType, ns }) => {
          return { name, opType, inputs: [], outputs: [], ns: lowerMean(ns) };
        }),
      };
    const { kernels, optimized } = profileModel(model, feeds, { threads, runs });
    const nodes = new Map(optimized.graph.nodes.map((n) => [n.name, n]));
    return {
      kernels: kernels.map(({ name, opType, ns }) => {
        const { inputs = [], outputs = [] } = nodes.get(name) ?? {};
        return { name, opType, inputs, outputs, ns: lowerMean(ns) };
      }),
    };
  },
});
