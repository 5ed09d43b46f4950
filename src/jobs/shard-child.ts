/** The process in which a worker scores and evaluates: a run of the network blocks it, but not the worker. */
import { serveParent } from "../runtime/index.js";
import { createBlobCache } from "./blob-cache.js";
import { openShards } from "./shards.js";
import type { EvaluateTask, PassTask, ScoreTask } from "./tasks.js";

const blobs = createBlobCache();
const shards = openShards();

function blob(sha256: string): Uint8Array {
  const bytes = blobs.get(sha256);
  if (!bytes) throw new Error(`Nobody has brought ${sha256}.`);
  return bytes;
}

serveParent({
  /** Those of the named that are not here. */
  missing: (names: readonly string[]) => names.filter((name) => !blobs.get(name)),
  bring: ({ sha256, bytes }: { readonly sha256: string; readonly bytes: Uint8Array }) => blobs.set(sha256, bytes),
  score: (task: ScoreTask) => shards.score(task, blob),
  evaluate: (task: EvaluateTask) => shards.evaluate(task, blob),
  pass: (task: PassTask) => shards.pass(task, blob),
});
