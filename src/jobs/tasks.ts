/**
 * Work that can be done on another machine, and how it is done here. A task says all that it needs; models it names by the
 * SHA-256 of their bytes.
 */
import { HalpError } from "../errors.js";
import { isNumber, isObject, type JsonObject } from "../json.js";
import {
  type BankOptions,
  type Item,
  isTableDevice,
  type LayerConfig,
  layerKey,
  type Meter,
  openMeter,
  Patience,
  type TableDevice,
  type TableEntry,
} from "../latency/index.js";
import { type InputDims, type ModelTimings, measureModels, type Pin } from "../runtime/index.js";

/** How layers are timed. */
export interface MeterTask {
  /** Threads that the network runs on. */
  readonly threads: number;
  readonly pin: Pin;
  /** Milliseconds to wait for other work on the machine to pause. */
  readonly patienceMs?: number;
  readonly bankMs?: number;
  readonly bankLayers?: number;
}

export interface MeasureLayersTask extends MeterTask {
  /** That of the table, as the same machine described it. */
  readonly device: TableDevice;
  readonly layers: readonly Item[];
}

export interface MeasureModelsTask {
  /** SHA-256 of each, in hexadecimal. */
  readonly models: readonly string[];
  readonly inputs: InputDims;
  readonly threads: number;
  readonly pin: Pin;
  readonly seed: number;
  readonly samples?: number;
  readonly limitMs?: number;
}

export interface Tasks {
  /** What a table needs to know of the device. */
  readonly describe: { readonly task: MeterTask; readonly result: TableDevice };
  /** Layers in groups that belong together. */
  readonly "measure-layers": { readonly task: MeasureLayersTask; readonly result: readonly [string, TableEntry][] };
  /** Whole networks against each other. */
  readonly "measure-models": { readonly task: MeasureModelsTask; readonly result: ModelTimings };
}
export type TaskName = keyof Tasks;
export type TaskOf<N extends TaskName> = Tasks[N]["task"];
export type ResultOf<N extends TaskName> = Tasks[N]["result"];

/** What a task is done with. */
export interface TaskContext {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  /** The bytes of a model. @throws HalpError HALP_JOB_DATA where nobody has them */
  readonly model: (sha256: string) => Promise<Uint8Array>;
}

/** Does tasks on this machine; keeps what times layers between them. */
export interface Performer extends Disposable {
  /** @throws HalpError HALP_JOB_TASK where the task is none of its kind; what the work itself refuses */
  perform<N extends TaskName>(name: N, task: unknown, context: TaskContext): Promise<ResultOf<N>>;
}

/** @param name of the device: machines that are alike are told apart by it, also in what is kept of them */
export function createPerformer(name: string): Performer {
  let kept: { readonly key: string; readonly meter: Meter } | undefined;
  const letGo = () => {
    kept?.meter[Symbol.dispose]();
    kept = undefined;
  };
  const meterFor = async (task: MeterTask, { warn }: TaskContext): Promise<Meter> => {
    const key = JSON.stringify(task);
    if (kept?.key === key) return kept.meter;
    letGo();
    const { threads, pin, patienceMs, bankMs, bankLayers } = task;
    const options: BankOptions = {
      patience: new Patience(patienceMs),
      ...(bankMs === undefined ? {} : { bankMs }),
      ...(bankLayers === undefined ? {} : { bankLayers }),
    };
    const meter = await openMeter({ kind: "cpu" }, { threads, pin, gpu: {}, onWarning: warn, ...options });
    kept = { key, meter };
    return meter;
  };
  const work: { readonly [N in TaskName]: (task: unknown, context: TaskContext) => Promise<ResultOf<N>> } = {
    describe: async (task, context) => {
      const meter = await meterFor(meterTask(task), context);
      const device = await meter.describe();
      return { ...device, fingerprint: namedFingerprint(device.fingerprint, name) };
    },
    "measure-layers": async (task, context) => {
      const { device, layers } = layersTask(task);
      const meter = await meterFor(meterTask(task), context);
      if (namedFingerprint(meter.fingerprint, name) !== device.fingerprint)
        throw new HalpError(
          "HALP_TABLE_DEVICE",
          `The latency table was begun on ${device.cpu} with ${device.runtime.name} ${device.runtime.version}, and this worker has become another since. Begin the table anew.`,
        );
      const entries: [string, TableEntry][] = [];
      for (const group of meter.groupsOf(layers)) {
        entries.push(...(await meter.measure(device, group)));
        context.onProgress(entries.length, layers.length);
      }
      return entries;
    },
    "measure-models": async (task, { signal, warn, onProgress, model }) => {
      const { models, inputs, threads, pin, seed, samples, limitMs } = modelsTask(task);
      // Nothing else may be timed while these are.
      letGo();
      const sources = await Promise.all(models.map(model));
      return await measureModels(sources, {
        ...{ inputs, threads, pin, seed, signal, onProgress, onWarning: warn },
        ...(samples === undefined ? {} : { samples }),
        ...(limitMs === undefined ? {} : { limitMs }),
      });
    },
  };
  return {
    perform: async (what, task, context) => {
      if (!Object.hasOwn(work, what)) throw wrong(`there is no task "${String(what).slice(0, 100)}"`);
      const { signal } = context;
      signal.throwIfAborted();
      // The process that measures outlives a task, but not one that is broken off.
      signal.addEventListener("abort", letGo, { once: true });
      try {
        return await work[what](task, context);
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      } finally {
        signal.removeEventListener("abort", letGo);
      }
    },
    [Symbol.dispose]: letGo,
  };
}

/** The fingerprint of a device that goes by a name. */
export const namedFingerprint = (fingerprint: string, name: string): string => `${fingerprint}@${name}`;

function wrong(why: string): HalpError {
  return new HalpError("HALP_JOB_TASK", `The job cannot be done: ${why}.`, { exitCode: 1 });
}

const isCount = (x: unknown, most: number): x is number =>
  Number.isInteger(x) && (x as number) >= 1 && (x as number) <= most;
const isTime = (x: unknown): boolean => x === undefined || (isNumber(x) && x >= 0 && x <= 86_400_000);
const mostThreads = 1024;

/** "auto", "none" or a list of cores. */
function isPin(x: unknown): x is Pin {
  if (typeof x === "string") return x === "auto" || x === "none";
  return Array.isArray(x) && x.every((core) => Number.isInteger(core) && core >= 0);
}

function meterTask(task: unknown): MeterTask {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { threads, pin, patienceMs, bankMs, bankLayers } = task;
  if (!isCount(threads, mostThreads) || !isPin(pin)) throw wrong("its threads or cores are none");
  if (![patienceMs, bankMs].every(isTime)) throw wrong("its times are none");
  if (bankLayers !== undefined && !isCount(bankLayers, 10_000)) throw wrong("its bank is none");
  return {
    threads,
    pin,
    ...(patienceMs === undefined ? {} : { patienceMs: patienceMs as number }),
    ...(bankMs === undefined ? {} : { bankMs: bankMs as number }),
    ...(bankLayers === undefined ? {} : { bankLayers: bankLayers as number }),
  };
}

function layersTask(task: unknown): Pick<MeasureLayersTask, "device" | "layers"> {
  const { device, layers } = task as JsonObject;
  if (!isTableDevice(device)) throw wrong("its device is incomplete");
  if (!Array.isArray(layers) || !layers.every(isItem)) throw wrong("a layer does not fit its key");
  return { device, layers };
}

function isItem(x: unknown): x is Item {
  if (!Array.isArray(x) || x.length !== 2) return false;
  try {
    return layerKey(x[1] as LayerConfig) === x[0];
  } catch {
    return false;
  }
}

function modelsTask(task: unknown): MeasureModelsTask {
  if (!isObject(task)) throw wrong("it holds nothing");
  const { models, inputs, threads, pin, seed, samples, limitMs } = task;
  const areHashes = Array.isArray(models) && models.length > 0 && models.length <= 16 && models.every(isHash);
  if (!areHashes) throw wrong("its models are none");
  if (!isObject(inputs) || !Object.values(inputs).every(isDims)) throw wrong("the dims of its inputs are none");
  if (!isCount(threads, mostThreads) || !isPin(pin) || !Number.isInteger(seed))
    throw wrong("its threads or cores are none");
  if ((samples !== undefined && !isCount(samples, 1e6)) || !isTime(limitMs)) throw wrong("its samples are none");
  return task as unknown as MeasureModelsTask;
}

const isDims = (x: unknown): boolean => Array.isArray(x) && x.every((d) => Number.isInteger(d) && d >= 0);
export const isHash = (x: unknown): x is string => typeof x === "string" && /^[0-9a-f]{64}$/.test(x);
