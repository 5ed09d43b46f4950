import { contenderNamed } from "./contenders/all.js";
import type { Timed } from "./contest.js";
import { type Instance, isJoint, optionsOf } from "./instances/suites.js";
import { formatRatio, formatSeconds, median, quantile } from "./statistics.js";

/** A contender over a group of instances. */
export interface Standing {
  readonly group: string;
  readonly contender: string;
  /** Whether the group has tables over two variables. */
  readonly joint: boolean;
  /** Options over all variables of the group's first instance. */
  readonly options: number;
  /** Answered, of those asked. */
  readonly instances: number;
  readonly asked: number;
  /** Seconds. Of the medians of the instances. */
  readonly median: number;
  /** Of single solves, all instances together. */
  readonly p99: number;
  /** Of the samples, all instances together: the 5 % and the 95 % quantile. */
  readonly spread: readonly [number, number];
  /** Median over instances of this contender's median over the first one's, on the same instance; null for the first. */
  readonly ratio: number | null;
  /** Answers that claim the optimum though a better choice exists, or that do not hold what they state. */
  readonly wrong: number;
  /** Answers of contenders that claim no optimum, or ran out of time, below the best choice found. */
  readonly below: number;
  /** Ended by the time limit: their times are lower bounds. */
  readonly unfinished: number;
  /** The largest gap left between a value and its own bound; null where no bound is stated. */
  readonly gap: number | null;
  readonly errors: readonly string[];
}

/** Values nearer than this, relative, count as equal. */
const tie = 1e-9;

function key(instance: Instance): string {
  return JSON.stringify(instance);
}

/** The best value that a correct choice of any contender has, by instance. */
export function bestValues(all: readonly Timed[]): ReadonlyMap<string, number> {
  const best = new Map<string, number>();
  for (const { instance, checked } of all) {
    if (checked === null || checked.wrong !== null || Number.isNaN(checked.value)) continue;
    if (checked.status === "infeasible") continue;
    best.set(key(instance), Math.max(best.get(key(instance)) ?? Number.NEGATIVE_INFINITY, checked.value));
  }
  return best;
}

/** What is wrong with an answer, given the best known; null where nothing is. */
export function wrongWith({ checked, instance }: Timed, best: ReadonlyMap<string, number>): string | null {
  if (checked === null) return null;
  if (checked.wrong !== null) return checked.wrong;
  const known = best.get(key(instance));
  if (checked.status === "infeasible")
    return known === undefined ? null : `infeasible, but a choice worth ${known} fits`;
  if (checked.status === "optimal" && known !== undefined && checked.value < known - tie * Math.abs(known))
    return `optimal at ${checked.value}, but a choice worth ${known} fits`;
  return null;
}

export function standings(all: readonly Timed[], names: readonly string[]): Standing[] {
  const best = bestValues(all);
  const rows: Standing[] = [];
  for (const group of new Set(all.map((t) => t.group))) {
    const inGroup = all.filter((t) => t.group === group);
    const options = optionsOf(inGroup[0]!.instance);
    const first = names.find((name) => inGroup.some((t) => t.contender === name))!;
    const base = new Map(
      inGroup.filter((t) => t.contender === first && t.checked).map((t) => [key(t.instance), median(t.samples)]),
    );
    for (const name of names) {
      const asked = inGroup.filter((t) => t.contender === name);
      if (asked.length === 0) continue;
      const answered = asked.filter((t) => t.checked !== null);
      const medians = answered.map((t) => median(t.samples));
      const ratios = answered.flatMap((t, i) => {
        const other = base.get(key(t.instance));
        return other === undefined ? [] : [medians[i]! / other];
      });
      const samples = answered.flatMap((t) => t.samples);
      rows.push({
        group,
        contender: name,
        joint: isJoint(inGroup[0]!.instance),
        options,
        instances: answered.length,
        asked: asked.length,
        median: median(medians),
        p99: quantile(
          answered.flatMap((t) => t.calls),
          0.99,
        ),
        spread: [quantile(samples, 0.05), quantile(samples, 0.95)],
        ratio: name === first ? null : median(ratios),
        wrong: answered.filter((t) => wrongWith(t, best) !== null).length,
        below: answered.filter((t) => isBelow(t, best)).length,
        unfinished: answered.filter((t) => t.checked!.status === "unfinished").length,
        gap: answered.reduce<number | null>((m, { checked }) => {
          const gap = checked!.gap;
          return gap === null ? m : Math.max(m ?? 0, gap);
        }, null),
        errors: [...new Set(asked.flatMap((t) => (t.error === null ? [] : [t.error])))],
      });
    }
  }
  return rows;
}

function isBelow(timed: Timed, best: ReadonlyMap<string, number>): boolean {
  const { checked, contender, instance } = timed;
  const known = best.get(key(instance));
  if (checked === null || known === undefined || wrongWith(timed, best) !== null) return false;
  if (contenderNamed(contender).exact && checked.status === "optimal") return false;
  return !(checked.value >= known - tie * Math.abs(known));
}

/** The standings as a table in Markdown. */
export function standingsTable(rows: readonly Standing[]): string {
  const lines = [
    "| instances | contender | asked | median | p99 | 5 % - 95 % | times the first | wrong | below the best | unfinished |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ];
  let group = "";
  for (const r of rows) {
    const label = r.group === group ? "" : `${r.group}, ${r.options} options`;
    group = r.group;
    const cells =
      r.instances === 0
        ? ["-", "-", "-", "-", "-", "-", "-"]
        : [
            formatSeconds(r.median),
            formatSeconds(r.p99),
            `${formatSeconds(r.spread[0])} - ${formatSeconds(r.spread[1])}`,
            r.ratio === null ? "1" : `${r.unfinished > 0 ? ">= " : ""}${formatRatio(r.ratio)}`,
            r.wrong,
            r.below,
            r.unfinished,
          ];
    lines.push(`| ${[label, r.contender, r.asked, ...cells].join(" | ")} |`);
  }
  lines.push("");
  for (const r of rows) {
    if (r.unfinished > 0 && r.gap !== null)
      lines.push(`${r.group}, ${r.contender}: not proven in time, gap at most ${r.gap.toExponential(1)}`);
    for (const error of r.errors) lines.push(`${r.group}, ${r.contender}: no answer: ${error}`);
  }
  return lines.join("\n");
}

/** The wrong answers, one a line. */
export function wrongAnswers(all: readonly Timed[]): string[] {
  const best = bestValues(all);
  return all.flatMap((t) => {
    const wrong = wrongWith(t, best);
    return wrong === null ? [] : [`${t.contender} on ${key(t.instance)}: ${wrong}`];
  });
}
