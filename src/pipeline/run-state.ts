/** Where a run of pruning with training stands: what it goes on from after it was stopped or killed. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Coupling, Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import { readTensors, type Tensors, writeTensors } from "../finetune/index.js";
import { isNumber, parseJson } from "../json.js";
import { runFiles } from "./run-folder.js";
import type { Measurement } from "./settle.js";

/** After a step of the schedule, or once the network was chosen and measured. */
export interface RunState {
  /** Steps that are done. */
  readonly step: number;
  /** Budgets as fractions of the dense latency, by device. */
  readonly ratios: readonly number[];
  /** Of the original. */
  readonly plan: Plan;
  readonly kept: number;
  /** By device. */
  readonly predictedNs: readonly number[];
  /** Of each channel of the original when it was last there, where removed ones may come back. */
  readonly lastImportance?: readonly number[];
  /** Of the network that was chosen. */
  readonly measured?: { readonly on: readonly Measurement[]; readonly rounds: number };
}

export async function saveState(runFolder: string, tensors: Tensors, state: RunState): Promise<void> {
  const text = JSON.stringify({ ...state, plan: state.plan.kept.map((list) => [...list]) });
  await writeTensors(join(runFolder, runFiles.state), { tensors, metadata: { state: text } });
}

/**
 * Undefined where no step was finished.
 * @param coupling of the original
 * @throws HalpError HALP_CHECKPOINT where the file is damaged, or of a run of another network
 */
export async function readState(
  runFolder: string,
  coupling: Coupling,
): Promise<{ state: RunState; tensors: Tensors } | undefined> {
  const path = join(runFolder, runFiles.state);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const { tensors, metadata } = await readTensors(path);
  const refuse = (why: string, cause?: unknown) =>
    new HalpError("HALP_CHECKPOINT", `${path} does not say where its run stands: ${why}. Begin the run anew.`, {
      file: path,
      cause,
    });
  let stored: unknown;
  try {
    stored = parseJson(metadata.state ?? "");
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  if (!isStored(stored, coupling.channelCount)) throw refuse("figures are missing");
  const { groups } = coupling;
  if (stored.plan.length !== groups.length || !stored.plan.every((list, g) => isChoice(list, groups[g]?.size ?? 0)))
    throw refuse("its plan is not one of this network");
  return { state: { ...stored, plan: { kept: stored.plan.map((list) => Int32Array.from(list)) } }, tensors };
}

type Stored = Omit<RunState, "plan"> & { readonly plan: readonly (readonly number[])[] };

const isCount = (x: unknown): x is number => isNumber(x) && Number.isSafeInteger(x) && x >= 0;

function isStored(x: unknown, channels: number): x is Stored {
  const { step, ratios, plan, kept, predictedNs, lastImportance, measured } = (x ?? {}) as Partial<Stored>;
  const figures =
    isCount(step) && isNumber(kept) && isList(ratios) && ratios.every((r) => r > 0) && isList(predictedNs);
  const importance =
    lastImportance === undefined ||
    (Array.isArray(lastImportance) && lastImportance.length === channels && lastImportance.every(isNumber));
  const devices = figures && ratios.length === predictedNs.length ? ratios.length : 0;
  return devices > 0 && Array.isArray(plan) && importance && (measured === undefined || isMeasured(measured, devices));
}

const isList = (x: unknown): x is number[] => Array.isArray(x) && x.every(isNumber);

function isMeasured(x: unknown, devices: number): boolean {
  const { on, rounds } = (x ?? {}) as Partial<NonNullable<RunState["measured"]>>;
  const isOne = (m: Partial<Measurement> | null) =>
    [m?.ratio, m?.spread, m?.denseNs, m?.prunedNs].every((ns) => isNumber(ns));
  return Array.isArray(on) && on.length === devices && on.every(isOne) && isCount(rounds);
}

/** Whether a list holds positions of a group, ascending. */
function isChoice(list: unknown, size: number): boolean {
  if (!Array.isArray(list)) return false;
  return list.every((c, i) => isCount(c) && c < size && (i === 0 || c > list[i - 1]));
}
