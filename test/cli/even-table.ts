/** Latency tables that no machine measured: for tests whose results must not depend on the machine. */
import { readFileSync, writeFileSync } from "node:fs";
import type { LayerConfig } from "../../src/latency/index.js";
import { latencyCache, runHalp } from "./run-halp.js";

/** A device that no machine is: nanoseconds for each layer, for each element that it reads, for each product that it sums. */
export interface EvenDevice {
  readonly name?: string;
  readonly perLayer?: number;
  readonly perElement?: number;
  readonly perProduct?: number;
}

const elements = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

function nsOf({ inputs, constants }: LayerConfig, { perLayer, perElement, perProduct }: Required<EvenDevice>): number {
  const read = inputs.reduce((sum, { dims }) => sum + elements(dims), 0);
  const [batch = 1, , height = 1, width = 1] = inputs[0]?.dims ?? [];
  const weights = constants[0]?.dims ?? [];
  const products = weights.length > 1 ? batch * height * width * elements(weights) : 0;
  return Math.round(perLayer + perElement * read + perProduct * products);
}

/** Writes a table's layers with the latencies of a device that grow evenly. */
export function writeEvenTable(from: string, path: string, device: EvenDevice = {}): void {
  const even = { name: "no machine", perLayer: 500, perElement: 1, perProduct: 0.02, ...device };
  const table = JSON.parse(readFileSync(from, "utf8"));
  for (const entry of table.entries) {
    const ns = nsOf(entry.config, even);
    Object.assign(entry, { ns, samples: { min: ns, q1: ns, median: ns, q3: ns, count: 9 } });
  }
  Object.assign(table.device, { fingerprint: even.name, cpu: even.name });
  writeFileSync(path, JSON.stringify(table));
}

/** Lists the layers of a model by `halp profile`, and gives each the same latency on every machine. */
export async function writeEvenTableOf(model: string, path: string, batch: number): Promise<void> {
  const args = ["profile", model, "-o", path, "--batch", String(batch), "--cache", latencyCache, "--patience", "0"];
  const { status, stderr } = await runHalp(args);
  if (status !== 0) throw new Error(stderr);
  writeEvenTable(path, path);
}
