/** A latency table of the small classifier that no machine measured: for tests whose results must not depend on the machine. */
import { readFileSync, writeFileSync } from "node:fs";
import type { LayerConfig } from "../../src/latency/index.js";
import { latencyCache, runHalp } from "./run-halp.js";

const elements = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** Grows evenly with what a layer reads and computes. */
function nsOf({ inputs, constants }: LayerConfig): number {
  const read = inputs.reduce((sum, { dims }) => sum + elements(dims), 0);
  const [batch = 1, , height = 1, width = 1] = inputs[0]?.dims ?? [];
  const weights = constants[0]?.dims ?? [];
  return Math.round(500 + read + (weights.length > 1 ? 0.02 * batch * height * width * elements(weights) : 0));
}

/** Lists the layers of a model by `halp profile`, and gives each the same latency on every machine. */
export async function writeSmallTable(model: string, path: string, batch: number): Promise<void> {
  const args = ["profile", model, "-o", path, "--batch", String(batch), "--cache", latencyCache, "--patience", "0"];
  const { status, stderr } = await runHalp(args);
  if (status !== 0) throw new Error(stderr);
  const table = JSON.parse(readFileSync(path, "utf8"));
  for (const entry of table.entries) {
    const ns = nsOf(entry.config);
    Object.assign(entry, { ns, samples: { min: ns, q1: ns, median: ns, q3: ns, count: 9 } });
  }
  Object.assign(table.device, { fingerprint: "no machine", cpu: "no machine" });
  writeFileSync(path, JSON.stringify(table));
}
