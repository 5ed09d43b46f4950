import type { TableDevice } from "../../src/latency/index.js";

/** A device that no machine is. */
export const device: TableDevice = {
  fingerprint: "f00d",
  cpu: "abacus",
  flags: [],
  cores: 1,
  arch: "x64",
  platform: "linux",
  node: "v20.0.0",
  runtime: { name: "onnxruntime-node", version: "1.30.0", provider: "cpu" },
  threads: 1,
  precision: "float32",
  clock: "kernel-profile",
  traits: { blockSize: 16 },
  calibration: { nodeNs: 1500, runNs: 5000, idleNs: 250 },
  referenceNs: 300_000,
};
