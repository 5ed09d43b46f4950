/** `halp worker`: does on this machine what runs on others ask for. */
import { randomUUID } from "node:crypto";
import { hostname, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "bullmq";
import { HalpError, plainError } from "../errors.js";
import { type DeviceChoice, describeDevice, deviceFingerprint, type GpuOptions, openMeter } from "../latency/index.js";
import { runtimeProviders, runtimeVersion } from "../runtime/index.js";
import { atMost } from "./at-most.js";
import { createBlobCache } from "./blob-cache.js";
import { hashOf, putBlob, readBlob } from "./blobs.js";
import { absolute } from "./data-access.js";
import {
  aliveSeconds,
  blobKey,
  cancelKey,
  checkDeviceName,
  type JobData,
  type JobResult,
  prefix,
  queueOf,
  shardQueue,
  type WorkerInfo,
  workerKey,
} from "./names.js";
import { createPerformer } from "./performer.js";
import { connectRedis, type RedisConnection } from "./redis.js";
import { namedFingerprint, type TaskContext, type TaskName } from "./tasks.js";
import { halpVersion } from "./version.js";

export interface WorkerOptions {
  readonly redis: string;
  /** What users call this machine; default its host name. */
  readonly name?: string;
  /** What layers are timed on; default the CPU. */
  readonly device?: DeviceChoice;
  readonly gpu?: GpuOptions;
  /** Folders and addresses that data may lie below; given, even empty, the worker scores and evaluates, too. */
  readonly data?: readonly string[];
  /** Ends it: what it is at is given back to be done by another. */
  readonly signal: AbortSignal;
  readonly onReady?: (info: WorkerInfo) => void;
  readonly onJob?: (event: { readonly task: string; readonly seconds: number; readonly error?: HalpError }) => void;
}

const version = halpVersion();
/** After so long without a sign of its worker a job is given to another. */
const lockMs = 10_000;
const cancelPollMs = 1000;

/**
 * Works until the signal aborts.
 * @throws HalpError HALP_JOBS_MISSING, HALP_REDIS_URL, HALP_REDIS, HALP_DEVICE_NAME; HALP_WORKER_NAME where another worker
 *   has the name; HALP_RUNTIME_MISSING; what opening a GPU refuses
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { signal, onJob } = options;
  const { name = hostname(), device = { kind: "cpu" }, gpu = {} } = options;
  checkDeviceName(name);
  const fingerprint = await fingerprintOf(device, gpu);
  const { flags: _f, memoryBytes: _m, osRelease: _o, governor: _g, load: _l, ...machine } = describeDevice();
  const still: Omit<WorkerInfo, "load" | "task"> = {
    format: "halp.worker/1",
    name,
    id: randomUUID(),
    version,
    host: hostname(),
    pid: process.pid,
    ...machine,
    runtime: `onnxruntime-node ${runtimeVersion()}`,
    providers: runtimeProviders(),
    device: device.kind === "cpu" ? "cpu" : `${device.kind}:${device.index}`,
    fingerprint: namedFingerprint(fingerprint, name),
    data: options.data?.map(absolute) ?? null,
  };
  let task: string | null = null;
  const info = (): WorkerInfo => ({ ...still, load: loadavg()[0] ?? 0, task });
  await using redis = await connectRedis(options.redis);
  const { client, bullmq } = redis;
  const key = workerKey(name);
  await Promise.race([claim(redis, key, info(), signal), redis.lost]);
  const beat = setInterval(
    () => {
      void client.set(key, JSON.stringify(info()), "EX", aliveSeconds).catch(() => {});
    },
    (1000 * aliveSeconds) / 4,
  );
  using performer = createPerformer({ name, roots: still.data ?? [], device, gpu });
  const blobs = blobStore(redis);
  const work = async (job: Job<JobData, JobResult>): Promise<JobResult> => {
    const began = performance.now();
    task = job.name;
    const controller = new AbortController();
    const { run } = job.data;
    const watch = setInterval(() => {
      void client.exists(cancelKey(job.id ?? "")).then(
        (there) => there === 1 && controller.abort(new HalpError("HALP_CANCELLED", "The run was cancelled.")),
        () => {},
      );
    }, cancelPollMs);
    const stop = () => controller.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const warnings: string[] = [];
    const context: TaskContext = {
      signal: controller.signal,
      warn: (message) => void warnings.push(message),
      onProgress: (done, total) => void job.updateProgress({ done, total }).catch(() => {}),
      blob: (sha256) => blobs(run, sha256),
      give: async (bytes) => {
        const sha256 = hashOf(bytes);
        await putBlob(client, blobKey(run, sha256), bytes);
        return sha256;
      },
    };
    let failed: HalpError | undefined;
    try {
      checkVersion(job.data);
      return { name, result: await performer.perform(job.name as TaskName, job.data.task, context), warnings };
    } catch (error) {
      // What was broken off here is done by whoever comes next.
      if (signal.aborted) throw error;
      failed = error instanceof HalpError ? error : unexpected(error);
      return { name, error: plainError(failed), warnings };
    } finally {
      task = null;
      clearInterval(watch);
      signal.removeEventListener("abort", stop);
      onJob?.({ task: job.name, seconds: (performance.now() - began) / 1000, ...(failed ? { error: failed } : {}) });
    }
  };
  const how = {
    connection: client,
    prefix,
    // Stands in a job that is being done: by whom.
    name,
    concurrency: 1,
    lockDuration: lockMs,
    stalledInterval: lockMs / 2,
    // A job whose workers die again and again is not given out for ever.
    maxStalledCount: 3,
  };
  const oneAtATime = createMutex();
  const shards =
    still.data && new bullmq.Worker<JobData, JobResult>(shardQueue(version), (job) => oneAtATime(() => work(job)), how);
  const own = new bullmq.Worker<JobData, JobResult>(
    queueOf(name),
    async (job) => {
      // Nothing is scored while something is timed, and what could be is left to other workers.
      await shards?.pause(true);
      try {
        return await oneAtATime(() => work(job));
      } finally {
        shards?.resume();
      }
    },
    how,
  );
  const queues = shards ? [own, shards] : [own];
  for (const queue of queues) queue.on("error", () => {});
  try {
    options.onReady?.(info());
    await Promise.race([aborted(signal), redis.lost]);
  } finally {
    clearInterval(beat);
    await atMost(5000, Promise.all(queues.map((queue) => queue.close())));
    await atMost(3000, leave(redis, name));
  }
}

/**
 * Takes away what stands in Redis for the device; its queue only where nothing waits in it for the next worker, and that of
 * shards only where no other worker is left.
 */
async function leave({ bullmq, client }: RedisConnection, name: string): Promise<void> {
  await client.del(workerKey(name));
  const others = await client.keys(workerKey("*"));
  for (const queueName of others.length > 0 ? [queueOf(name)] : [queueOf(name), shardQueue(version)]) {
    const queue = new bullmq.Queue(queueName, { connection: client, prefix });
    const waiting = await queue.getJobCounts();
    if (Object.values(waiting).every((count) => count === 0)) await queue.obliterate();
    await queue.close();
  }
}

/** A GPU is looked at before the worker says that it is ready. */
async function fingerprintOf(device: DeviceChoice, gpu: GpuOptions): Promise<string> {
  if (device.kind === "cpu") return deviceFingerprint(1);
  using meter = await openMeter(device, { threads: 1, pin: "auto", gpu });
  return meter.fingerprint;
}

/** Does one thing after another. */
function createMutex(): <R>(work: () => Promise<R>) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => {});
    return mine;
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Takes the name; a worker that was killed keeps it until it is taken for dead. @throws HalpError HALP_WORKER_NAME */
async function claim({ client }: RedisConnection, key: string, own: WorkerInfo, signal: AbortSignal): Promise<void> {
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted();
    if ((await client.set(key, JSON.stringify(own), "EX", aliveSeconds, "NX")) === "OK") return;
    if (tries > aliveSeconds)
      throw new HalpError(
        "HALP_WORKER_NAME",
        `Another worker is called "${own.name}". Give this one another name with --name.`,
        { name: own.name },
      );
    await sleep(1000, undefined, { signal });
  }
}

/** Blobs by their hash, fetched where they are not kept. */
function blobStore({ client }: RedisConnection): (run: string, sha256: string) => Promise<Uint8Array> {
  const kept = createBlobCache();
  return async (run, sha256) => {
    const known = kept.get(sha256);
    if (known) return known;
    const bytes = await readBlob(client, blobKey(run, sha256));
    if (hashOf(bytes) !== sha256) throw gone(bytes.length === 0 ? "it is not there" : "its bytes do not fit its hash");
    kept.set(sha256, bytes);
    return bytes;
  };
}

function gone(why: string): HalpError {
  return new HalpError("HALP_JOB_GONE", `What the job needs cannot be had: ${why}.`, { exitCode: 1 });
}

function checkVersion({ version: theirs }: JobData): void {
  if (theirs !== version)
    throw new HalpError(
      "HALP_WORKER_VERSION",
      `The worker is halp ${version}, and the run is halp ${String(theirs).slice(0, 40)}: have them the same version.`,
      { exitCode: 1 },
    );
}

function unexpected(error: unknown): HalpError {
  return new HalpError("HALP_INTERNAL", error instanceof Error ? (error.stack ?? error.message) : String(error), {
    exitCode: 1,
    cause: error,
  });
}
