/** How importance is spread over the channels of each group, and which of them stay. */
import { scaleLog } from "d3-scale";
import type { SearchGroup } from "../../pipeline/search-record.js";
import { shorten } from "../format.js";
import type { WhatIf } from "../what-if.js";
import { svg, table } from "./dom.js";
import { canvas, type Figure, figure } from "./figure.js";

const row = 22;
/** More marks than this in a row cannot be told apart. */
const mostMarks = 96;
const label = "Importance of the channels of each group, and which of them stay";

/** @param groups those with a choice; their numbers in the search beside them */
export function importanceChart(groups: readonly { readonly group: SearchGroup; readonly index: number }[]): Figure {
  const positive = groups.flatMap(({ group }) => group.scores.filter((s) => s > 0));
  const most = positive.reduce((a, b) => Math.max(a, b), 0) || 1;
  // Scores many powers of ten below the largest are as good as none.
  const least = Math.max(
    most * 1e-6,
    positive.reduce((a, b) => Math.min(a, b), most),
  );
  const draw = (width: number) => {
    const names = Math.min(220, Math.round(width * 0.36));
    const height = groups.length * row + 30;
    const bottom = groups.length * row;
    const x = scaleLog([least, Math.max(most, least * 10)], [names + 18, width - 12]);
    const root = canvas(width, height, label);
    const decades = x
      .ticks()
      .filter((t) => Math.abs(Math.log10(t) % 1) < 1e-9 || Math.abs(Math.log10(t) % 1) > 1 - 1e-9);
    for (const t of decades)
      root.append(
        svg("line", { x1: x(t), x2: x(t), y1: 0, y2: bottom + 4, class: "grid" }),
        svg("text", { x: x(t), y: bottom + 18, "text-anchor": "middle" }, power(t)),
      );
    const at = (score: number) => (score < least ? names + 6 : x(score));
    const rows = groups.map(({ group, index }, i) => {
      const y = i * row + 4;
      const name = svg("text", { x: names - 8, y: y + row / 2 - 4, dy: "0.32em", "text-anchor": "end" });
      name.append(shorten(group.name, Math.floor(names / 7)), svg("title", {}, group.name));
      const [gone, kept] = [svg("path", { class: "marks-gone" }), svg("path", { class: "marks-kept" })];
      root.append(
        name,
        svg("line", { x1: names, x2: width, y1: y + row - 4, y2: y + row - 4, class: "grid" }),
        gone,
        kept,
      );
      const stride = Math.max(1, group.scores.length / mostMarks);
      const marks: { readonly channel: number; readonly d: string }[] = [];
      for (let c = 0; c < group.scores.length; c += stride) {
        const channel = Math.floor(c);
        marks.push({ channel, d: `M${at(group.scores[channel] as number).toFixed(1)},${y + 1}v${row - 9}` });
      }
      const cut = (count: number) => {
        const join = (keep: boolean) =>
          marks
            .filter((m) => m.channel < count === keep)
            .map((m) => m.d)
            .join("");
        kept.setAttribute("d", join(true));
        gone.setAttribute("d", join(false));
      };
      cut(group.options[group.chosen] ?? group.scores.length);
      return { index, cut };
    });
    const show = ({ counts }: WhatIf) => {
      for (const { index, cut } of rows) cut(counts[index] ?? 0);
    };
    return { root, show };
  };
  const quantile = (scores: readonly number[], q: number) => number(scores[Math.round(q * (scores.length - 1))] ?? 0);
  const rows = groups.map(({ group: { name, scores } }) => [
    name,
    ...[1, 0.75, 0.5, 0.25, 0].map((q) => quantile(scores, q)),
  ]);
  return figure(
    {
      label,
      caption:
        "One mark for each channel, on a logarithmic scale; leftmost, those of no importance. Dark: stays. Pale: goes. Within a group the most important stay.",
      table: () => table(label, ["group", "least", "quarter", "median", "three quarters", "most"], rows),
    },
    draw,
  );
}

const number = (x: number): string =>
  x === 0 ? "0" : x >= 0.01 && x < 1e4 ? `${Number(x.toPrecision(3))}` : x.toExponential(1);

function power(t: number): string {
  const e = Math.round(Math.log10(t));
  return e >= -2 && e <= 3 ? `${Number((10 ** e).toPrecision(1))}` : `1e${e}`;
}
