import type { Timed } from "../contest.js";
import { wrongAnswers } from "../standings.js";
import { formatRatio, formatSeconds, median } from "../statistics.js";
import { type BarResult, untold } from "./bar.js";

/** Median of one contender over another, on the instances that both answered. */
interface Comparison {
  readonly instances: number;
  readonly unfinished: number;
  readonly theirs: number;
  readonly ours: number;
  readonly ratio: number;
}

/** @param group only instances reported under it; empty: all */
function compare(all: readonly Timed[], group: string, theirs: string, ours: string): Comparison | null {
  const pairs: [Timed, Timed][] = [];
  for (const t of all) {
    if (t.contender !== theirs || t.checked === null || !t.group.endsWith(group)) continue;
    const other = all.find((o) => o.contender === ours && o.checked !== null && o.instance === t.instance);
    if (other !== undefined) pairs.push([t, other]);
  }
  if (pairs.length === 0) return null;
  const a = median(pairs.map(([t]) => median(t.samples)));
  const b = median(pairs.map(([, o]) => median(o.samples)));
  const unfinished = pairs.filter(([t]) => t.checked!.status === "unfinished").length;
  return { instances: pairs.length, unfinished, theirs: a, ours: b, ratio: a / b };
}

function text(c: Comparison): string {
  return `${c.unfinished > 0 ? ">= " : ""}${formatRatio(c.ratio)}x (${formatSeconds(c.theirs)} / ${formatSeconds(c.ours)})`;
}

/**
 * A bar that a ratio of medians has to reach on each of the groups, named by how their names end. Where `theirs` ran out of
 * time the ratio is a lower bound.
 */
export function ratioBar(
  all: readonly Timed[],
  bar: string,
  groups: readonly string[],
  [theirs, ours]: readonly [string, string],
  least: number,
): BarResult {
  const atLeast = `${least.toLocaleString("en")}x`;
  const each = groups.map((group) => ({ group, c: compare(all, group, theirs, ours) }));
  const known = each.filter((e) => e.c !== null) as { group: string; c: Comparison }[];
  if (known.length < groups.length)
    return untold(bar, atLeast, groups.join(", "), "not every contender answered", each);
  const errors = all.filter((t) => t.error !== null && (t.contender === theirs || t.contender === ours));
  const wrong = wrongAnswers(all).filter((w) => w.startsWith(`${ours} `));
  const short = known.filter(({ c }) => c.ratio < least);
  const reached =
    wrong.length > 0 || short.some(({ c }) => c.unfinished === 0) ? false : short.length > 0 ? null : true;
  return {
    bar,
    atLeast,
    measured: known.map(({ group, c }) => (groups.length > 1 ? `${group} ` : "") + text(c)).join("; "),
    reached,
    instances: known
      .map(({ group, c }) => {
        const seeds = new Set(
          all.filter((t) => t.group.endsWith(group) && t.contender === theirs).map((t) => t.instance.seed),
        );
        return `${group}: ${c.instances} instances, seeds ${[...seeds].join(", ")}`;
      })
      .join("; "),
    notes: [
      ...known
        .filter(({ c }) => c.unfinished > 0)
        .map(({ group, c }) => `${theirs} ran out of time on ${c.unfinished} of ${group}: a lower bound`),
      ...errors.map((t) => `${t.contender} on ${t.group}: ${t.error}`),
      ...wrong,
    ],
    figures: Object.fromEntries(known.map(({ group, c }) => [group, c])),
  };
}
