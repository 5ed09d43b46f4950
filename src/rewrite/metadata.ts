/** What the model file says of its own pruning. */
import type { Coupling, Plan } from "../coupling/types.js";
import type { Model, StringEntry } from "../graph/ir.js";
import { parseJson } from "../json.js";

const key = "halp.groups";

/**
 * Writes `halp.groups`: JSON `{"<group>": [kept, dense], ...}` of the groups that lost channels. A network pruned before
 * keeps its first counts.
 */
export function recordPruning(model: Model, coupling: Coupling, plan: Plan): Model {
  const before = readRecord(model.metadata);
  const record: Record<string, [number, number]> = { ...before };
  let changed = false;
  coupling.groups.forEach((group, id) => {
    const left = plan.kept[id]?.length ?? 0;
    if (left === group.size) return;
    const earlier = before[group.name];
    record[group.name] = [left, earlier?.[0] === group.size ? earlier[1] : group.size];
    changed = true;
  });
  if (!changed) return model;
  const others = model.metadata.filter((e) => e.key !== key);
  return { ...model, metadata: [...others, { key, value: JSON.stringify(record) }] };
}

function readRecord(metadata: readonly StringEntry[]): Record<string, [number, number]> {
  const found = metadata.find((e) => e.key === key);
  if (!found) return {};
  try {
    const read = parseJson(found.value);
    return typeof read === "object" && read !== null ? (read as Record<string, [number, number]>) : {};
  } catch {
    return {};
  }
}
