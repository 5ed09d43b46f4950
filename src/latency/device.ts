/** The device that a table speaks of. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import { HalpError } from "../errors.js";
import { runtimeVersion } from "../runtime/index.js";
import type { Calibration } from "./probes.js";
import type { RuntimeTraits } from "./traits.js";

/** What this machine is; for people, and for the fingerprint. */
export interface Machine {
  readonly cpu: string;
  /** Instruction sets and features, sorted; empty where the system does not say. */
  readonly flags: readonly string[];
  readonly cores: number;
  readonly memoryBytes: number;
  readonly arch: string;
  readonly platform: string;
  readonly osRelease: string;
  readonly node: string;
  /** How the clock speed is governed; undefined where the system does not say. */
  readonly governor?: string;
  /** Work waiting over the last minute, in cores' worth. */
  readonly load: number;
}

/**
 * Where the times of a table come from. "kernel-profile": the CPU provider's profiler. "cuda-events": the addon, between
 * CUDA events. "wall-differences": ONNX Runtime's CUDA provider, by the wall clock. "imported": a table of another tool.
 */
export type TableClock = "kernel-profile" | "cuda-events" | "wall-differences" | "imported";

/** How a GPU computes a convolution. */
export interface GpuForm {
  readonly precision: "fp32" | "tf32" | "fp16";
  readonly layout: "NCHW" | "NHWC";
}

export interface TableGpu extends GpuForm {
  readonly index: number;
  readonly name: string;
  readonly computeCapability: string;
  readonly multiprocessors: number;
  readonly clockKHz: number;
  readonly memoryBytes: number;
  readonly driverVersion: string;
  readonly cudnnVersion: string;
}

/** What the machine was like when the table was begun. */
export interface TableConditions {
  /** Cores that the measuring threads were pinned to; empty where they were not. */
  readonly cores: readonly number[];
  readonly governor?: string;
  readonly currentKHz?: number;
  readonly minKHz?: number;
  readonly maxKHz?: number;
  /** Work waiting over the last minute, in cores' worth. */
  readonly load: number;
}

/** What a table needs to say of its device. */
export interface TableDevice {
  readonly fingerprint: string;
  /** Name of the processor, of the GPU, or what an imported table's device is called. */
  readonly cpu: string;
  readonly flags: readonly string[];
  readonly cores: number;
  readonly arch: string;
  readonly platform: string;
  readonly node: string;
  /** Name, version and provider of what ran the layers. */
  readonly runtime: { readonly name: string; readonly version: string; readonly provider: string };
  readonly threads: number;
  readonly precision: "float32" | "tf32" | "float16" | "unknown";
  readonly clock: TableClock;
  readonly traits: RuntimeTraits;
  readonly calibration: Calibration;
  /** Nanoseconds of the reference layer when the table was begun; 0 before the first measurement. */
  readonly referenceNs: number;
  readonly conditions?: TableConditions;
  readonly gpu?: TableGpu;
}

/** A device by the name that users give it. */
export type DeviceChoice = { readonly kind: "cpu" } | { readonly kind: "cuda" | "ort-cuda"; readonly index: number };

/** "cpu", "cuda:0", "ort-cuda:1". @throws HalpError HALP_DEVICE_NAME */
export function parseDevice(text: string): DeviceChoice {
  if (text === "cpu") return { kind: "cpu" };
  const [, kind, index] = /^(cuda|ort-cuda)(?::(\d{1,4}))?$/.exec(text) ?? [];
  if (kind === undefined)
    throw new HalpError(
      "HALP_DEVICE_NAME",
      `"${text}" is no device: give cpu, cuda:0 (convolutions through the addon) or ort-cuda:0 (ONNX Runtime's CUDA provider).`,
    );
  return { kind: kind as "cuda" | "ort-cuda", index: Number(index ?? 0) };
}

/** The kind of device that a table was measured on. */
export function deviceKind(device: TableDevice): DeviceChoice["kind"] | "imported" {
  switch (device.clock) {
    case "kernel-profile":
      return "cpu";
    case "cuda-events":
      return "cuda";
    case "wall-differences":
      return "ort-cuda";
    default:
      return "imported";
  }
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Describes this machine; takes no measurement. */
export function describeDevice(): Machine {
  const info = readOrUndefined("/proc/cpuinfo") ?? "";
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1]?.split(/\s+/).filter(Boolean) ?? [];
  const governor = readOrUndefined("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")?.trim();
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || "unknown",
    flags: [...new Set(flags)].sort(),
    cores: all.length,
    memoryBytes: totalmem(),
    arch: arch(),
    platform: platform(),
    osRelease: release(),
    node: process.version,
    ...(governor ? { governor } : {}),
    load: loadavg()[0] ?? 0,
  };
}

/** A digest of what tells one device from another. */
export function fingerprintOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}

/** Goes up where what is measured changes, the reference layer included: tables of before are another device's then. */
const measuringVersion = 2;

/**
 * Two runs with the same fingerprint may share measurements: same processor with the same features, same runtime, same
 * number of threads, same way of measuring. The batch size is part of every key.
 */
export function cpuFingerprint(machine: Machine, runtime: string, threads: number): string {
  const { arch, platform, cpu, flags, cores } = machine;
  return fingerprintOf([arch, platform, cpu, flags, cores, runtime, threads, "float32", measuringVersion]);
}

/** Fingerprint of this machine's processor. @throws HalpError HALP_RUNTIME_MISSING */
export function deviceFingerprint(threads = 1): string {
  return cpuFingerprint(describeDevice(), `onnxruntime-node ${runtimeVersion()} cpu`, threads);
}
