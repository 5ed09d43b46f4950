import { readFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";

/** Where and under what load something was measured. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** Of the first core as the system tells it; 0 where it does not. */
  readonly mhz: number;
  readonly memoryBytes: number;
  readonly node: string;
  readonly platform: string;
  /** Processes ready to run, averaged over the last minute, when the bench began. */
  readonly load: number;
}

/** What Linux lists of the first core, where it does not tell Node; else 0. */
function listedMhz(): number {
  try {
    return Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export function describeMachine(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    mhz: first?.speed || listedMhz(),
    memoryBytes: totalmem(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    load: loadNow(),
  };
}

/** Processes ready to run, averaged over the last minute. */
export function loadNow(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}

/** One line for the head of a table. */
export function machineLine(m: Machine): string {
  const speed = m.mhz > 0 ? ` at ${(m.mhz / 1000).toFixed(1)} GHz` : "";
  return `${m.cpu}${speed}, ${m.cores} cores, ${m.platform}, Node ${m.node}, load ${m.load.toFixed(2)}`;
}
