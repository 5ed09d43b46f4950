/** Layers on the CPU provider of ONNX Runtime: many in one model, by the runtime's own profiler. */
import { setTimeout as wait } from "node:timers/promises";
import { HalpError } from "../errors.js";
import { type Child, type Pinned, type PinTask, readConditions, type Samples, spawnChild } from "../runtime/index.js";
import type { RawLayer } from "./attribute.js";
import { layerBytes } from "./bank.js";
import type { BankReply, BankTask, ProbeReply } from "./bank-child.js";
import { type LayerConfig, layerKey } from "./config.js";
import { cpuFingerprint, describeDevice, deviceFingerprint, type TableDevice } from "./device.js";
import { driftOf, type Item, type Meter, type MeterOptions } from "./meter.js";
import { Patience } from "./patience.js";
import type { TableEntry } from "./table.js";

export interface BankOptions {
  /** Milliseconds of runs per bank, twice. Default 40. */
  readonly bankMs?: number;
  /** Layers in a bank at most. Default 12. */
  readonly bankLayers?: number;
  /** Shared by all that fills one table. */
  readonly patience?: Patience;
}

/**
 * Few, so that a bank's memory fits the caches as a network's does: with four times as many, layers of a small network
 * read 30 % too slow.
 */
const defaultBankLayers = 12;
const bankBytes = 192 * 2 ** 20;
/** Runs of a bank at most: small layers take as many as the time allows, since the clock counts whole microseconds. */
const mostRuns = 400;
/**
 * Other work on the machine comes in bouts of seconds in which what does little takes twice as long, a convolution a tenth
 * longer. Nodes that do nothing show them: where those of a bank take so many times what they took in the best of moments,
 * it is measured again after a pause. A bank is tried so many times at most, and as long as there is patience.
 */
const disturbed = 1.12;
/** The same of the reference layer: all that shows where layers are large. In quiet moments it keeps within 0.01. */
const slowReference = 1.03;
const pauseMs = 100;
const mostTries = 20;
/** Banks whose layers take longer than this leave the caches cold, which lengthens idle nodes too, and are hardly lengthened. */
const smallBankNs = 1e6;
/** Looks at the reference layer when a table is begun, the best of which counts. */
const looks = 4;

const entryPoint = new URL("./bank-child.js", import.meta.url);

/** @throws HalpError HALP_RUNTIME_MISSING */
export async function openCpuMeter(options: MeterOptions & BankOptions): Promise<Meter> {
  const { threads, pin, signal } = options;
  const fingerprint = deviceFingerprint(threads);
  const start = async (): Promise<{ readonly child: Child; readonly cores: readonly number[] }> => {
    const child = spawnChild(entryPoint, signal ? { signal } : {});
    try {
      const { cores, reason } = await child.request<Pinned>("pin", { pin, threads } satisfies PinTask);
      if (reason !== undefined) options.onWarning?.(reason);
      return { child, cores };
    } catch (error) {
      child.dispose();
      throw error;
    }
  };
  let running: Awaited<ReturnType<typeof start>> | undefined = await start();
  const present = async () => {
    running ??= await start();
    return running;
  };
  const end = () => {
    running?.child.dispose();
    running = undefined;
  };
  const patience = options.patience ?? new Patience();
  const bankNs = (options.bankMs ?? 40) * 1e6;
  return {
    fingerprint,
    describe: async () => {
      const { child, cores } = await present();
      return describe(child, threads, cores);
    },
    groupsOf: (items) => banksOf(items, options.bankLayers),
    measure: async (device, bank) => {
      const { child } = await present();
      let reply = await runBank(child, device, bank, bankNs);
      for (let tries = 1; tries < mostTries && patience.left && strainOf(device, reply) > 1; tries++) {
        const start = performance.now();
        await wait(pauseMs, undefined, signal ? { signal } : {});
        const again = await runBank(child, device, bank, bankNs);
        patience.spend(performance.now() - start);
        if (strainOf(device, again) < strainOf(device, reply)) reply = again;
      }
      // Memory that a large layer took is not given back while the process lives.
      if (bank.reduce((bytes, [, config]) => bytes + layerBytes(config), 0) > bankBytes) end();
      return bankEntries(device, bank, reply);
    },
    [Symbol.dispose]: end,
  };
}

async function describe(child: Child, threads: number, cores: readonly number[]): Promise<TableDevice> {
  const probe: BankTask = { configs: [], threads, targetNs: 5e7, minRuns: 30, maxRuns: 200 };
  const replies: BankReply[] = [];
  for (let look = 0; look < looks; look++) {
    if (look > 0) await wait(pauseMs);
    replies.push(await child.request<BankReply>("measure", probe));
  }
  const probed = await child.request<ProbeReply>("probe", { threads });
  // disturbance only ever adds
  const referenceNs = Math.min(...replies.map((r) => r.referenceNs));
  const machine = describeDevice();
  const { cores: _, ...conditions } = readConditions(cores[0]);
  return {
    fingerprint: cpuFingerprint(machine, `onnxruntime-node ${probed.runtimeVersion} cpu`, threads),
    cpu: machine.cpu,
    flags: machine.flags,
    cores: machine.cores,
    arch: machine.arch,
    platform: machine.platform,
    node: machine.node,
    runtime: { name: "onnxruntime-node", version: probed.runtimeVersion, provider: "cpu" },
    threads,
    precision: "float32",
    clock: "kernel-profile",
    traits: probed.traits,
    calibration: probed.calibration,
    referenceNs,
    conditions: { cores, ...conditions },
  };
}

/** Layers in banks of one opset version, of bounded number and size. */
export function banksOf<T extends Item>(list: readonly T[], bankLayers = defaultBankLayers): T[][] {
  const byOpset = new Map<number, T[]>();
  for (const item of list) {
    const { opset } = item[1];
    byOpset.set(opset, [...(byOpset.get(opset) ?? []), item]);
  }
  const banks: T[][] = [];
  for (const [, items] of byOpset) {
    let bank: T[] = [];
    let bytes = 0;
    for (const item of items) {
      const size = layerBytes(item[1]);
      if (bank.length > 0 && (bank.length >= bankLayers || bytes + size > bankBytes)) {
        banks.push(bank);
        bank = [];
        bytes = 0;
      }
      bank.push(item);
      bytes += size;
    }
    if (bank.length > 0) banks.push(bank);
  }
  return banks;
}

/** How much other work there was while a bank was measured: above 1 it is measured again. */
function strainOf({ calibration, referenceNs: best }: TableDevice, reply: BankReply): number {
  const { idleNs = 0, layers, referenceNs } = reply;
  const isSmall = layers.reduce((sum, { lower }) => sum + lower, 0) <= smallBankNs;
  const idle = isSmall ? idleNs / (calibration.nodeNs + calibration.idleNs) : 0;
  return Math.max(referenceNs / best / slowReference, idle / disturbed);
}

async function runBank(child: Child, device: TableDevice, bank: readonly Item[], targetNs: number): Promise<BankReply> {
  const task: BankTask = {
    configs: bank.map(([, c]) => c),
    threads: device.threads,
    targetNs,
    minRuns: 8,
    maxRuns: mostRuns,
  };
  return await child.request<BankReply>("measure", task);
}

function bankEntries(device: TableDevice, bank: readonly Item[], reply: BankReply): [string, TableEntry][] {
  const drift = driftOf(device, reply.referenceNs);
  // What the profiler costs depends on how cold the layers leave the caches: it is taken from the same bank.
  const { nodeNs: tight, idleNs } = device.calibration;
  const nodeNs = reply.idleNs === undefined ? tight : Math.max(0, reply.idleNs - idleNs);
  return bank.map(([key, config], i) => {
    const raw = reply.layers[i] as RawLayer;
    return [key, entryFrom(config, raw, nodeNs, drift)];
  });
}

function entryFrom(config: LayerConfig, raw: RawLayer, nodeNs: number, drift: number): TableEntry {
  const net = (v: number): number => Math.round(Math.max(0, v - raw.kernels * nodeNs) * drift);
  const { min, q1, median, q3, count } = raw.samples;
  const samples: Samples = { min: net(min), q1: net(q1), median: net(median), q3: net(q3), count };
  const ns = net(raw.lower);
  if (!Number.isFinite(ns))
    throw new HalpError(
      "HALP_MEASURE_FAILED",
      `The runtime's profile holds no time for the layer ${layerKey(config)}. Run again; where it stays so, freeze the group of this layer and report it.`,
      { name: layerKey(config), exitCode: 1 },
    );
  return { config, ns, samples, kernels: raw.kernels, layoutAsExpected: raw.layoutAsExpected };
}
