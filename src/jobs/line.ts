/** The way of a task to those who work a queue off, and of its result back. */
import { setTimeout as sleep } from "node:timers/promises";
import { HalpError } from "../errors.js";
import { atMost } from "./at-most.js";
import { blobSeconds, cancelKey, type JobData, type JobResult, prefix } from "./names.js";
import type { RedisConnection } from "./redis.js";

/** How often it is looked whether a job is done, where no event told of it. */
export const pollMs = 2000;
/** A worker that is still at a job so long after that was cancelled is taken for dead. */
const lettingGoMs = 3000;
/** What may go well the next time. */
const passing = new Set(["HALP_JOB_GONE", "HALP_CHILD_ENDED", "HALP_CANCELLED"]);

export interface SendOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onWarning?: (message: string) => void;
  /** What the task names by the SHA-256 of its bytes. */
  readonly blobs?: ReadonlyMap<string, Uint8Array>;
  /** What has to be done with a result before its task counts as done: HALP_JOB_GONE has the task done again. */
  readonly onResult?: (result: unknown) => Promise<void>;
  /** Such blobs, but that later tasks name, too: they stay until the fleet is closed. */
  readonly kept?: ReadonlyMap<string, Uint8Array>;
}

/** Who does what lies in a queue. */
export interface Recipient {
  /** For messages. */
  readonly name: string;
  readonly isAlive: () => Promise<boolean>;
  /** Whether others do what one of them cannot end. */
  readonly isMany?: boolean;
}

/** The way to those who work a queue off. */
export interface Line {
  do(name: string, data: JobData, id: string, silenceMs: number, options: SendOptions): Promise<JobResult>;
  /** Whether it may go well the next time. */
  mayPass(error: HalpError): boolean;
  close(): Promise<void>;
}

export function openLine(redis: RedisConnection, queueName: string, to: Recipient): Line {
  const { bullmq, client } = redis;
  const queue = new bullmq.Queue<JobData, JobResult>(queueName, { connection: client, prefix });
  const events = new bullmq.QueueEvents(queueName, { connection: redis.another(), prefix });
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
      removeOnComplete: { age: blobSeconds },
      removeOnFail: { age: blobSeconds },
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
        let silentMs = 0;
        for (let before = performance.now(); ; ) {
          if (signal?.aborted) throw signal.reason;
          const asleep = new Promise<void>((resolve) => {
            wake = resolve;
          });
          const state = await stateOf(id);
          if (state.kind === "done") return state.result;
          if (state.kind === "gone") await put(name, data, id);
          const isAlive = await to.isAlive();
          const now = performance.now();
          // While Redis was away nothing could be heard.
          silentMs = isAlive ? 0 : silentMs + Math.min(now - before, 2 * pollMs);
          before = now;
          if (silentMs > silenceMs) throw silent(to.name, silenceMs);
          const timer = setTimeout(wake, pollMs);
          await asleep;
          clearTimeout(timer);
        }
      } finally {
        signal?.removeEventListener("abort", onAbort);
        open.delete(id);
        await takeAway(id);
      }
    },
    mayPass: ({ code }) => passing.has(code) || (to.isMany === true && code === "HALP_JOB_STALLED"),
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
      `Workers end before they have done a job for ${to.name} (${job.failedReason}). See what they say, on that machine.`,
      { name: to.name, exitCode: 1 },
    );
  }

  /** Nothing is left of a job; one that is being done is broken off first, and one whose worker was lost is not. */
  async function takeAway(id: string): Promise<void> {
    const began = performance.now();
    const work = async () => {
      for (; ; await sleep(250)) {
        const job = await queue.getJob(id);
        if (!job) return;
        const isRemoved = await job.remove().then(
          () => true,
          () => false,
        );
        if (isRemoved) return;
        // A worker that lives is at it.
        await client.set(cancelKey(id), "1", "EX", 30);
        if (performance.now() - began < lettingGoMs) continue;
        // The lock of a worker that was killed stands for some seconds yet, and then another would take up the job.
        await client.del(queue.toKey(`${id}:lock`));
        await client.srem(queue.toKey("stalled"), id);
      }
    };
    await atMost(6000, work());
    await atMost(1000, client.del(cancelKey(id)));
  }
}

function silent(device: string, ms: number): HalpError {
  return new HalpError(
    "HALP_DEVICE_SILENT",
    `There has been no sign of life of ${device} for ${ms / 1000} seconds. Start a worker again: what was done is kept, and the command goes on from there.`,
    { name: device, exitCode: 1 },
  );
}
