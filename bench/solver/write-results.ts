import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Timed } from "./contest.js";
import { median, quantile } from "./statistics.js";

/** Writes a file whole or not at all. */
export function writeWhole(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
  return path;
}

/** What is kept of a contender's work on an instance: times in seconds. */
export function record(t: Timed) {
  return {
    instance: t.instance,
    contender: t.contender,
    status: t.checked?.status ?? null,
    value: t.checked?.value ?? null,
    latency: t.checked?.latency ?? null,
    gap: t.checked?.gap ?? null,
    wrong: t.checked?.wrong ?? null,
    error: t.error,
    samples: t.samples.length,
    median: t.samples.length > 0 ? median(t.samples) : null,
    p05: t.samples.length > 0 ? quantile(t.samples, 0.05) : null,
    p95: t.samples.length > 0 ? quantile(t.samples, 0.95) : null,
    singleCalls: t.calls.length,
    singleMedian: t.calls.length > 0 ? median(t.calls) : null,
    singleP99: t.calls.length > 0 ? quantile(t.calls, 0.99) : null,
  };
}
