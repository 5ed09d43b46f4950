/** The folder of a run: what lies in it, made ready for a new run, and whether a run can go on from there. */
import { access, constants, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { HalpError } from "../errors.js";

/** Names in a run folder. */
export const runFiles = {
  /** The options, and the command that began the run. */
  config: "config.json",
  /** Where the schedule of pruning stands: plan and weights after its last step. */
  state: "state.safetensors",
  /** Where the epochs stand: weights and the optimiser's state. */
  checkpoint: "checkpoint.safetensors",
  /** Weights on their way between two networks of the schedule. */
  weights: "weights.safetensors",
  /** A line an epoch. */
  log: "log.jsonl",
  /** Which ways to compute a layer this run uses. */
  forms: "forms.json",
  plan: "plan.json",
  /** The last search, and the problem that the chosen network is the answer to. */
  search: "search.json",
  problem: "problem.json",
  /** What the latencies are of. */
  device: "device.json",
  result: "result.json",
  layers: "layers.json",
  /** What people look at, and its figures. */
  page: "report.html",
  pageData: "report.json",
} as const;

export const stepFile = (step: number): string => `step-${step}.json`;
const isStepFile = (name: string) => /^step-\d+\.json$/.test(name);
/** What is being written has such a name until it is whole. */
const isUnfinished = (name: string) => name.endsWith(".tmp");

/** @throws HalpError HALP_RUN_FOLDER where the folder cannot be made or written to */
export async function makeRunFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  } catch (cause) {
    throw new HalpError(
      "HALP_RUN_FOLDER",
      `Cannot use ${path} as run folder: ${(cause as Error).message}. Give another with --run.`,
      { file: path, cause },
    );
  }
}

/**
 * Takes away what an earlier run left, so that nothing of it is taken for this run's; files of other names stay.
 * @param onlyUnfinished of a run that goes on: only what a killed process was writing
 */
export async function clearRunFolder(path: string, onlyUnfinished: boolean): Promise<void> {
  const own = new Set<string>(Object.values(runFiles));
  const names = await readdir(path);
  const goes = (name: string) => {
    const whole = name.replace(/\.[0-9a-f-]{36}\.tmp$/, "");
    if (!own.has(whole) && !isStepFile(whole)) return false;
    return isUnfinished(name) || !onlyUnfinished;
  };
  await Promise.all(names.filter(goes).map((name) => rm(join(path, name), { force: true })));
}

/**
 * Whether a run can be gone on with from what lies in its folder.
 * @param since milliseconds since 1970: only what was saved at that time or later counts
 */
export async function canResume(path: string, since = 0): Promise<boolean> {
  const times = await Promise.all(
    [runFiles.state, runFiles.checkpoint].map(
      async (name) => (await stat(join(path, name)).catch(() => undefined))?.mtimeMs,
    ),
  );
  return times.some((time) => time !== undefined && time >= since);
}
