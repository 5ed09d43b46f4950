/** The devices that workers stand for, and work sent to one of them. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { didYouMean, HalpError } from "../errors.js";
import { parseJson } from "../json.js";
import { atMost } from "./at-most.js";
import { hashOf, putBlob, readBlob } from "./blobs.js";
import { type Line, openLine, pollMs, type Recipient, type SendOptions } from "./line.js";
import {
  aliveSeconds,
  blobKey,
  blobSeconds,
  type JobData,
  queueOf,
  shardQueue,
  type WorkerInfo,
  workerKey,
} from "./names.js";
import { connectRedis, type RedisConnection } from "./redis.js";
import type { ResultOf, TaskName, TaskOf } from "./tasks.js";
import { halpVersion } from "./version.js";

const version = halpVersion();

export interface FleetOptions {
  readonly redis: string;
  /**
   * Milliseconds that a device may be silent while work of ours lies there, that workers may be gone between two tasks, and
   * that Redis may be away. Default 60,000.
   */
  readonly silenceMs?: number;
}

/** A worker, and how long ago it gave its last sign of life. */
export interface DeviceInfo extends WorkerInfo {
  readonly silentSeconds: number;
}

export interface Fleet extends AsyncDisposable {
  /** All devices with a living worker, by name. */
  devices(): Promise<readonly DeviceInfo[]>;
  /** The device of this name. @throws HalpError HALP_DEVICE_UNKNOWN, HALP_WORKER_VERSION */
  find(name: string): Promise<WorkerInfo>;
  /**
   * Living workers of this version that score and evaluate. Were there some before, they are waited for.
   * @throws HalpError HALP_NO_WORKERS where there are none; the signal's reason on abort
   */
  workers(options?: Pick<SendOptions, "signal" | "onWarning">): Promise<readonly WorkerInfo[]>;
  /**
   * Has a device do a task. Restarts of the worker and of Redis are waited out; the task may be done more than once then, and
   * one of the results counts.
   * @throws HalpError HALP_DEVICE_UNKNOWN, HALP_WORKER_VERSION, HALP_DEVICE_SILENT, HALP_JOB_STALLED, HALP_REDIS; what the
   *   task itself refuses; the signal's reason on abort
   */
  send<N extends TaskName>(device: string, name: N, task: TaskOf<N>, options?: SendOptions): Promise<ResultOf<N>>;
  /**
   * Has all workers that read data do tasks, each by whoever is free. Results come in the order of the tasks.
   * @param next makes the next task, knowing how many workers there are; undefined after the last
   * @throws HalpError HALP_NO_WORKERS; and as {@link send}
   */
  share<N extends TaskName>(
    name: N,
    next: (workers: number) => TaskOf<N> | undefined,
    options?: SendOptions,
  ): AsyncGenerator<ResultOf<N>>;
  /** What a worker laid down for this run. It is gone from there then. @throws HalpError HALP_JOB_GONE */
  take(sha256: string): Promise<Uint8Array>;
}

const takesShards = (worker: WorkerInfo): boolean => Array.isArray(worker.data) && worker.version === version;

function noWorkers(): HalpError {
  return new HalpError(
    "HALP_NO_WORKERS",
    `No worker of halp ${version} scores and evaluates. Start some, with the folder of the data: halp worker --redis URL --data-root DIR`,
    { exitCode: 1 },
  );
}

/** Of errors that pass once someone is there again. */
const awayCodes: ReadonlySet<string> = new Set(["HALP_DEVICE_UNKNOWN", "HALP_NO_WORKERS"]);
/** Times that a job is put up again whose data or place Redis lost, or whose process was lost on the device. */
const mostAgain = 4;
/** Tasks that lie with the workers at once, for each of them: one is done while the next is on its way. */
const atOnce = 2;
/** Results that may wait for an earlier one, for each worker. */
const mostWaiting = 8;

/** @throws HalpError HALP_JOBS_MISSING, HALP_REDIS_URL, HALP_REDIS */
export async function openFleet({ redis: url, silenceMs = 60_000 }: FleetOptions): Promise<Fleet> {
  const redis = await connectRedis(url, silenceMs);
  const run = randomUUID();
  const lines = new Map<string, Line>();
  const lineTo = (queue: string, to: Recipient): Line => {
    const known = lines.get(queue) ?? openLine(redis, queue, to);
    lines.set(queue, known);
    return known;
  };
  const ending = new AbortController();
  const open = new Set<Promise<unknown>>();
  // Each task that is out listens to it.
  setMaxListeners(0, ending.signal);
  let count = 0;

  const putBlobs = async (blobs: ReadonlyMap<string, Uint8Array>, always: boolean) => {
    for (const [sha256, bytes] of blobs) {
      const key = blobKey(run, sha256);
      if (!always && (await redis.client.expire(key, blobSeconds)) === 1) continue;
      await putBlob(redis.client, key, bytes);
    }
  };

  const dropBlobs = async (hashes: readonly string[]) => {
    const keys = hashes.map((sha256) => blobKey(run, sha256));
    if (keys.length > 0) await atMost(2000, redis.client.del(...keys));
  };

  const sendBy = async <N extends TaskName>(
    line: Line,
    name: N,
    task: TaskOf<N>,
    { blobs: own = new Map<string, Uint8Array>(), kept = new Map<string, Uint8Array>(), ...options }: SendOptions,
  ): Promise<ResultOf<N>> => {
    const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
    const blobs = new Map([...own, ...kept]);
    const data: JobData = { version, run, task };
    const id = `${run}-${++count}`;
    for (let again = 0; ; again++) {
      if (again > 0 || blobs.size > 0) await putBlobs(blobs, again > 0);
      try {
        const {
          result,
          error,
          warnings,
          name: device,
        } = await line.do(name, data, `${id}-${again}`, silenceMs, { ...options, signal });
        for (const warning of warnings) options.onWarning?.(`${device}: ${warning}`);
        if (!error) {
          await options.onResult?.(result);
          return result as never;
        }
        const { code, message, ...fields } = error;
        throw new HalpError(code, `${device}: ${message}`, fields);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!(error instanceof HalpError) || !line.mayPass(error) || again >= mostAgain) throw error;
        await sleep(250 * 2 ** again, undefined, { signal });
      }
    }
  };

  /** Commands wait for a Redis that is away; nobody waits for one that is lost. */
  const whileThere = <T>(work: Promise<T>): Promise<T> => Promise.race([work, redis.lost]);

  /** Work that is broken off when the fleet is closed. */
  const tracked = <T>(work: Promise<T>): Promise<T> => {
    open.add(work);
    const end = () => void open.delete(work);
    work.then(end, end);
    return work;
  };

  /** Devices by name, and "the workers" for those that share. */
  const met = new Set<string>();
  /** Who was there before may have started anew, or Redis have lost its sign of life: it is waited for. */
  const meet = async <T>(
    who: string,
    look: () => Promise<T>,
    { signal: own, onWarning }: Pick<SendOptions, "signal" | "onWarning">,
  ): Promise<T> => {
    const signal = own ? AbortSignal.any([own, ending.signal]) : ending.signal;
    const start = performance.now();
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      try {
        const found = await look();
        met.add(who);
        return found;
      } catch (error) {
        const isAway = error instanceof HalpError && awayCodes.has(error.code);
        if (!isAway || !met.has(who) || performance.now() - start >= silenceMs) throw error;
      }
      // By then signs of life that were only lost have come again.
      if (tries === 4) onWarning?.(`${who}: no sign of life; waiting for one for up to ${silenceMs / 1000} seconds.`);
      await sleep(pollMs, undefined, { signal }).catch(() => {});
    }
  };

  const fleet: Fleet = {
    devices: () => whileThere(readDevices(redis)),
    find: async (name) => findDevice(await fleet.devices(), name),
    workers: (options = {}) =>
      meet(
        "the workers",
        async () => {
          const found = (await fleet.devices()).filter(takesShards);
          if (found.length === 0) throw noWorkers();
          return found;
        },
        options,
      ),
    send: async (device, name, task, options = {}) => {
      options.signal?.throwIfAborted();
      await meet(device, () => fleet.find(device), options);
      const isAlive = async () => (await redis.client.exists(workerKey(device))) === 1;
      return await tracked(whileThere(sendBy(lineTo(queueOf(device), { name: device, isAlive }), name, task, options)));
    },
    share: async function* (name, next, options = {}) {
      let workers = (await fleet.workers(options)).length;
      let looked = performance.now();
      const isAlive = async () => {
        if (performance.now() - looked > pollMs) {
          looked = performance.now();
          workers = (await fleet.devices()).filter(takesShards).length;
        }
        return workers > 0;
      };
      const controller = new AbortController();
      const signal = options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal;
      // Each task that is out listens to it.
      setMaxListeners(0, signal);
      const line = lineTo(shardQueue(version), { name: "the workers", isAlive, isMany: true });
      const sentOut: { readonly result: Promise<ResultOf<typeof name>>; isDone: boolean }[] = [];
      let unfinished = 0;
      let wake = () => {};
      const sendOut = (task: TaskOf<typeof name>) => {
        const result = whileThere(sendBy(line, name, task, { ...options, signal }));
        const one = { result, isDone: false };
        const end = () => {
          one.isDone = true;
          unfinished--;
          wake();
        };
        result.then(end, end);
        unfinished++;
        sentOut.push(one);
      };
      try {
        for (let isLast = false; ; ) {
          const most = Math.max(1, workers);
          while (!isLast && unfinished < atOnce * most && sentOut.length < mostWaiting * most) {
            const task = next(most);
            if (task === undefined) isLast = true;
            else sendOut(task);
          }
          const [first] = sentOut;
          if (!first) return;
          if (first.isDone) {
            sentOut.shift();
            yield await first.result;
          } else
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        controller.abort(new HalpError("HALP_CANCELLED", "The run was cancelled."));
        await Promise.allSettled(sentOut.map(({ result }) => result));
        await dropBlobs([...(options.blobs?.keys() ?? [])]);
      }
    },
    take: async (sha256) => {
      const key = blobKey(run, sha256);
      const bytes = await whileThere(readBlob(redis.client, key));
      if (hashOf(bytes) !== sha256)
        throw new HalpError("HALP_JOB_GONE", "What a worker came to is not there any more.", { exitCode: 1 });
      await redis.client.del(key);
      return bytes;
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort(new HalpError("HALP_CANCELLED", "The run was cancelled."));
      await atMost(8000, Promise.allSettled(open));
      const clean = async () => {
        for (const line of lines.values()) await line.close();
        // What workers laid down and nobody took is among them.
        const keys = await scan(redis, blobKey(run, "*"));
        if (keys.length > 0) await redis.client.del(...keys);
      };
      await atMost(5000, whileThere(clean()));
      await redis[Symbol.asyncDispose]();
    },
  };
  return fleet;
}

async function scan({ client }: RedisConnection, match: string): Promise<readonly string[]> {
  const keys = new Set<string>();
  for await (const found of client.scanStream({ match, count: 100 }))
    for (const key of found as string[]) keys.add(key);
  return [...keys];
}

async function readDevices(redis: RedisConnection): Promise<readonly DeviceInfo[]> {
  const keys = await scan(redis, workerKey("*"));
  const texts = keys.length > 0 ? await redis.client.mget(...keys) : [];
  // A sign of life lies there for so long; what is left of that tells when it was given.
  const left = await Promise.all(keys.map((key) => redis.client.pttl(key)));
  return texts
    .flatMap((text, i): DeviceInfo[] => {
      const silentSeconds = Math.max(0, aliveSeconds - Math.max(0, left[i] ?? 0) / 1000);
      try {
        const info = parseJson(text ?? "") as WorkerInfo;
        const isOne = info.format === "halp.worker/1" && typeof info.name === "string";
        // Those of other versions say less.
        return isOne ? [{ ...info, providers: info.providers ?? [], device: info.device ?? "cpu", silentSeconds }] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws HalpError HALP_DEVICE_UNKNOWN, HALP_WORKER_VERSION */
function findDevice(devices: readonly WorkerInfo[], name: string): WorkerInfo {
  const found = devices.find((device) => device.name === name);
  const names = devices.map((device) => device.name);
  if (!found)
    throw new HalpError(
      "HALP_DEVICE_UNKNOWN",
      `No worker is called "${name}"${didYouMean(name, names)} There ${names.length === 0 ? "are none" : `is ${names.join(", ")}`}. Start one on that machine with: halp worker --redis URL --name ${name}`,
      { name },
    );
  if (found.version !== version)
    throw new HalpError(
      "HALP_WORKER_VERSION",
      `The worker ${name} is halp ${found.version}, and this is halp ${version}: have them the same version.`,
      { name, exitCode: 1 },
    );
  return found;
}
