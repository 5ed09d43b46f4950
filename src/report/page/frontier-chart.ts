/** The best importance for every latency, with the run's choice and that of the slider. */
import { scaleLinear } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import type { SearchRecord } from "../../pipeline/search-record.js";
import { percent, time } from "../format.js";
import type { Frontier, WhatIf } from "../what-if.js";
import { axes, timeUnit } from "./axes.js";
import { svg, table } from "./dom.js";
import { canvas, type Figure, figure } from "./figure.js";

const label = "Frontier: the most importance that can be kept, over predicted latency";

export function frontierChart(frontier: Frontier, search: SearchRecord, chosenShare: number): Figure {
  const { latencyNs, share } = frontier;
  const { dense, chosen } = search.latencyNs;
  const last = latencyNs.length - 1;
  const [leastNs = 0, mostNs = dense] = [latencyNs[0], latencyNs[last]];
  const unit = timeUnit(mostNs);
  const draw = (width: number) => {
    const height = Math.min(340, Math.max(220, Math.round(width * 0.5)));
    const box = { left: 52, right: width - 16, top: 30, bottom: height - 42 };
    const x = scaleLinear([Math.max(0, leastNs - 0.03 * (mostNs - leastNs)), mostNs], [box.left, box.right]);
    const [low, high] = [share[0] ?? 0, share[last] ?? 1];
    // A round number below, but nothing above what there is.
    const [round = low] = scaleLinear([low, high], [0, 1]).nice().domain();
    const y = scaleLinear([Math.min(round, 0.98 * high), high], [box.bottom, box.top]);
    const root = canvas(width, height, label);
    const path = line<number>(
      (i) => x(latencyNs[i] as number),
      (i) => y(share[i] as number),
    ).curve(curveStepAfter);
    const d = path(latencyNs.map((_, i) => i)) ?? "";
    const dot = svg("circle", { r: 6, class: "live-dot" });
    const [across, down] = [svg("line", { class: "live-line" }), svg("line", { class: "live-line" })];
    root.append(
      axes({
        ...box,
        x,
        y,
        xTicks: width / 90,
        yTicks: height / 55,
        xText: unit.text,
        yText: (v) => percent(v, 0),
        xTitle: `predicted latency, ${unit.unit}`,
        yTitle: "importance kept",
      }),
      svg("path", { d, class: "frontier" }),
      across,
      down,
      dot,
      svg("path", {
        d: "M0,-8L7,0L0,8L-7,0Z",
        transform: `translate(${x(chosen)},${y(chosenShare)})`,
        class: "run-mark",
      }),
    );
    const show = ({ latencyNs: at, share: kept }: WhatIf) => {
      const [cx, cy] = [x(at), y(kept)];
      for (const [name, value] of Object.entries({ cx, cy })) dot.setAttribute(name, `${value}`);
      set(across, { x1: box.left, x2: cx, y1: cy, y2: cy });
      set(down, { x1: cx, x2: cx, y1: cy, y2: box.bottom });
    };
    return { root, show };
  };
  const rows = () => {
    const stride = Math.max(1, Math.ceil(latencyNs.length / 40));
    return latencyNs.flatMap((ns, i) =>
      i % stride === 0 || i === last ? [[time(ns), percent(ns / dense), percent(share[i] as number, 2)]] : [],
    );
  };
  const left = frontier.complete ? "" : " Its low end was left out: it takes too long to find.";
  return figure(
    {
      label,
      caption: `Each point is the proven best choice for its latency.${left} Diamond: what the run chose. Dot: what the slider asks for.`,
      table: () => table(label, ["predicted latency", "of dense", "importance kept"], rows(), 0),
    },
    draw,
  );
}

function set(element: Element, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, `${value}`);
}
