/** From labels to groups: channels that lie on the same axes, equally often, are of one kind and form a group. */
import type { AnalyzedGraph } from "../graph/analysis.js";
import type { Node } from "../graph/ir.js";
import type { AxisLabels } from "../operators/spec.js";
import type { Labelled } from "./engine.js";
import type { Coupling, CouplingGroup } from "./types.js";

export function formGroups(_analyzed: AnalyzedGraph, labelled: Labelled): Coupling {
  const { classes } = labelled;
  const kinds = kindsOf(labelled);

  // One group per kind and frozen reason; in the order of the smallest label, which is the order of the graph.
  const groupByKey = new Map<string, { channels: number[]; frozen: string | undefined }>();
  for (let label = 0; label < classes.count; label++) {
    if (classes.root(label) !== label || kinds[label] === 0) continue;
    const frozen = classes.frozen(label);
    const key = `${kinds[label]}:${frozen ?? ""}`;
    let group = groupByKey.get(key);
    if (!group) {
      group = { channels: [], frozen };
      groupByKey.set(key, group);
    }
    group.channels.push(label);
  }

  const channelOfRoot = new Int32Array(classes.count).fill(-1);
  const groupOf: number[] = [];
  let channelCount = 0;
  const raw = [...groupByKey.values()];
  raw.forEach((group, id) => {
    for (const root of group.channels) {
      channelOfRoot[root] = channelCount++;
      groupOf.push(id);
    }
  });
  const channelOf = (label: number) => (label < 0 ? -1 : (channelOfRoot[classes.root(label)] ?? -1));

  const axes = new Map<string, (Int32Array | null)[]>();
  for (const [name, all] of labelled.axes)
    axes.set(
      name,
      all.map((labels) => (labels ? labels.map(channelOf) : null)),
    );

  const nodesOf = (events: readonly (readonly [Node, Int32Array])[]) => {
    const sets = raw.map(() => new Set<Node>());
    for (const [node, labels] of events)
      for (const label of labels) {
        const channel = channelOf(label);
        if (channel >= 0) sets[groupOf[channel] ?? 0]?.add(node);
      }
    return sets.map((s) => [...s]);
  };
  const producers = nodesOf(labelled.produced);
  const consumers = nodesOf(labelled.consumed);

  const taken = new Map<string, number>();
  let start = 0;
  const groups = raw.map((group, id): CouplingGroup => {
    const first = producers[id]?.[0];
    const base = first ? first.name || (first.outputs[0] ?? "") : `group${id}`;
    const uses = (taken.get(base) ?? 0) + 1;
    taken.set(base, uses);
    const made: CouplingGroup = {
      id,
      name: uses === 1 ? base : `${base}#${uses}`,
      size: group.channels.length,
      start,
      producers: producers[id] ?? [],
      consumers: consumers[id] ?? [],
      ...(group.frozen === undefined ? {} : { frozen: group.frozen }),
    };
    start += made.size;
    return made;
  });
  return { groups, channelCount, axes, groupOf: Int32Array.from(groupOf), unknown: labelled.unknown };
}

/**
 * The kind of each class, by root label: two classes have the same number exactly when they lie on the same axes the same
 * number of times. Refined axis by axis: (kind so far, axis) -> new kind. 0: lies nowhere.
 */
function kindsOf({ classes, axes }: Labelled): Int32Array {
  const kinds = new Int32Array(classes.count);
  const next = new Map<number, number>();
  let kindCount = 0;
  let axisNumber = 0;
  const seen = new Set<AxisLabels[]>();
  for (const all of axes.values()) {
    if (seen.has(all)) continue;
    seen.add(all);
    for (const labels of all) {
      if (!labels) continue;
      axisNumber++;
      let lastKind = -1;
      let lastNext = 0;
      for (const label of labels) {
        if (label < 0) continue;
        const root = classes.root(label);
        const kind = kinds[root] as number;
        if (kind !== lastKind) {
          const key = kind * 4194304 + axisNumber;
          let found = next.get(key);
          if (found === undefined) {
            found = ++kindCount;
            next.set(key, found);
          }
          lastKind = kind;
          lastNext = found;
        }
        kinds[root] = lastNext;
      }
    }
  }
  return kinds;
}
