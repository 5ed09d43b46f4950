/** What the last search knew, for the run folder: enough to solve its problem again and to show what it was made from. */
import { join } from "node:path";
import type { Coupling } from "../coupling/index.js";
import type { PruneVariable } from "../problem/index.js";
import type { Problem, Solution } from "../solver/index.js";
import { writeText } from "./files.js";
import { runFiles } from "./run-folder.js";
import type { Found, Stage } from "./steps.js";

/** A layer's latency over one of the widths that it depends on, the others whole. */
export interface StaircaseSide {
  /** The groups whose channels make the width; several where they are concatenated. */
  readonly groups: readonly string[];
  /** Width and nanoseconds, by rising width; only what the table holds. */
  readonly points: readonly (readonly [width: number, ns: number])[];
  readonly chosen: number;
}

export interface Staircase {
  /** Name of the layer's first node. */
  readonly name: string;
  /** "Conv+Relu" */
  readonly operators: string;
  readonly sides: readonly StaircaseSide[];
  /** Nanoseconds with all groups whole, and at the widths that were chosen; null where the table does not hold them. */
  readonly wholeNs: number | null;
  readonly chosenNs: number | null;
}

/** A plan as the answer to a problem. */
export interface Solved {
  readonly problem: Problem;
  readonly solution: Solution;
  /** As much as is known by now. */
  readonly staircases: () => readonly Staircase[];
}

/** A group of the network that the last step began with: a variable of the problem. */
export interface SearchGroup {
  readonly name: string;
  /** Channels that it may keep: option i keeps `options[i]`. */
  readonly options: readonly number[];
  /** What was chosen; the number of an option. */
  readonly chosen: number;
  /** Importance of each channel, largest first, to four digits. */
  readonly scores: readonly number[];
  /** How many channels of the original's groups option i keeps. */
  readonly origins: readonly { readonly group: string; readonly kept: readonly number[] }[];
}

/** `halp.search/1`: the search that the chosen network came from. Its problem lies beside it, as `halp.problem/1`. */
export interface SearchRecord {
  readonly format: "halp.search/1";
  /** Predicted, with several devices for the first: of the original, of the network that the last step began with, and of the one that was chosen. */
  readonly latencyNs: { readonly dense: number; readonly present: number; readonly chosen: number };
  /**
   * The answer that the chosen network is, in the problem's terms; null where no problem was solved (`--mode uniform`). What
   * the problem's latencies leave out is `latencyNs.chosen` less its latency.
   */
  readonly solution:
    | (Pick<Solution, "status" | "value" | "latency" | "latencies"> & { readonly upperBound?: number })
    | null;
  /** Importance of all channels of the network that the last step began with, and the share of the original's it stands for. */
  readonly importance: { readonly whole: number; readonly share: number };
  readonly groups: readonly SearchGroup[];
  /** Layers that depend on a group with a choice. */
  readonly layers: readonly Staircase[];
}

/** @param scores importance by the stage's channel numbers */
export function searchGroups(
  stage: Pick<Stage, "coupling" | "origin">,
  original: Coupling,
  variables: readonly PruneVariable[],
  scores: ArrayLike<number>,
  keptOf: (group: number) => number,
): SearchGroup[] {
  const { origin } = stage;
  return variables.map(({ group, options, ranking }) => {
    const first = Array.from(ranking, (c) => original.groupOf[origin[group.start + c] as number] ?? -1);
    const origins = [...new Set(first)].flatMap((g) => {
      const name = original.groups[g]?.name;
      if (name === undefined) return [];
      return [{ group: name, kept: options.map((k) => first.slice(0, k).filter((x) => x === g).length) }];
    });
    return {
      name: group.name,
      options: [...options],
      chosen: Math.max(0, options.indexOf(keptOf(group.id))),
      scores: Array.from(ranking, (c) => Number((scores[group.start + c] ?? 0).toPrecision(4))),
      origins,
    };
  });
}

const told = ({ status, value, latency, latencies, upperBound }: Solution) => ({
  ...{ status, value, latency },
  ...(latencies ? { latencies, upperBound } : {}),
});

/** Writes the search that a network came from, and the problem that it solved. */
export async function writeSearch(runFolder: string, { candidate, search }: Found, denseNs: number): Promise<void> {
  const { solved } = candidate;
  const { groups, importance } = search();
  const [presentNs, predictedNs] = [search().presentNs[0] as number, candidate.predictedNs[0] as number];
  const record: SearchRecord = {
    format: "halp.search/1",
    latencyNs: { dense: denseNs, present: presentNs, chosen: predictedNs },
    solution: solved ? told(solved.solution) : null,
    importance,
    groups,
    layers: solved?.staircases() ?? [],
  };
  // Tables with a number a line would fill screens with nothing.
  if (solved) await writeText(join(runFolder, runFiles.problem), `${JSON.stringify(solved.problem)}\n`);
  await writeText(join(runFolder, runFiles.search), `${JSON.stringify(record)}\n`);
}
