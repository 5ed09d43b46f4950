/** `halp.report-data/1`: all that the page of a run shows. */
import { basename } from "node:path";
import type { PruneResult } from "../pipeline/index.js";
import type { Run } from "./read-run.js";
import { type Frontier, openWhatIfs } from "./what-if.js";

export interface ReportData extends Omit<Run, "folder"> {
  readonly format: "halp.report-data/1";
  /** Of the network. */
  readonly name: string;
  readonly result: PruneResult;
  readonly frontier: Frontier | null;
}

/** Frontiers of networks take milliseconds to seconds; one that takes longer is left incomplete. */
const frontierLimits = { timeLimitMs: 10_000, maxPoints: 400 };

export function reportData(run: Run): ReportData {
  const { result, search, problem } = run;
  const { command: _, ...config } = run.config ?? {};
  return {
    format: "halp.report-data/1",
    name: basename(typeof config.model === "string" ? config.model : result.output),
    result,
    search,
    problem,
    // a budget for each of several devices leaves no line to walk along
    frontier:
      search?.solution && problem && !problem.budgets ? openWhatIfs(problem, search).frontier(frontierLimits) : null,
    layers: run.layers,
    device: run.device,
    // The command repeats the options, and names a folder that is nobody else's business.
    config: run.config === null ? null : config,
    log: run.log,
  };
}
