/** A device to measure on: another machine, reached through its worker. */
import { HalpError } from "../errors.js";
import type { Model } from "../graph/ir.js";
import {
  banksOf,
  type Item,
  isTableEntry,
  type Meter,
  type RemoteMeter,
  type TableDevice,
  type TableEntry,
} from "../latency/index.js";
import { encodeModel } from "../onnx/index.js";
import { type MeasureOptions, type ModelTimings, measureModels } from "../runtime/index.js";
import { hashOf } from "./blobs.js";
import type { Fleet } from "./fleet.js";
import type { WorkerInfo } from "./names.js";

/** Where whole networks are measured. */
export interface ModelBench {
  /** What users call the device. */
  readonly name: string;
  /** Times models by turns. */
  measureModels(models: readonly Model[], options: MeasureOptions): Promise<ModelTimings>;
}

/** This machine. */
export const benchHere: ModelBench = { name: "here", measureModels };

/** Another machine, where layers are measured, too. Here the meters of the latency room do that. */
export interface Bench extends ModelBench {
  /** Whether whole networks can be measured there, and not only layers. */
  readonly takesModels: boolean;
  readonly openMeter: RemoteMeter;
}

/** @throws HalpError as {@link Fleet.send} */
export function benchOn(fleet: Fleet, { name, device: timedOn }: Pick<WorkerInfo, "name" | "device">): Bench {
  const described = new Map<string, TableDevice>();
  return {
    name,
    takesModels: timedOn === "cpu",
    openMeter: async (options) => {
      const { threads, pin, patienceMs, bankMs, bankLayers, signal, onWarning } = options;
      const how = {
        ...{ threads, pin },
        ...(patienceMs === undefined ? {} : { patienceMs }),
        ...(bankMs === undefined ? {} : { bankMs }),
        ...(bankLayers === undefined ? {} : { bankLayers }),
      };
      const controls = { ...(signal ? { signal } : {}), ...(onWarning ? { onWarning } : {}) };
      const key = JSON.stringify(how);
      const device = described.get(key) ?? (await fleet.send(name, "describe", how, controls));
      described.set(key, device);
      return {
        fingerprint: device.fingerprint,
        describe: async () => device,
        groupsOf: (items) => banksOf(items, bankLayers),
        measure: async (of, layers) => {
          const entries = await fleet.send(name, "measure-layers", { ...how, device: of, layers }, controls);
          return checkEntries(name, layers, entries);
        },
        [Symbol.dispose]: () => {},
      } satisfies Meter;
    },
    measureModels: async (models, options) => {
      const {
        signal,
        onProgress,
        onWarning,
        inputs = {},
        threads = 1,
        pin = "auto",
        seed = 0,
        samples,
        limitMs,
      } = options;
      const encoded = models.map((model) => encodeModel(model));
      const hashes = encoded.map(hashOf);
      const task = {
        models: hashes,
        ...{ inputs, threads, pin, seed },
        ...(samples === undefined ? {} : { samples }),
        ...(limitMs === undefined ? {} : { limitMs }),
      };
      return await fleet.send(name, "measure-models", task, {
        blobs: new Map(hashes.map((sha256, i) => [sha256, encoded[i] as Uint8Array])),
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress } : {}),
        ...(onWarning ? { onWarning } : {}),
      });
    },
  };
}

/** What a worker measured goes into tables and caches: it has to be what was asked for. @throws HalpError HALP_JOB_RESULT */
function checkEntries(name: string, layers: readonly Item[], entries: unknown): [string, TableEntry][] {
  const asked = new Set(layers.map(([key]) => key));
  const isAnswer = (e: unknown) => Array.isArray(e) && asked.has(e[0]) && isTableEntry(e[0], e[1]);
  if (Array.isArray(entries) && entries.length === layers.length && entries.every(isAnswer)) return entries;
  throw new HalpError("HALP_JOB_RESULT", `${name} answers with other layers than it was asked for, or with no times.`, {
    name,
    exitCode: 1,
  });
}
