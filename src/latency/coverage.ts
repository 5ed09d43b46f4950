/** What a table holds, for people. */
import { quantileOf } from "../runtime/index.js";
import { type Alignment, readAlignment } from "./alignment.js";
import { Estimator, familyOf } from "./estimate.js";
import type { LatencyTable, TableEntry } from "./table.js";

export interface KindCoverage {
  /** Operators of the layers, joined by "+": "Conv+Add+Relu". */
  readonly operators: string;
  readonly entries: number;
  /** Apart from their numbers of channels. */
  readonly configurations: number;
  /** Numbers of channels that the layers read and make, distinct ones together. */
  readonly widths: number;
  readonly samples: number;
  /** Sum of the entries, nanoseconds. */
  readonly ns: number;
  /** Interquartile range as part of the median: median and worst over the entries of 15 us or more. */
  readonly spread: { readonly median: number; readonly worst: number };
}

export interface Coverage {
  readonly entries: number;
  readonly samples: number;
  readonly kinds: readonly KindCoverage[];
  readonly spread: KindCoverage["spread"];
  /** Entries that the runtime laid out otherwise than foreseen. */
  readonly unexpected: number;
  /** Entries measured once: the run that made them was ended. */
  readonly unchecked: number;
  /** Undefined where the table lacks the layers to read it off. */
  readonly alignment: Pick<Alignment, "outputs" | "inputs" | "grid"> | undefined;
  /** The step between the numbers of channels that it holds. */
  readonly grid: number;
}

/** Below this a spread says only that the clock counts whole microseconds. */
const clockNs = 15_000;

export function coverageOf(table: LatencyTable): Coverage {
  const estimator = new Estimator({ device: table.device, entries: new Map(table.entries) });
  const kinds = new Map<string, TableEntry[]>();
  for (const e of table.entries.values()) {
    const operators = e.config.nodes.map((n) => n.opType).join("+");
    kinds.set(operators, [...(kinds.get(operators) ?? []), e]);
  }
  const all = [...table.entries.values()];
  const { outputs, inputs, grid } = readAlignment(table) ?? {};
  return {
    entries: all.length,
    samples: samplesOf(all),
    kinds: [...kinds]
      .map(([operators, entries]): KindCoverage => {
        const families = entries.map((e) => familyOf(e.config));
        return {
          operators,
          entries: entries.length,
          configurations: new Set(families.map((f) => f.name)).size,
          widths: new Set(families.map((f) => f.widths.join())).size,
          samples: samplesOf(entries),
          ns: entries.reduce((sum, e) => sum + e.ns, 0),
          spread: spreadOf(entries),
        };
      })
      .sort((a, b) => b.ns - a.ns),
    spread: spreadOf(all),
    unexpected: all.filter((e) => !e.layoutAsExpected).length,
    unchecked: all.filter((e) => e.unchecked).length,
    alignment: grid === undefined ? undefined : { outputs: outputs ?? 1, inputs: inputs ?? 1, grid },
    grid: estimator.grid(),
  };
}

function samplesOf(entries: readonly TableEntry[]): number {
  return entries.reduce((sum, e) => sum + e.samples.count, 0);
}

function spreadOf(entries: readonly TableEntry[]): KindCoverage["spread"] {
  const parts = Float64Array.from(
    entries.filter((e) => e.samples.median >= clockNs),
    (e) => (e.samples.q3 - e.samples.q1) / e.samples.median,
  ).sort();
  return parts.length > 0 ? { median: quantileOf(parts, 0.5), worst: parts.at(-1) ?? 0 } : { median: 0, worst: 0 };
}
