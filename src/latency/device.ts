/** The device that a table speaks of. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
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

/** What a table needs to say of its device. */
export interface TableDevice {
  readonly fingerprint: string;
  readonly cpu: string;
  readonly flags: readonly string[];
  readonly cores: number;
  readonly arch: string;
  readonly platform: string;
  readonly node: string;
  /** Name, version and provider of what ran the layers. */
  readonly runtime: { readonly name: string; readonly version: string; readonly provider: string };
  readonly threads: number;
  readonly precision: "float32";
  /** Where the times come from. */
  readonly clock: "kernel-profile";
  readonly traits: RuntimeTraits;
  readonly calibration: Calibration;
  /** Nanoseconds of the reference layer when the table was begun; 0 before the first measurement. */
  readonly referenceNs: number;
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

/**
 * Two runs with the same fingerprint may share measurements: same processor with the same features, same runtime, same
 * number of threads, same way of measuring. The batch size is part of every key.
 */
export function fingerprintOf(machine: Machine, runtime: string, threads: number): string {
  const parts = [
    machine.arch,
    machine.platform,
    machine.cpu,
    machine.flags,
    machine.cores,
    runtime,
    threads,
    "float32",
    1,
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);
}

/** Fingerprint of this machine. @throws HalpError HALP_RUNTIME_MISSING */
export function deviceFingerprint(threads = 1): string {
  return fingerprintOf(describeDevice(), `onnxruntime-node ${runtimeVersion()} cpu`, threads);
}
