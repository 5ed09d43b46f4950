/** What times layers on one kind of device, always in a process of its own. */
import type { Pin } from "../runtime/index.js";
import type { LayerConfig } from "./config.js";
import type { GpuForm, TableDevice } from "./device.js";
import type { TableEntry } from "./table.js";

/** A layer with its key. */
export type Item = readonly [key: string, config: LayerConfig];

export interface MeterOptions {
  /** Threads that the network runs on. */
  readonly threads: number;
  readonly pin: Pin;
  readonly gpu: GpuOptions;
  readonly signal?: AbortSignal;
  readonly onWarning?: (message: string) => void;
}

export interface GpuOptions extends Partial<GpuForm> {
  /** Names or paths of the driver's and cuDNN's library, where they are not the usual ones. */
  readonly libraries?: { readonly cuda?: string; readonly cudnn?: string };
}

export interface Meter extends Disposable {
  /** Of the device that it times on; what was measured under the same may be kept. */
  readonly fingerprint: string;
  /** Finds out what a table needs to know of the device. */
  describe(): Promise<TableDevice>;
  /** The layers in groups that are measured, and kept, at once. */
  groupsOf(items: readonly Item[]): Item[][];
  /** @param device that of the table */
  measure(device: TableDevice, group: readonly Item[]): Promise<[string, TableEntry][]>;
}

/** Opens what times layers on another machine, where they are timed as they would be here. */
export type RemoteMeter = (
  options: MeterOptions & {
    readonly patienceMs?: number;
    readonly bankMs?: number;
    readonly bankLayers?: number;
  },
) => Promise<Meter>;

/** A change of the reference layer beyond this is taken for a drift of the device, and taken out. */
const driftLimit = 0.05;

/** What times are multiplied by to undo a drift. */
export function driftOf(device: TableDevice, referenceNs: number): number {
  const speed = device.referenceNs / referenceNs;
  return Math.abs(speed - 1) > driftLimit ? speed : 1;
}
