/** Kernel times from the runtime's own profiler. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Model } from "../graph/ir.js";
import { decodeModel } from "../onnx/index.js";
import { createSession, type Feeds } from "./session.js";

export interface KernelTimes {
  /** Name of the node in the optimised graph. */
  readonly name: string;
  /** Nanoseconds per run, whole microseconds, the profiler's own cost included; warm-up runs are left out. */
  readonly ns: Float64Array;
}

export interface Profile {
  /** In the order in which they ran. */
  readonly kernels: readonly KernelTimes[];
  /** What the runtime made of the model: these are the nodes that ran. */
  readonly optimized: Model;
}

export interface ProfileOptions {
  readonly threads?: number;
  /** Untimed runs. Default 2. */
  readonly warmUps?: number;
  /** Number of runs, given the nanoseconds of one. */
  readonly runs: (onceNs: number) => number;
}

interface Event {
  readonly cat: string;
  readonly name: string;
  readonly dur: number;
}

const suffix = "_kernel_time";

/** Runs a model under the profiler. Blocks the thread: meant for a child process. @throws HalpError of the session */
export function profileModel(model: Uint8Array, feeds: Feeds, options: ProfileOptions): Profile {
  const folder = mkdtempSync(join(tmpdir(), "halp-profile-"));
  try {
    const optimizedModelPath = join(folder, "optimized.onnx");
    const warmUps = options.warmUps ?? 2;
    using session = createSession(model, {
      threads: options.threads ?? 1,
      profilePrefix: join(folder, "profile"),
      optimizedModelPath,
    });
    let onceNs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < warmUps; i++) {
      const start = process.hrtime.bigint();
      session.run(feeds);
      onceNs = Math.min(onceNs, Number(process.hrtime.bigint() - start));
    }
    const runs = options.runs(onceNs);
    for (let i = 0; i < runs; i++) session.run(feeds);
    session.endProfiling();
    const file = readdirSync(folder).find((n) => n.startsWith("profile_") && n.endsWith(".json")) ?? "";
    const events = JSON.parse(readFileSync(join(folder, file), "utf8")) as Event[];
    const times = new Map<string, number[]>();
    for (const e of events) {
      if (e.cat !== "Node" || !e.name.endsWith(suffix)) continue;
      const name = e.name.slice(0, -suffix.length);
      const list = times.get(name);
      if (list) list.push(e.dur);
      else times.set(name, [e.dur]);
    }
    return {
      kernels: [...times].map(([name, t]) => ({ name, ns: Float64Array.from(t.slice(warmUps), (us) => us * 1000) })),
      optimized: decodeModel(readFileSync(optimizedModelPath)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the runtime makes of a model when it loads it, with these session config entries. @throws HalpError of the session */
export function optimizedModel(
  model: Model | Uint8Array,
  threads = 1,
  config: Readonly<Record<string, string>> = {},
): Model {
  const folder = mkdtempSync(join(tmpdir(), "halp-optimized-"));
  try {
    const path = join(folder, "optimized.onnx");
    createSession(model, { threads, optimizedModelPath: path, config }).dispose();
    return decodeModel(readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
