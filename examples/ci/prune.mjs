// A step of a build: prunes a model to a part of its latency on this machine, and fails where that cannot be had.
//
//   node prune.mjs model.onnx small.onnx 60 [.cache/halp]
// Measured latencies are kept in the cache folder, if there is one, from build to build.
// Exit codes are those of the command: 3 where no choice of channels meets the budget, 4 where the measured latency missed it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HalpError, prune } from "halp";

const [model, output, percent = "60", cacheDir] = process.argv.slice(2);
if (!model || !output) {
  console.error("usage: node prune.mjs MODEL OUTPUT [PERCENT [CACHE]]");
  process.exit(2);
}
const runFolder = mkdtempSync(join(tmpdir(), "halp-ci-"));
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
try {
  const result = await prune({
    model,
    output,
    runFolder,
    budget: { kind: "ratio", ratio: Number(percent) / 100 },
    criterion: "l1",
    seed: 1,
    // A build machine is seldom quiet: not much is gained by waiting for it.
    patienceMs: 5000,
    ...(cacheDir ? { cacheDir } : {}),
    signal: stop.signal,
    onWarning: (message) => console.error(`warning: ${message}`),
  });
  const [dense, pruned] = [result.latencyNs.dense, result.latencyNs.pruned].map((ns) => (ns / 1e6).toFixed(2));
  console.log(`${dense} ms -> ${pruned} ms (${(100 * result.measuredRatio).toFixed(1)} %), ${output}`);
} catch (error) {
  if (!(error instanceof HalpError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = error.exitCode;
} finally {
  rmSync(runFolder, { recursive: true, force: true });
}
