/** How tasks are done on this machine. */
import { HalpError } from "../errors.js";
import {
  type BankOptions,
  type DeviceChoice,
  type GpuOptions,
  type Meter,
  openMeter,
  Patience,
  type TableEntry,
} from "../latency/index.js";
import { type Child, measureModels, spawnChild } from "../runtime/index.js";
import { evaluateTask, layersTask, meterTask, modelsTask, passTask, scoreTask, wrong } from "./check-task.js";
import { permitted } from "./data-access.js";
import {
  type MeterTask,
  namedFingerprint,
  type PassResult,
  type ResultOf,
  type TaskContext,
  type TaskName,
} from "./tasks.js";

/** Does tasks on this machine; keeps the processes that do them. */
export interface Performer extends Disposable {
  /** @throws HalpError HALP_JOB_TASK where the task is none of its kind; what the work itself refuses */
  perform<N extends TaskName>(name: N, task: unknown, context: TaskContext): Promise<ResultOf<N>>;
}

/** What a worker stands for. */
export interface Place {
  /** Of the device: machines that are alike are told apart by it, also in what is kept of them. */
  readonly name: string;
  /** Folders and addresses that data may lie below. */
  readonly roots: readonly string[];
  /** What layers are timed on. */
  readonly device: DeviceChoice;
  readonly gpu: GpuOptions;
}

export function createPerformer({ name, roots, device: choice, gpu }: Place): Performer {
  let kept: { readonly key: string; readonly meter: Meter } | undefined;
  let shards: Child | undefined;
  const letGo = () => {
    kept?.meter[Symbol.dispose]();
    kept = undefined;
    shards?.dispose();
    shards = undefined;
  };
  /** Has the child do a task, with the blobs that it names. */
  const inChild = async <R>(
    what: TaskName,
    task: object,
    blobs: readonly string[],
    context: TaskContext,
  ): Promise<R> => {
    if (kept) letGo();
    shards ??= spawnChild(new URL("./shard-child.js", import.meta.url));
    const child = shards;
    try {
      for (const sha256 of await child.request<string[]>("missing", blobs))
        await child.request("bring", { sha256, bytes: await context.blob(sha256) });
      return await child.request<R>(what, task);
    } catch (error) {
      // One that has ended is of no use to the next task.
      if (error instanceof HalpError && error.code === "HALP_CHILD_ENDED") letGo();
      throw error;
    }
  };
  const meterFor = async (task: MeterTask, { warn }: TaskContext): Promise<Meter> => {
    const key = JSON.stringify(task);
    if (kept?.key === key) return kept.meter;
    // Nothing else may be at work while something is timed.
    letGo();
    const { threads, pin, patienceMs, bankMs, bankLayers } = task;
    const options: BankOptions = {
      patience: new Patience(patienceMs),
      ...(bankMs === undefined ? {} : { bankMs }),
      ...(bankLayers === undefined ? {} : { bankLayers }),
    };
    const meter = await openMeter(choice, { threads, pin, gpu, onWarning: warn, ...options });
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
    "measure-models": async (task, { signal, warn, onProgress, blob }) => {
      const { models, inputs, threads, pin, seed, samples, limitMs } = modelsTask(task);
      if (choice.kind !== "cpu") throw noModels(name);
      letGo();
      const sources = await Promise.all(models.map(blob));
      return await measureModels(sources, {
        ...{ inputs, threads, pin, seed, signal, onProgress, onWarning: warn },
        ...(samples === undefined ? {} : { samples }),
        ...(limitMs === undefined ? {} : { limitMs }),
      });
    },
    score: async (task, context) => {
      const checked = scoreTask(task);
      const data = await permitted(checked.data, roots);
      return await inChild("score", { ...checked, data }, [checked.graph, checked.recipe], context);
    },
    evaluate: async (task, context) => {
      const checked = evaluateTask(task);
      const data = await permitted(checked.data, roots);
      return await inChild("evaluate", { ...checked, data }, [checked.model], context);
    },
    pass: async (task, context) => {
      const checked = passTask(task);
      const data = await permitted(checked.data, roots);
      const { graph, recipe, weights } = checked;
      const [result, packed] = await inChild<[Omit<PassResult, "packed">, Uint8Array]>(
        "pass",
        { ...checked, data },
        [graph, recipe, weights],
        context,
      );
      return { ...result, packed: await context.give(packed) };
    },
  };
  return {
    perform: async (what, task, context) => {
      if (!Object.hasOwn(work, what)) throw wrong(`there is no task "${String(what).slice(0, 100)}"`);
      const { signal } = context;
      signal.throwIfAborted();
      // The process that does a task outlives it, but not one that is broken off.
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

/** What is said to whoever wants whole networks timed by a worker that stands for a GPU. */
export function noModels(name: string): HalpError {
  return new HalpError(
    "HALP_DEVICE_OPTION",
    `${name} stands for a GPU, where layers are timed, not whole networks. Have it fill a table (halp profile MODEL --device ${name} --redis URL -o gpu.json), and plan by that: halp prune MODEL --table gpu.json`,
    { name },
  );
}
