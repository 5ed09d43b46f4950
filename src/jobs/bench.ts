/** A device to measure on: another machine, reached through its worker. */
import type { Model } from "../graph/ir.js";
import { banksOf, type Meter, type RemoteMeter, type TableDevice } from "../latency/index.js";
import { encodeModel } from "../onnx/index.js";
import type { InputDims, MeasureOptions, ModelTimings } from "../runtime/index.js";
import { type Fleet, hashOf } from "./fleet.js";

/** One set of dims for all models. */
export type BenchOptions = Omit<MeasureOptions, "inputs"> & { readonly inputs?: InputDims };

/** Where a run measures, if not on this machine. */
export interface Bench {
  /** What users call the device. */
  readonly name: string;
  readonly openMeter: RemoteMeter;
  /** Times models by turns, as it is done here. */
  measureModels(models: readonly Model[], options: BenchOptions): Promise<ModelTimings>;
}

/** @throws HalpError as {@link Fleet.send} */
export function benchOn(fleet: Fleet, name: string): Bench {
  const described = new Map<string, TableDevice>();
  return {
    name,
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
        measure: async (of, layers) => [
          ...(await fleet.send(name, "measure-layers", { ...how, device: of, layers }, controls)),
        ],
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
        models: new Map(hashes.map((sha256, i) => [sha256, encoded[i] as Uint8Array])),
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress } : {}),
        ...(onWarning ? { onWarning } : {}),
      });
    },
  };
}
