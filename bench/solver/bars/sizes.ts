import { gzipSync } from "node:zlib";
import { scalarWasm, simdWasm } from "../../../src/solver/wasm.gen.js";
import { bundleForBrowser } from "../browser-bundle.js";
import type { BarGroup, BarResult } from "./bar.js";

async function bundle(): Promise<BarResult> {
  const gzipBytes = gzipSync(await bundleForBrowser("build/src/solver/index.js", "esm")).length;
  return {
    bar: "solver bundle for the browser, gzipped",
    atLeast: "below 100 KB",
    measured: `${(gzipBytes / 1000).toFixed(1)} KB`,
    reached: gzipBytes < 100_000,
    instances: "",
    notes: [],
    figures: { gzipBytes },
  };
}

export const sizes: BarGroup = {
  name: "sizes",
  seconds: [2, 2],
  async run() {
    const bytes = { simd: Buffer.from(simdWasm, "base64").length, scalar: Buffer.from(scalarWasm, "base64").length };
    return [
      {
        bar: "WASM files",
        atLeast: "below 64 KB each",
        measured: `SIMD ${(bytes.simd / 1000).toFixed(1)} KB, scalar ${(bytes.scalar / 1000).toFixed(1)} KB`,
        reached: Math.max(bytes.simd, bytes.scalar) < 64_000,
        instances: "",
        notes: [],
        figures: bytes,
      },
      await bundle(),
    ];
  },
};
