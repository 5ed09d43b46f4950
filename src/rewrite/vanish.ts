/** Which groups may lose all their channels, and what goes with them. */
import type { Coupling } from "../coupling/types.js";
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";
import { openAbsence } from "./absence.js";
import type { Kept } from "./kept.js";

export interface Vanishing {
  readonly ok: boolean;
  /** Why it may not be; undefined where `ok`. */
  readonly reason?: string;
  readonly absentValues: ReadonlySet<string>;
  /** Input slots that are dropped, by node. */
  readonly dropped: ReadonlyMap<Node, readonly number[]>;
  /** Input slots that read an absent gate, by node: they read its constant instead. */
  readonly gates: ReadonlyMap<Node, readonly number[]>;
}

/** Whether these groups, together, may vanish while all others stay whole. Costs what lies behind the groups. */
export function vanishing(analyzed: AnalyzedGraph, coupling: Coupling, groupIds: Iterable<number>): Vanishing {
  const absence = openAbsence(analyzed, coupling);
  const reason = absence.add([...groupIds]);
  return {
    ok: reason === undefined,
    ...(reason === undefined ? {} : { reason }),
    absentValues: absence.absentValues,
    dropped: absence.dropped,
    gates: absence.gates,
  };
}

/**
 * Groups any of which may vanish, alone and all together: taken in order, each where it may go alone and the network still
 * connects with all taken before. That more may go than some is not a matter of course: a Concat may lose a part only if
 * all of the part's channels go.
 */
export function groupsThatMayVanish(analyzed: AnalyzedGraph, coupling: Coupling): ReadonlySet<number> {
  const taken = new Set<number>();
  const nothing = openAbsence(analyzed, coupling);
  const others = openAbsence(analyzed, coupling);
  for (const { id, frozen } of coupling.groups)
    if (frozen === undefined && nothing.probe([id]) === undefined && others.add([id]) === undefined) taken.add(id);
  return taken;
}

/** The same for whatever a plan leaves. */
export function traceAbsence(analyzed: AnalyzedGraph, coupling: Coupling, kept: Kept): Vanishing {
  const empty = coupling.groups.filter((g) => !kept.channels.subarray(g.start, g.start + g.size).includes(1));
  return vanishing(
    analyzed,
    coupling,
    empty.map((g) => g.id),
  );
}
