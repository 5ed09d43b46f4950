/**
 * Widths that several groups make together, as the channels of a concatenation. A factor has two variables at most, so such
 * a width is a variable of its own: one variable for each pair (partial sum, next group), tied to both by factors that
 * forbid what does not fit, and one for the sums that come of it.
 */
import type { Factor, Variable } from "../solver/index.js";
import type { PruneVariable } from "./build.js";

/** `fixed + sum(perChannel * kept)` over two groups or more. */
export interface WidthSum {
  readonly fixed: number;
  readonly terms: readonly { readonly group: number; readonly perChannel: number }[];
}

/** Larger tables than this are not worth their exactness: of pairs (partial sum, next group), and of different sums. */
const mostPairs = 400;
const mostSums = 128;

/** A partial sum, and how many channels its groups keep in one balanced way to reach it. */
interface Reached {
  readonly total: number;
  readonly counts: readonly number[];
  /** Smallest and largest kept share of a group. */
  readonly least: number;
  readonly most: number;
}

/**
 * The widths that a sum can have, ascending, each with counts by term that reach it, as evenly spread as may be; undefined
 * where they are too many for tables.
 */
export function sumWidths(
  { fixed, terms }: WidthSum,
  variables: readonly PruneVariable[],
): readonly { readonly width: number; readonly counts: readonly number[] }[] | undefined {
  let reached: Reached[] = [{ total: 0, counts: [], least: 1, most: 0 }];
  for (const [i, { group, perChannel }] of terms.entries()) {
    const { options, group: its } = variables[group] as PruneVariable;
    if (i > 0 && reached.length * options.length > mostPairs) return undefined;
    const next = new Map<number, Reached>();
    for (const r of reached)
      for (const count of options) {
        const share = count / its.size;
        const total = r.total + perChannel * count;
        const made = {
          total,
          counts: [...r.counts, count],
          least: Math.min(r.least, share),
          most: Math.max(r.most, share),
        };
        const known = next.get(total);
        if (known === undefined || spread(made) < spread(known)) next.set(total, made);
      }
    reached = [...next.values()];
  }
  if (reached.length > mostSums) return undefined;
  return reached
    .sort((a, b) => a.total - b.total)
    .map(({ total, counts }) => ({ width: fixed + total, counts: [...counts] }));
}

/** A group that is gone altogether says least of what a layer costs with it. */
function spread({ least, most }: Reached): number {
  return most - least + (least === 0 ? 1 : 0);
}

interface Partial {
  readonly name: string;
  readonly totals: readonly number[];
}

/** The variables and factors that sums need, shared between sums that begin alike. */
export class SumVariables {
  readonly variables: Variable[] = [];
  readonly factors: Factor[] = [];
  readonly #groups: readonly PruneVariable[];
  readonly #names: Set<string>;
  readonly #partials = new Map<string, Partial>();

  constructor(groups: readonly PruneVariable[]) {
    this.#groups = groups;
    this.#names = new Set(groups.map((v) => v.group.name));
  }

  /** The variable that stands for a sum, and the width of each of its options. */
  of(sum: WidthSum): { readonly name: string; readonly widths: readonly number[] } {
    const { name, totals } = this.#partial(sum.terms);
    return { name, widths: totals.map((total) => sum.fixed + total) };
  }

  #partial(terms: WidthSum["terms"]): Partial {
    const { group, perChannel } = terms[terms.length - 1] as WidthSum["terms"][number];
    const last = this.#groups[group] as PruneVariable;
    const added = last.options.map((count) => perChannel * count);
    if (terms.length === 1) return { name: last.group.name, totals: added };
    const key = JSON.stringify(terms);
    const known = this.#partials.get(key);
    if (known) return known;
    const before = this.#partial(terms.slice(0, -1));
    const title = terms.map((t) => (this.#groups[t.group] as PruneVariable).group.name).join(" + ");
    const sums = before.totals.flatMap((a) => added.map((b) => a + b));
    const pair = this.#add(`pair: ${title}`, sums.length);
    const ways = added.length;
    this.#tie(before.name, before.totals.length, pair, sums.length, (a, p) => Math.floor(p / ways) === a);
    this.#tie(last.group.name, ways, pair, sums.length, (b, p) => p % ways === b);
    const totals = [...new Set(sums)].sort((a, b) => a - b);
    const made = { name: this.#add(`sum: ${title}`, totals.length), totals };
    this.#tie(pair, sums.length, made.name, totals.length, (p, s) => sums[p] === totals[s]);
    this.#partials.set(key, made);
    return made;
  }

  #add(title: string, options: number): string {
    let name = title;
    while (this.#names.has(name)) name += "'";
    this.#names.add(name);
    this.variables.push({ name, values: new Array<number>(options).fill(0) });
    return name;
  }

  /** Forbids what does not fit together. */
  #tie(a: string, rows: number, b: string, columns: number, fits: (i: number, j: number) => boolean): void {
    this.factors.push({
      variables: [a, b],
      latency: Array.from({ length: rows }, (_, i) =>
        Array.from({ length: columns }, (_, j) => (fits(i, j) ? 0 : null)),
      ),
    });
  }
}
