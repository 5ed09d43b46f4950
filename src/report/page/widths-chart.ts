/** Every group's width: before, after, and as the slider has it. */
import { scaleLinear } from "d3-scale";
import type { GroupReport } from "../../pipeline/types.js";
import { shorten } from "../format.js";
import type { WhatIf } from "../what-if.js";
import { html, svg, table } from "./dom.js";
import { canvas, type Figure, figure } from "./figure.js";

const row = 22;
const label = "Channels of every group, before and after";

export function widthsChart(groups: readonly GroupReport[]): {
  readonly element: HTMLElement;
  readonly show: Figure["show"];
} {
  const widest = Math.max(1, ...groups.map((g) => g.dense));
  let asShare = false;
  const draw = (width: number) => {
    const names = Math.min(220, Math.round(width * 0.36));
    const figures = 84;
    const height = groups.length * row + 6;
    const x = scaleLinear([0, 1], [0, width - names - figures]);
    const root = canvas(width, height, label);
    const bars = groups.map((g, i) => {
      const unit = asShare ? g.dense : widest;
      const y = i * row + 4;
      const bar = svg("rect", { x: names, y: y + 2, height: row - 10, width: x(g.kept / unit), class: "bar-kept" });
      const text = svg("text", { x: width, y: y + row / 2 - 3, dy: "0.32em", "text-anchor": "end", "data-group": i });
      const say = (kept: number) => {
        text.textContent =
          g.frozen === undefined ? (kept === 0 ? `gone / ${g.dense}` : `${kept} / ${g.dense}`) : `${g.dense}, frozen`;
      };
      say(g.kept);
      const name = svg("text", { x: names - 8, y: y + row / 2 - 3, dy: "0.32em", "text-anchor": "end" });
      name.append(shorten(g.name, Math.floor(names / 7)), svg("title", {}, g.name));
      const mark = x(g.kept / unit) + names;
      root.append(
        name,
        svg("rect", {
          x: names,
          y,
          height: row - 6,
          width: Math.max(1, x(g.dense / unit)),
          class: g.frozen === undefined ? "bar-dense" : "bar-frozen",
        }),
        ...(g.frozen === undefined
          ? [bar, svg("line", { x1: mark, x2: mark, y1: y - 1, y2: y + row - 5, class: "run-line" })]
          : []),
        text,
      );
      return { g, bar, say, unit };
    });
    const show = ({ kept }: WhatIf) => {
      for (const { g, bar, say, unit } of bars) {
        if (g.frozen !== undefined) continue;
        const now = kept.get(g.name) ?? 0;
        bar.setAttribute("width", `${x(now / unit)}`);
        say(now);
      }
    };
    return { root, show };
  };
  const rows = groups.map((g) => [g.name, `${g.dense}`, `${g.kept}`, g.frozen === undefined ? "" : "frozen"]);
  const made = figure(
    {
      label,
      caption: "Pale: before. Dark: now, as the slider has it. Line: what the run chose.",
      table: () => table(label, ["group", "before", "after", ""], rows),
    },
    draw,
  );
  const choose = (text: string, share: boolean) => {
    const input = html("input", { type: "radio", name: "widths" });
    input.checked = share === asShare;
    input.addEventListener("change", () => {
      asShare = share;
      made.redraw();
    });
    return html("label", {}, input, ` ${text}`);
  };
  const element = html(
    "div",
    {},
    html(
      "fieldset",
      { class: "choice" },
      html("legend", {}, "Bars show"),
      choose("channels", false),
      choose("share of the group", true),
    ),
    made.element,
  );
  return { element, show: made.show };
}
