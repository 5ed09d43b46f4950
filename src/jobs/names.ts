/** What things are called in Redis, and what a worker says of itself there. */
import type { PlainError } from "../errors.js";
import { HalpError } from "../errors.js";

/** `halp.worker/1` */
export interface WorkerInfo {
  readonly format: "halp.worker/1";
  /** What users call the device. */
  readonly name: string;
  /** Of this process. */
  readonly id: string;
  /** Of halp. */
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly cpu: string;
  readonly cores: number;
  readonly arch: string;
  readonly platform: string;
  readonly node: string;
  /** Of the runtime that measures. */
  readonly runtime: string;
  /** Execution providers of the runtime: "cpu" and, where it has them, others. */
  readonly providers: readonly string[];
  /** What layers are timed on: "cpu", or a GPU of the machine, "cuda:0" or "ort-cuda:0". */
  readonly device: string;
  /** Of a table for one thread; what was measured under the same may be kept. */
  readonly fingerprint: string;
  /** Work waiting over the last minute, in cores' worth. */
  readonly load: number;
  /** The task that it is at; null where it has none. */
  readonly task: string | null;
  /** Folders that it reads data from, to score and evaluate with; null: it does neither. */
  readonly data: readonly string[] | null;
}

/** A letter or digit, then such, dots, dashes and underscores: what is a key of Redis and a part of a file name alike. */
export const isDeviceName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name);

/** @throws HalpError HALP_DEVICE_NAME */
export function checkDeviceName(name: string): void {
  if (!isDeviceName(name))
    throw new HalpError(
      "HALP_DEVICE_NAME",
      `"${name.slice(0, 80)}" is no name for a device: give up to 63 letters, digits, dots, dashes and underscores.`,
      { name },
    );
}

/** Before all names that halp uses in Redis. */
export const prefix = "halp";
/** The queue of what only one device can do, one job at a time. */
export const queueOf = (device: string): string => `device.${device}`;
/** The queue of what any worker of this version of halp can do that reads data. */
export const shardQueue = (version: string): string => `shards.${version}`;
/** Where a worker says that it lives. */
export const workerKey = (device: string): string => `${prefix}:worker:${device}`;
/** Set where nobody wants a job done any more. */
export const cancelKey = (job: string): string => `${prefix}:cancelled:${job}`;
/** Bytes by their hash, in parts. */
export const blobKey = (run: string, sha256: string): string => `${prefix}:run:${run}:blob:${sha256}`;

/** A worker that has not said for so long that it lives is taken for dead. */
export const aliveSeconds = 15;
/** Blobs are forgotten after so long, if a run that was killed did not take them away. */
export const blobSeconds = 3600;
/** Bytes of a blob a part. Each is answered: so on a slow line, too, something is heard again and again. */
export const partBytes = 2 ** 20;

/** What lies in a job. */
export interface JobData {
  readonly version: string;
  readonly run: string;
  readonly task: unknown;
}

/** What a job comes to. Errors are results too: BullMQ does again only what was broken off. */
export interface JobResult {
  readonly result?: unknown;
  readonly error?: PlainError;
  readonly warnings: readonly string[];
  /** Of the worker that did it. */
  readonly name: string;
}
