/** `halp worker`: does on this machine what runs on others ask for. */
import { createHash, randomUUID } from "node:crypto";
import { hostname, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { HalpError, plainError } from "../errors.js";
import { describeDevice, deviceFingerprint } from "../latency/index.js";
import { runtimeVersion } from "../runtime/index.js";
import {
  aliveSeconds,
  cancelKey,
  checkDeviceName,
  type JobData,
  type JobResult,
  modelKey,
  prefix,
  queueOf,
  type WorkerInfo,
  workerKey,
} from "./names.js";
import { connectRedis, type RedisConnection } from "./redis.js";
import { createPerformer, isHash, namedFingerprint, type TaskContext, type TaskName } from "./tasks.js";
import { halpVersion } from "./version.js";

export interface WorkerOptions {
  readonly redis: string;
  /** What users call this machine; default its host name. */
  readonly name?: string;
  /** Ends it: what it is at is given back to be done by another. */
  readonly signal: AbortSignal;
  readonly onReady?: (info: WorkerInfo) => void;
  readonly onJob?: (event: { readonly task: string; readonly seconds: number; readonly error?: HalpError }) => void;
}

const version = halpVersion();
/** Models that are kept, so that each travels once. */
const mostModels = 8;
/** After so long without a sign of its worker a job is given to another. */
const lockMs = 10_000;
const cancelPollMs = 1000;

/**
 * Works until the signal aborts.
 * @throws HalpError HALP_JOBS_MISSING, HALP_REDIS_URL, HALP_REDIS, HALP_DEVICE_NAME; HALP_WORKER_NAME where another worker
 *   has the name; HALP_RUNTIME_MISSING
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { signal, onJob } = options;
  const name = options.name ?? hostname();
  checkDeviceName(name);
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
    fingerprint: namedFingerprint(deviceFingerprint(1), name),
  };
  let task: string | null = null;
  const info = (): WorkerInfo => ({ ...still, load: loadavg()[0] ?? 0, task });
  await using redis = await connectRedis(options.redis);
  const { client, bullmq } = redis;
  const key = workerKey(name);
  await claim(redis, key, info(), signal);
  const beat = setInterval(
    () => {
      void client.set(key, JSON.stringify(info()), "EX", aliveSeconds).catch(() => {});
    },
    (1000 * aliveSeconds) / 4,
  );
  using performer = createPerformer(name);
  const models = modelStore(redis);
  const queue = new bullmq.Worker<JobData, JobResult>(
    queueOf(name),
    async (job) => {
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
        model: (sha256) => models(run, sha256),
      };
      let failed: HalpError | undefined;
      try {
        checkVersion(job.data);
        return { result: await performer.perform(job.name as TaskName, job.data.task, context), warnings };
      } catch (error) {
        // What was broken off here is done by whoever comes next.
        if (signal.aborted) throw error;
        failed = error instanceof HalpError ? error : unexpected(error);
        return { error: plainError(failed), warnings };
      } finally {
        task = null;
        clearInterval(watch);
        signal.removeEventListener("abort", stop);
        onJob?.({ task: job.name, seconds: (performance.now() - began) / 1000, ...(failed ? { error: failed } : {}) });
      }
    },
    {
      connection: client,
      prefix,
      concurrency: 1,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      // A job whose workers die again and again is not given out for ever.
      maxStalledCount: 3,
    },
  );
  queue.on("error", () => {});
  try {
    options.onReady?.(info());
    await Promise.race([aborted(signal), redis.lost]);
  } finally {
    clearInterval(beat);
    await Promise.race([queue.close(), sleep(5000)]);
    await Promise.race([leave(redis, name, key).catch(() => {}), sleep(3000)]);
  }
}

/** Takes away what stands in Redis for the device; the queue only where nothing waits in it for the next worker. */
async function leave({ bullmq, client }: RedisConnection, name: string, key: string): Promise<void> {
  await client.del(key);
  const queue = new bullmq.Queue(queueOf(name), { connection: client, prefix });
  const waiting = await queue.getJobCounts();
  if (Object.values(waiting).every((count) => count === 0)) await queue.obliterate();
  await queue.close();
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

/** Models by their hash, fetched once; the last few are kept. */
function modelStore({ client }: RedisConnection): (run: string, sha256: string) => Promise<Uint8Array> {
  const kept = new Map<string, Uint8Array>();
  return async (run, sha256) => {
    const known = kept.get(sha256);
    if (known) return known;
    if (!isHash(sha256)) throw gone("what it is called is no hash");
    const parts = await client.lrangeBuffer(modelKey(run, sha256), 0, -1);
    const bytes = Buffer.concat(parts);
    if (createHash("sha256").update(bytes).digest("hex") !== sha256)
      throw gone(parts.length === 0 ? "it is not there" : "its bytes do not fit its hash");
    kept.set(sha256, bytes);
    for (const [oldest] of kept) if (kept.size > mostModels) kept.delete(oldest);
    return bytes;
  };
}

function gone(why: string): HalpError {
  return new HalpError("HALP_JOB_DATA", `A model of the job cannot be had: ${why}.`, { exitCode: 1 });
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
