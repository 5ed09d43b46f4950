import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { scalarWasm, simdWasm } from "../../../src/solver/wasm.gen.js";
import { type BarGroup, type BarResult, untold } from "./bar.js";

const bundleScript = "scripts/bundle-size.mjs";

/** The size that the bundle script states: the last line of its output as JSON, `{"gzipBytes": ...}`. */
function bundle(): BarResult {
  const bar = "solver bundle for the browser, gzipped";
  const atLeast = "below 100 KB";
  if (!existsSync(bundleScript)) return untold(bar, atLeast, "", `there is no ${bundleScript}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [bundleScript, "--json"], { encoding: "utf8" });
  try {
    const said = JSON.parse(stdout.trim().split("\n").at(-1)!) as { gzipBytes: number };
    const measured = `${(said.gzipBytes / 1000).toFixed(1)} KB`;
    return { bar, atLeast, measured, reached: said.gzipBytes < 100_000, instances: "", notes: [], figures: said };
  } catch {
    return untold(bar, atLeast, "", `${bundleScript} ended with ${status}: ${(stderr || stdout).trim().slice(0, 200)}`);
  }
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
      bundle(),
    ];
  },
};
