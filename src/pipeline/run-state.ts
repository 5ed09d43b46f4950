/** Where a run of pruning with training stands: what it goes on from after it was stopped or killed. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Plan } from "../coupling/index.js";
import { HalpError } from "../errors.js";
import { readTensors, type Tensors, writeTensors } from "../finetune/index.js";
import { runFiles } from "./run-folder.js";
import type { Measurement } from "./settle.js";

/** After a step of the schedule, or once the network was chosen and measured. */
export interface RunState {
  /** Steps that are done. */
  readonly step: number;
  /** Budget as a fraction of the dense latency. */
  readonly ratio: number;
  /** Of the original. */
  readonly plan: Plan;
  readonly kept: number;
  readonly predictedNs: number;
  /** Of each channel of the original when it was last there, where removed ones may come back. */
  readonly lastImportance?: readonly number[];
  /** Of the network that was chosen. */
  readonly measured?: Measurement & { readonly rounds: number };
}

export async function saveState(runFolder: string, tensors: Tensors, state: RunState): Promise<void> {
  const text = JSON.stringify({ ...state, plan: state.plan.kept.map((list) => [...list]) });
  await writeTensors(join(runFolder, runFiles.state), { tensors, metadata: { state: text } });
}

/** Undefined where no step was finished. @throws HalpError HALP_CHECKPOINT where the file is damaged */
export async function readState(runFolder: string): Promise<{ state: RunState; tensors: Tensors } | undefined> {
  const path = join(runFolder, runFiles.state);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const { tensors, metadata } = await readTensors(path);
  try {
    const stored = JSON.parse(metadata.state ?? "") as Omit<RunState, "plan"> & { readonly plan: readonly number[][] };
    return { state: { ...stored, plan: { kept: stored.plan.map((list) => Int32Array.from(list)) } }, tensors };
  } catch (cause) {
    throw new HalpError("HALP_CHECKPOINT", `${path} does not say where its run stands.`, { file: path, cause });
  }
}
