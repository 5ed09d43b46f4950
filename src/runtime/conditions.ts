/** What makes timings doubtful on this machine: how its clock is governed, who else works on it. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";

export interface Conditions {
  /** "performance", "powersave", "schedutil"; absent where the system does not say. */
  readonly governor?: string;
  readonly currentKHz?: number;
  readonly minKHz?: number;
  readonly maxKHz?: number;
  /** Work waiting over the last minute, in cores' worth; 0 where the system does not say. */
  readonly load: number;
  /** Cores that this process may use. */
  readonly cores: number;
}

/** Time of all cores since the machine started, in the system's ticks. */
export interface CpuTicks {
  readonly total: number;
  /** Time that the hypervisor gave to other machines. */
  readonly stolen: number;
  /** Of each core: time at work, and all. */
  readonly perCore: ReadonlyMap<number, { readonly busy: number; readonly total: number }>;
  /** Times that the control group of this process was held back because its share was used up. */
  readonly throttled: number;
}

/** Stolen time beyond this part makes figures doubtful. */
const stolenLimit = 0.02;

/** @param root where `sys` and `proc` are; another than "/" only in tests */
export function readConditions(core = 0, root = "/"): Conditions {
  const folder = join(root, `sys/devices/system/cpu/cpu${core}/cpufreq`);
  const kiloHertz = (name: string, file: string) => {
    const value = Number(textOf(join(folder, file)) ?? Number.NaN);
    return value > 0 ? { [name]: value } : {};
  };
  const governor = textOf(join(folder, "scaling_governor"))?.trim();
  const load = root === "/" ? loadavg()[0] : Number(textOf(join(root, "proc/loadavg"))?.split(" ")[0]);
  return {
    ...(governor ? { governor } : {}),
    ...kiloHertz("currentKHz", "scaling_cur_freq"),
    ...kiloHertz("minKHz", "cpuinfo_min_freq"),
    ...kiloHertz("maxKHz", "cpuinfo_max_freq"),
    load: load || 0,
    cores: availableParallelism(),
  };
}

/** Undefined where the system does not say. */
export function readTicks(root = "/"): CpuTicks | undefined {
  const stat = textOf(join(root, "proc/stat"));
  const lines = stat?.split("\n").filter((line) => line.startsWith("cpu")) ?? [];
  const [all, ...each] = lines.map((line) => line.split(/\s+/).slice(1, 9).map(Number));
  if (!all || all.length < 8) return undefined;
  // user, nice, system, idle, iowait, irq, softirq, steal
  const sum = (ticks: readonly number[]) => ticks.reduce((a, b) => a + b, 0);
  const idle = (ticks: readonly number[]) => (ticks[3] ?? 0) + (ticks[4] ?? 0);
  const perCore = new Map(
    each.map((ticks, i) => [
      Number(/\d+/.exec(lines[i + 1] ?? "")?.[0] ?? i),
      { busy: sum(ticks) - idle(ticks), total: sum(ticks) },
    ]),
  );
  const throttled = /^nr_throttled (\d+)/m.exec(textOf(join(root, "sys/fs/cgroup/cpu.stat")) ?? "")?.[1];
  return { total: sum(all), stolen: all[7] ?? 0, perCore, throttled: Number(throttled ?? 0) };
}

/** Part of the time that each core was busy while something went on. */
export async function busyShares(meanwhile: () => Promise<unknown>): Promise<Map<number, number>> {
  const before = readTicks();
  await meanwhile();
  const after = readTicks();
  const shares = new Map<number, number>();
  for (const [core, { busy, total }] of after?.perCore ?? []) {
    const then = before?.perCore.get(core);
    if (then && total > then.total) shares.set(core, (busy - then.busy) / (total - then.total));
  }
  return shares;
}

/** What to tell the user before measuring; the same words each time, so that a caller can tell them once. */
export function doubtsBefore(conditions: Conditions, threads: number): string[] {
  const doubts: string[] = [];
  const { cores, governor, load } = conditions;
  if (governor !== undefined && governor !== "performance")
    doubts.push(
      `The clock speed is governed by "${governor}": figures swing with it. For steady ones: sudo cpupower frequency-set -g performance`,
    );
  // What measures may be part of the load already.
  if (load > Math.max(cores - threads, threads) + 0.5)
    doubts.push(
      `Other work loads the ${cores} core(s) of this machine: figures will be too high and uncertain. Measure when it is idle.`,
    );
  return doubts;
}

/** What to tell the user after measuring. */
export function doubtsDuring(before: CpuTicks | undefined, after: CpuTicks | undefined): string[] {
  if (!before || !after) return [];
  const doubts: string[] = [];
  if (after.stolen - before.stolen > stolenLimit * (after.total - before.total))
    doubts.push(
      `The hypervisor gave more than ${100 * stolenLimit} % of the time to other machines while halp measured: figures are uncertain.`,
    );
  if (after.throttled > before.throttled)
    doubts.push("The CPU quota of this container was used up while halp measured: figures are too high. Raise it.");
  return doubts;
}

/** Tells what is doubtful now; what comes back tells, called at the end, what was doubtful meanwhile. */
export function watchConditions(threads: number, warn: (message: string) => void): () => void {
  for (const doubt of doubtsBefore(readConditions(), threads)) warn(doubt);
  const before = readTicks();
  return () => {
    for (const doubt of doubtsDuring(before, readTicks())) warn(doubt);
  };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
