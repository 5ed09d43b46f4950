/** Kernel times from the runtime's own profiler. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Model } from "../graph/ir.js";
import { decodeModel } from "../onnx/index.js";
import { createSession, type Feeds, type SessionOptions } from "./session.js";
import type { ModelSource } from "./stored-model.js";

export interface KernelTimes {
  /** Name of the node in the optimised graph. */
  readonly name: string;
  readonly opType: string;
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
  readonly args?: { readonly op_name?: string };
}

const suffix = "_kernel_time";

/** Large weights of the optimised model go to a file of their own, which is not read. */
const weightsApart = {
  "session.optimized_model_external_initializers_file_name": "optimized.data",
  "session.optimized_model_external_initializers_min_size_in_bytes": `${2 ** 20}`,
};

/** Runs a model under the profiler. Blocks the thread: meant for a child process. @throws HalpError of the session */
export function profileModel(model: Model | ModelSource, feeds: Feeds, options: ProfileOptions): Profile {
  return inFolder("halp-profile-", (folder) => {
    const optimizedModelPath = join(folder, "optimized.onnx");
    const kernels = kernelTimes(model, feeds, options, folder, { optimizedModelPath, config: weightsApart });
    return { kernels, optimized: decodeModel(readFileSync(optimizedModelPath)) };
  });
}

/** The same without the graph that the runtime made of the model: writing it takes as much memory again as its weights. */
export function profileKernels(
  model: Model | ModelSource,
  feeds: Feeds,
  options: ProfileOptions,
): readonly KernelTimes[] {
  return inFolder("halp-profile-", (folder) => kernelTimes(model, feeds, options, folder, {}));
}

function kernelTimes(
  model: Model | ModelSource,
  feeds: Feeds,
  options: ProfileOptions,
  folder: string,
  more: SessionOptions,
): readonly KernelTimes[] {
  const warmUps = options.warmUps ?? 2;
  using session = createSession(model, {
    threads: options.threads ?? 1,
    profilePrefix: join(folder, "profile"),
    ...more,
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
  const times = new Map<string, { readonly opType: string; readonly us: number[] }>();
  for (const e of events) {
    if (e.cat !== "Node" || !e.name.endsWith(suffix)) continue;
    const name = e.name.slice(0, -suffix.length);
    const known = times.get(name);
    if (known) known.us.push(e.dur);
    else times.set(name, { opType: e.args?.op_name ?? "", us: [e.dur] });
  }
  return [...times].map(([name, { opType, us }]) => ({
    name,
    opType,
    ns: Float64Array.from(us.slice(warmUps), (t) => t * 1000),
  }));
}

function inFolder<T>(prefix: string, work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the runtime makes of a model when it loads it, with these session config entries. @throws HalpError of the session */
export function optimizedModel(
  model: Model | ModelSource,
  threads = 1,
  config: Readonly<Record<string, string>> = {},
): Model {
  return inFolder("halp-optimized-", (folder) => {
    const path = join(folder, "optimized.onnx");
    createSession(model, { threads, optimizedModelPath: path, config: { ...weightsApart, ...config } }).dispose();
    return decodeModel(readFileSync(path));
  });
}
