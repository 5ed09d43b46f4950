/**
 * Cores for the thread that measures: a thread that the system moves between cores finds its caches empty each time.
 * Called in the child process that measures, before it makes a session: the runtime's threads inherit the cores.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HalpError } from "../errors.js";
import { loadAddon } from "./addon.js";
import { busyShares } from "./conditions.js";

/**
 * "auto": as many cores as threads; the fastest, of those the idlest, of those the last (the first serves interrupts), no
 * two of one physical core while there are others. "none": wherever the system puts them. Else the numbers of the cores.
 */
export type Pin = "auto" | "none" | readonly number[];

export interface PinTask {
  readonly pin: Pin;
  readonly threads: number;
}

export interface Pinned {
  /** Empty where nothing was pinned. */
  readonly cores: readonly number[];
  /** Why nothing was pinned although it was asked for; undefined where nobody asked or all is well. */
  readonly reason?: string;
}

/** A core as the choice sees it. */
export interface Core {
  readonly number: number;
  /** Highest clock or, where the system tells it, capacity: only compared with that of other cores. */
  readonly speed: number;
  /** Part of the time that it was busy of late. */
  readonly busy: number;
  /** Cores of the same physical core, itself among them. */
  readonly siblings: readonly number[];
}

/** Milliseconds over which is watched which cores are idle. */
const watchMs = 100;
/** Cores are equally busy within this part of their time. */
const busyStep = 0.1;

/** The cores to measure on, best first; at most `count`. */
export function chooseCores(cores: readonly Core[], count: number): number[] {
  const rank = (a: Core, b: Core): number =>
    b.speed - a.speed || Math.round(a.busy / busyStep) - Math.round(b.busy / busyStep) || b.number - a.number;
  const chosen: number[] = [];
  const left = [...cores].sort(rank);
  while (chosen.length < count && left.length > 0) {
    const apart = left.findIndex((c) => !c.siblings.some((s) => chosen.includes(s)));
    const [core] = left.splice(Math.max(0, apart), 1);
    if (core) chosen.push(core.number);
  }
  return chosen;
}

/**
 * Pins the calling thread, and those that it starts later.
 * @throws HalpError HALP_PIN where cores that were named cannot be had; "auto" takes what it can get
 */
export async function pinThreads({ pin, threads }: PinTask): Promise<Pinned> {
  if (pin === "none") return { cores: [] };
  const { addon, ...missing } = loadAddon();
  try {
    if (!addon) throw new Error("reason" in missing ? missing.reason : "");
    if (pin !== "auto") {
      if (pin.length !== threads)
        throw new Error(`${threads} thread(s) want as many cores; ${pin.length} were named (${pin.join(", ")}).`);
      addon.setThreadAffinity(pin);
      return { cores: pin };
    }
    const allowed = addon.readCpu().allowedCores ?? [];
    const busy = allowed.length > 1 ? await busyShares(() => sleep(watchMs)) : new Map<number, number>();
    const cores = chooseCores(
      allowed.map((number) => coreOf(number, busy.get(number) ?? 0)),
      threads,
    );
    if (cores.length < threads)
      throw new Error(`There are ${cores.length} cores for ${threads} threads: they go where the system puts them.`);
    addon.setThreadAffinity(cores);
    return { cores };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (pin === "auto") return { cores: [], reason: `Measuring is not pinned to a core. ${reason}` };
    throw new HalpError("HALP_PIN", `Measuring cannot be pinned to core ${pin.join(", ")}: ${reason}`, { cause });
  }
}

function coreOf(number: number, busy: number): Core {
  const folder = `/sys/devices/system/cpu/cpu${number}`;
  const capacity = Number(textOf(`${folder}/cpu_capacity`) ?? Number.NaN);
  const clock = Number(textOf(`${folder}/cpufreq/cpuinfo_max_freq`) ?? Number.NaN);
  const speed = Number.isFinite(capacity) ? capacity : Number.isFinite(clock) ? clock : 0;
  return { number, speed, busy, siblings: coreList(textOf(`${folder}/topology/thread_siblings_list`) ?? `${number}`) };
}

/** "0-2,8" as the kernel writes lists of cores. */
export function coreList(text: string): number[] {
  return text
    .trim()
    .split(",")
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [first = Number.NaN, last = first] = part.split("-").map(Number);
      return Number.isFinite(first) ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [];
    });
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
