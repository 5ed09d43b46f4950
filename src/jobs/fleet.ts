/** The devices that workers stand for, and work sent to one of them. */
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { didYouMean, HalpError } from "../errors.js";
import { parseJson } from "../json.js";
import {
  cancelKey,
  type JobData,
  type JobResult,
  modelKey,
  modelSeconds,
  partBytes,
  prefix,
  queueOf,
  type WorkerInfo,
  workerKey,
} from "./names.js";
import { connectRedis, type RedisConnection } from "./redis.js";
import type { ResultOf, TaskName, TaskOf } from "./tasks.js";
import { halpVersion } from "./version.js";

const version = halpVersion();

export interface FleetOptions {
  readonly redis: string;
  /** Milliseconds that a device may be silent while work of ours lies there. Default 60,000. */
  readonly silenceMs?: number;
}

export interface SendOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onWarning?: (message: string) => void;
  /** Models that the task names, by the SHA-256 of their bytes. */
  readonly models?: ReadonlyMap<string, Uint8Array>;
}

export interface Fleet extends AsyncDisposable {
  /** All devices with a living worker, by name. */
  devices(): Promise<readonly WorkerInfo[]>;
  /**
   * Has a device do a task. Restarts of the worker and of Redis are waited out; the task may be done more than once then, and
   * one of the results counts.
   * @throws HalpError HALP_DEVICE_UNKNOWN, HALP_WORKER_VERSION, HALP_DEVICE_SILENT, HALP_JOB_STALLED, HALP_REDIS; what the
   *   task itself refuses; the signal's reason on abort
   */
  send<N extends TaskName>(device: string, name: N, task: TaskOf<N>, options?: SendOptions): Promise<ResultOf<N>>;
}

/** How often it is looked whether a job is done, where no event told of it. */
const pollMs = 2000;
/** Times that a job is put up again whose data or place Redis lost, or whose process was lost on the device. */
const mostAgain = 5;
/** What may go well the next time. */
const passing = new Set(["HALP_JOB_DATA", "HALP_CHILD_ENDED", "HALP_CANCELLED"]);

/** @throws HalpError HALP_JOBS_MISSING, HALP_REDIS_URL, HALP_REDIS */
export async function openFleet({ redis: url, silenceMs = 60_000 }: FleetOptions): Promise<Fleet> {
  const redis = await connectRedis(url);
  const run = randomUUID();
  const lines = new Map<string, Line>();
  const lineTo = (device: string): Line => {
    const known = lines.get(device) ?? openLine(redis, device);
    lines.set(device, known);
    return known;
  };
  const sent = new Set<string>();
  let count = 0;

  const putModels = async (models: ReadonlyMap<string, Uint8Array>, always: boolean) => {
    for (const [sha256, bytes] of models) {
      const key = modelKey(run, sha256);
      if (!always && (await redis.client.expire(key, modelSeconds)) === 1) continue;
      const transaction = redis.client.multi().del(key);
      for (let at = 0; at < bytes.length; at += partBytes)
        transaction.rpush(key, Buffer.from(bytes.subarray(at, at + partBytes)));
      await transaction.expire(key, modelSeconds).exec();
      sent.add(key);
    }
  };

  const fleet: Fleet = {
    devices: () => readDevices(redis),
    send: async (device, name, task, options = {}) => {
      const { signal, models = new Map<string, Uint8Array>() } = options;
      signal?.throwIfAborted();
      await checkDevice(fleet, device);
      const data: JobData = { version, run, task };
      const id = `${run}-${++count}`;
      const line = lineTo(device);
      for (let again = 0; ; again++) {
        await putModels(models, again > 0);
        try {
          const { result, error, warnings } = await line.do(name, data, `${id}-${again}`, silenceMs, options);
          for (const warning of warnings) options.onWarning?.(`${device}: ${warning}`);
          if (!error) return result as never;
          const { code, message, ...fields } = error;
          throw new HalpError(code, `${device}: ${message}`, fields);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          if (!(error instanceof HalpError) || !passing.has(error.code) || again >= mostAgain) throw error;
          await sleep(500 * 2 ** again, undefined, signal ? { signal } : {});
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      const clean = async () => {
        for (const line of lines.values()) await line.close();
        if (sent.size > 0) await redis.client.del(...sent);
      };
      await Promise.race([clean().catch(() => {}), sleep(5000)]);
      await redis[Symbol.asyncDispose]();
    },
  };
  return fleet;
}

async function readDevices({ client }: RedisConnection): Promise<readonly WorkerInfo[]> {
  const keys: string[] = [];
  for await (const found of client.scanStream({ match: workerKey("*"), count: 100 })) keys.push(...(found as string[]));
  const texts = keys.length > 0 ? await client.mget(...new Set(keys)) : [];
  return texts
    .flatMap((text) => {
      try {
        const info = parseJson(text ?? "") as WorkerInfo;
        return info.format === "halp.worker/1" && typeof info.name === "string" ? [info] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @throws HalpError HALP_DEVICE_UNKNOWN, HALP_WORKER_VERSION */
async function checkDevice(fleet: Fleet, name: string): Promise<void> {
  const devices = await fleet.devices();
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
}

/** The way to one device. */
interface Line {
  do(name: string, data: JobData, id: string, silenceMs: number, options: SendOptions): Promise<JobResult>;
  close(): Promise<void>;
}

function openLine(redis: RedisConnection, device: string): Line {
  const { bullmq, client } = redis;
  const queue = new bullmq.Queue<JobData, JobResult>(queueOf(device), { connection: client, prefix });
  const events = new bullmq.QueueEvents(queueOf(device), { connection: redis.another(), prefix });
  // What matters shows in `redis.lost`.
  queue.on("error", () => {});
  events.on("error", () => {});
  const open = new Map<string, { readonly look: () => void; readonly onProgress: (p: unknown) => void }>();
  events.on("completed", ({ jobId }) => open.get(jobId)?.look());
  events.on("failed", ({ jobId }) => open.get(jobId)?.look());
  events.on("progress", ({ jobId, data }) => open.get(jobId)?.onProgress(data));

  const put = (name: string, data: JobData, id: string) =>
    queue.add(name, data, {
      jobId: id,
      // Until it is read here; of a run that was killed it goes after a while.
      removeOnComplete: { age: modelSeconds },
      removeOnFail: { age: modelSeconds },
      attempts: 3,
      backoff: { type: "exponential", delay: 500 },
    });

  return {
    do: async (name, data, id, silenceMs, { signal, onProgress }) => {
      let wake: () => void = () => {};
      open.set(id, {
        look: () => wake(),
        onProgress: (p) => {
          const { done, total } = (p ?? {}) as { readonly done?: number; readonly total?: number };
          if (typeof done === "number" && typeof total === "number") onProgress?.(done, total);
        },
      });
      const onAbort = () => wake();
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        await put(name, data, id);
        let seen = performance.now();
        for (;;) {
          if (signal?.aborted) throw signal.reason;
          const asleep = new Promise<void>((resolve) => {
            wake = resolve;
          });
          const state = await Promise.race([stateOf(id), redis.lost]);
          if (state.kind === "done") return state.result;
          if (state.kind === "gone") await put(name, data, id);
          if (await client.exists(workerKey(device))) seen = performance.now();
          else if (performance.now() - seen > silenceMs) throw silent(device, silenceMs);
          const timer = setTimeout(wake, pollMs);
          await Promise.race([asleep, redis.lost]).finally(() => clearTimeout(timer));
        }
      } finally {
        signal?.removeEventListener("abort", onAbort);
        open.delete(id);
        await takeAway(id);
      }
    },
    close: async () => {
      await Promise.all([queue.close(), events.close()]);
    },
  };

  async function stateOf(id: string): Promise<{ kind: "done"; result: JobResult } | { kind: "gone" | "open" }> {
    const state = await queue.getJobState(id);
    if (state !== "completed" && state !== "failed") return { kind: state === "unknown" ? "gone" : "open" };
    const job = await queue.getJob(id);
    if (!job) return { kind: "gone" };
    if (state === "completed") return { kind: "done", result: job.returnvalue };
    throw new HalpError(
      "HALP_JOB_STALLED",
      `The workers of ${device} end before they have done a job (${job.failedReason}). See what they say, on that machine.`,
      { name: device, exitCode: 1 },
    );
  }

  /** Nothing is left of a job; one that is being done is broken off first. */
  async function takeAway(id: string): Promise<void> {
    const work = async () => {
      const job = await queue.getJob(id);
      if (!job) return;
      if (await job.isActive()) {
        await client.set(cancelKey(id), "1", "EX", 30);
        for (let i = 0; i < 20 && (await job.isActive()); i++) await sleep(250);
        await client.del(cancelKey(id));
      }
      await job.remove();
    };
    await Promise.race([work().catch(() => {}), sleep(6000)]);
  }
}

function silent(device: string, ms: number): HalpError {
  return new HalpError(
    "HALP_DEVICE_SILENT",
    `The worker ${device} has given no sign of life for ${ms / 1000} seconds. Start it again: what was done is kept, and the command goes on from there.`,
    { name: device, exitCode: 1 },
  );
}

/** The SHA-256 by which a model is named. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
