/** The devices that a network has to suit, each with its latency table and its budget. */
import { basename } from "node:path";
import { HalpError } from "../errors.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import { benchHere, type ModelBench } from "../jobs/index.js";
import { type Oracle, openOracle } from "./oracle.js";
import type { Budget, DeviceTarget, PruneOptions } from "./types.js";

export interface Device {
  /** What users call it; different from those of the others. */
  readonly name: string;
  readonly oracle: Oracle;
  /** Where it is measured: here, where its table is of a device that is not at hand. */
  readonly bench: ModelBench;
  /** Its budget as a fraction of the dense latency. */
  readonly ratio: number;
  /** Predicted latency of the original. */
  readonly denseNs: number;
}

/** The device of the options, and the others. */
export function targetsOf({ budget, bench, table, device, others = [] }: PruneOptions): readonly DeviceTarget[] {
  const first: DeviceTarget = {
    budget,
    ...(bench ? { bench } : {}),
    ...(table === undefined ? {} : { table }),
    ...(device === undefined ? {} : { device }),
  };
  return [first, ...others];
}

/**
 * @param ratios budgets as an earlier run found them
 * @throws HalpError HALP_BUDGET_RANGE where the network already is within a budget; HALP_DEVICE_OPTION; what opening a table
 *   refuses
 */
export async function openDevices(
  options: PruneOptions,
  analyzed: AnalyzedGraph,
  warn: (message: string) => void,
  ratios?: readonly number[],
): Promise<Device[]> {
  const targets = targetsOf(options);
  const names = namesOf(targets);
  const { table: _t, device: _d, bench: _b, others: _o, ...common } = options;
  return await Promise.all(
    targets.map(async ({ budget, ...where }, d): Promise<Device> => {
      const name = names[d] as string;
      const warnOf = targets.length > 1 ? (message: string) => warn(`${name}: ${message}`) : warn;
      const oracle = await openOracle({ ...common, ...where }, warnOf);
      const denseNs = await oracle.predictNs(analyzed);
      const predictedNs = oracle.isOwn ? undefined : denseNs;
      const bench: ModelBench = where.bench ?? benchHere;
      const ratio = ratios?.[d] ?? (await ratioOf(budget, bench, options, analyzed, predictedNs));
      return { name, oracle, bench, ratio, denseNs };
    }),
  );
}

/** @throws HalpError HALP_DEVICE_OPTION where two are the same */
function namesOf(targets: readonly DeviceTarget[]): string[] {
  const names = targets.map(({ bench, table, device }) =>
    bench ? bench.name : table === undefined ? (device ?? "here") : basename(table).replace(/\.json$/i, ""),
  );
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return names;
  throw new HalpError("HALP_DEVICE_OPTION", `${twice} is named twice: a device has one budget.`);
}

/** Predicted nanoseconds of one run of a network on each device, what is missing measured first, on all at the same time. */
export async function predictOn(devices: readonly Device[], analyzed: AnalyzedGraph): Promise<number[]> {
  return await Promise.all(devices.map(({ oracle }) => oracle.predictNs(analyzed)));
}

/** The multiple of channels that suits all: the least common one. */
export function alignmentFor(devices: readonly Device[]): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  return devices.reduce((all, { oracle: { alignment } }) => (all * alignment) / divisor(all, alignment), 1);
}

/**
 * A budget as a fraction of the dense latency; a budget in time is held against a measurement.
 * @param predictedNs what the network takes on another device, which cannot be measured here
 */
async function ratioOf(
  budget: Budget,
  bench: ModelBench,
  options: PruneOptions,
  analyzed: AnalyzedGraph,
  predictedNs: number | undefined,
): Promise<number> {
  if (budget.kind === "ratio") return budget.ratio;
  const dense = predictedNs ?? (await denseLatency(bench, options, analyzed));
  if (budget.ns >= dense)
    throw new HalpError(
      "HALP_BUDGET_RANGE",
      `The network already takes ${(dense / 1e6).toFixed(3)} ms${predictedNs !== undefined ? "" : bench === benchHere ? " here" : ` on ${bench.name}`}, less than the budget of ${(budget.ns / 1e6).toFixed(3)} ms: there is nothing to do.`,
    );
  return budget.ns / dense;
}

async function denseLatency(bench: ModelBench, options: PruneOptions, analyzed: AnalyzedGraph): Promise<number> {
  const { threads, pin, signal } = options;
  const { latencies } = await bench.measureModels([analyzed.model], {
    inputs: Object.fromEntries(analyzed.inputDims),
    threads: threads ?? 1,
    ...(pin ? { pin } : {}),
    ...(signal ? { signal } : {}),
  });
  return latencies[0]?.median ?? Number.NaN;
}

/** @throws HalpError HALP_BUDGET_RANGE */
export function checkBudget(budget: Budget): void {
  const fits =
    budget.kind === "ratio" ? budget.ratio > 0 && budget.ratio < 1 : budget.ns > 0 && Number.isFinite(budget.ns);
  if (!fits)
    throw new HalpError(
      "HALP_BUDGET_RANGE",
      `The budget must lie above 0 and below 100 % of the dense latency (55%), or be a time above 0 (3.2ms); got ${
        budget.kind === "ratio" ? `${100 * budget.ratio} %` : `${budget.ns / 1e6} ms`
      }.`,
    );
}
