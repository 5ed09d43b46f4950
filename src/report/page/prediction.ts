/** Predicted against measured: the whole network, and layer by layer. */
import { scaleLinear, scaleLog } from "d3-scale";
import { percent, signed, time } from "../format.js";
import type { ReportData } from "../report-data.js";
import { worstLayers } from "../worst-layers.js";
import { html, section, svg, table } from "./dom.js";
import { canvas, figure } from "./figure.js";

export function predictionSection({ result, layers }: ReportData): HTMLElement {
  const { predictedRatio, measuredRatio, budgetRatio, spread } = result;
  const elsewhere = result.heldAgainst === "predicted";
  const parts: HTMLElement[] = [
    html(
      "p",
      {},
      elsewhere
        ? `The table is of another device: there the pruned network is predicted to take ${percent(predictedRatio)} of the dense network's time. Measured on the machine that made this report it was ${percent(measuredRatio)}, which says nothing of that device.`
        : `The pruned network was predicted to take ${percent(predictedRatio)} of the dense network's time, and took ${percent(measuredRatio)} (spread of paired runs ${percent(spread)}).`,
    ),
    html(
      "div",
      { class: "whole" },
      wholeChart([
        ["budget", budgetRatio],
        ["predicted", predictedRatio],
        [elsewhere ? "measured here" : "measured", measuredRatio],
      ]),
    ),
  ];
  if (layers === null) parts.push(html("p", { class: "note" }, "The run kept no times of its layers."));
  else {
    const both = (["pruned", "dense"] as const).map((which) => ({
      which,
      ...worstLayers(layers[which], Number.POSITIVE_INFINITY),
    }));
    const compared = both.filter((b) => b.compared > 0);
    if (compared.length === 0)
      parts.push(html("p", { class: "note" }, "No layer was both predicted and measured on this machine."));
    const charts = compared.map((b) => {
      const what = b.which === "pruned" ? "the pruned network" : "the network as it was";
      return html(
        "div",
        {},
        html("h3", {}, `Layers of ${what}`),
        html(
          "p",
          {},
          `${b.compared} layers predicted at ${time(b.predictedNs)} and measured at ${time(b.measuredNs)} in all.`,
          b.untold > 0 ? ` ${b.untold} more were not compared.` : "",
        ),
        layerChart(b.worst, `Predicted and measured latency of each layer of ${what}`),
      );
    });
    if (charts.length > 0) parts.push(html("div", { class: "pair" }, ...charts));
  }
  return section("Predicted and measured", ...parts);
}

function wholeChart(bars: readonly (readonly [string, number])[]): HTMLElement {
  const label = `Of the dense latency: ${bars.map(([name, r]) => `${name} ${percent(r)}`).join(", ")}`;
  const row = 26;
  return figure({ label }, (width) => {
    const x = scaleLinear([0, Math.max(1, ...bars.map(([, r]) => r))], [0, width - 110 - 64]);
    const root = canvas(width, bars.length * row, label);
    for (const [i, [name, ratio]] of bars.entries()) {
      const y = i * row;
      root.append(
        svg("text", { x: 102, y: y + row / 2, dy: "0.32em", "text-anchor": "end" }, name),
        svg("rect", { x: 110, y: y + 4, width: x(1), height: row - 8, class: "bar-dense" }),
        svg("rect", { x: 110, y: y + 4, width: x(ratio), height: row - 8, class: i === 0 ? "bar-budget" : "bar-kept" }),
        svg(
          "text",
          { x: 110 + x(Math.max(1, ratio)) + 8, y: y + row / 2, dy: "0.32em", class: "figures" },
          percent(ratio),
        ),
      );
    }
    return { root };
  }).element;
}

function layerChart(layers: ReturnType<typeof worstLayers>["worst"], label: string): HTMLElement {
  const times = layers.flatMap((l) => [l.predictedNs, l.measuredNs]).filter((ns) => ns > 0);
  const most = Math.max(10, ...times);
  // Layers below a thousandth of the largest change nothing.
  const least = Math.max(1, most / 2000, Math.min(most, ...times));
  return figure(
    {
      label,
      caption:
        "One dot for each layer, on logarithmic scales. On the line: measured as predicted. Between the dashed lines: within a fifth.",
      table: () =>
        table(
          `${label}, those that were missed by most first`,
          ["layer", "operators", "predicted", "measured", "missed by"],
          layers.map((l) => [l.name, l.operators, time(l.predictedNs), time(l.measuredNs), signed(l.missedByNs)]),
          2,
        ),
    },
    (width) => {
      const side = Math.min(width, 420);
      const box = { left: 62, right: side - 26, top: 30, bottom: side - 46 };
      const x = scaleLog([least, most], [box.left, box.right]).nice();
      const y = scaleLog([least, most], [box.bottom, box.top]).nice();
      const [low, high] = x.domain() as [number, number];
      const root = canvas(side, side, label);
      const decades = x.ticks().filter((t) => Math.abs(Math.log10(t) - Math.round(Math.log10(t))) < 1e-9);
      const marks = decades.length > 1 ? decades : x.ticks(4);
      for (const t of marks)
        root.append(
          svg("line", { x1: box.left, x2: box.right, y1: y(t), y2: y(t), class: "grid" }),
          svg("line", { x1: x(t), x2: x(t), y1: box.top, y2: box.bottom, class: "grid" }),
          svg("text", { x: box.left - 6, y: y(t), dy: "0.32em", "text-anchor": "end" }, time(t).replace(/\.0+ /, " ")),
          svg("text", { x: x(t), y: box.bottom + 16, "text-anchor": "middle" }, time(t).replace(/\.0+ /, " ")),
        );
      const ray = (factor: number, kind: string) =>
        svg("line", {
          x1: x(Math.max(low, low / factor)),
          y1: y(Math.max(low, low * factor)),
          x2: x(Math.min(high, high / factor)),
          y2: y(Math.min(high, high * factor)),
          class: kind,
        });
      root.append(ray(1, "even"), ray(1.2, "within"), ray(1 / 1.2, "within"));
      for (const l of layers) {
        const dot = svg("circle", {
          cx: x(Math.max(low, l.predictedNs)),
          cy: y(Math.max(low, l.measuredNs)),
          r: 4,
          class: "layer-dot",
        });
        dot.append(
          svg(
            "title",
            {},
            `${l.name} (${l.operators}): predicted ${time(l.predictedNs)}, measured ${time(l.measuredNs)}`,
          ),
        );
        root.append(dot);
      }
      root.append(
        svg("text", { x: box.right, y: box.bottom + 34, "text-anchor": "end", class: "title" }, "predicted"),
        svg("text", { x: 0, y: box.top - 12, class: "title" }, "measured"),
      );
      return { root };
    },
  ).element;
}
