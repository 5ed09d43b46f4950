/** Each layer's latency over its widths, as the table has it: one small chart for each. */
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import type { Staircase, StaircaseSide } from "../../pipeline/search-record.js";
import { shorten, time } from "../format.js";
import { axes, timeUnit } from "./axes.js";
import { details, html, svg, table } from "./dom.js";
import { canvas, figure } from "./figure.js";

/** Charts that are seen at once. */
const first = 12;

export function staircaseGrid(layers: readonly Staircase[]): HTMLElement {
  const told = layers.filter((l) => l.sides.some((s) => s.points.length > 1));
  const byWeight = [...told].sort((a, b) => (b.wholeNs ?? 0) - (a.wholeNs ?? 0));
  const grid = (some: readonly Staircase[]) => html("div", { class: "small-charts" }, ...some.map(chart));
  const rest = byWeight.slice(first);
  return html(
    "div",
    {},
    grid(byWeight.slice(0, first)),
    ...(rest.length > 0 ? [details(`${rest.length} more layers, which take less time`, () => grid(rest))] : []),
    details("As a table", () =>
      table(
        "Measured latency of each layer over one width, the others whole",
        ["layer", "width of", "chosen", "channels: latency"],
        byWeight.flatMap((l) =>
          l.sides.map((s) => [
            l.name,
            s.groups.join(" + "),
            `${s.chosen}`,
            s.points.map(([w, ns]) => `${w}: ${time(ns)}`).join(", "),
          ]),
        ),
        2,
      ),
    ),
  );
}

const kinds = ["first", "second"] as const;

function chart(layer: Staircase): HTMLElement {
  const sides = layer.sides.slice(0, 2);
  const mostNs = Math.max(1, ...sides.flatMap((s) => s.points.map(([, ns]) => ns)));
  const widest = Math.max(1, ...sides.flatMap((s) => s.points.map(([w]) => w)));
  const unit = timeUnit(mostNs);
  const label = `Latency of ${layer.name} over the channels of ${layer.sides.map((s) => s.groups.join(" + ")).join(", and of ")}`;
  const draw = (width: number) => {
    const height = 150;
    const box = { left: 40, right: width - 10, top: 26, bottom: height - 24 };
    const x = scaleLinear([0, widest], [box.left, box.right]);
    const y = scaleLinear([0, mostNs], [box.bottom, box.top]);
    const root = canvas(width, height, label);
    root.append(
      axes({ ...box, x, y, xTicks: 4, yTicks: 3, xText: String, yText: unit.text, yTitle: unit.unit }),
      ...sides.flatMap((side, i) => {
        const d =
          line<StaircaseSide["points"][number]>(
            ([w]) => x(w),
            ([, ns]) => y(ns),
          )([...side.points]) ?? "";
        return [
          svg("path", { d, class: `stair ${kinds[i]}` }),
          ...side.points.map(([w, ns]) =>
            svg("circle", { cx: x(w), cy: y(ns), r: 2, class: `stair-point ${kinds[i]}` }),
          ),
          svg("line", {
            x1: x(side.chosen),
            x2: x(side.chosen),
            y1: box.top,
            y2: box.bottom,
            class: `stair-chosen ${kinds[i]}`,
          }),
        ];
      }),
    );
    return { root };
  };
  const { element } = figure({ label }, draw);
  const names = sides.map((s, i) =>
    html(
      "li",
      { class: kinds[i] },
      `${shorten(s.groups.join(" + "), 26)}: ${s.chosen} of ${s.points.at(-1)?.[0] ?? "?"}`,
    ),
  );
  const now =
    layer.wholeNs !== null && layer.chosenNs !== null ? `${time(layer.wholeNs)} → ${time(layer.chosenNs)}` : "";
  element.prepend(
    html("h3", { title: layer.name }, shorten(layer.name, 34)),
    html("p", { class: "note" }, [shorten(layer.operators, 20), now].filter((s) => s !== "").join(" · ")),
    html("ul", { class: "legend" }, ...names),
  );
  return element;
}
