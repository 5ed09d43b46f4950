/** The page of a run. Everything it says comes from the data in it, as text. */
import type { ReportData } from "../report-data.js";
import { openWhatIfs, type WhatIf } from "../what-if.js";
import { budgetSlider } from "./budget.js";
import { html, section } from "./dom.js";
import { configSection, deviceSection, frozenSection } from "./facts.js";
import type { Figure } from "./figure.js";
import { frontierChart } from "./frontier-chart.js";
import { headline } from "./headline.js";
import { importanceChart } from "./importance-chart.js";
import { predictionSection } from "./prediction.js";
import { staircaseGrid } from "./staircases.js";
import { trainingSection } from "./training.js";
import { widthsChart } from "./widths-chart.js";

function build(data: ReportData): readonly HTMLElement[] {
  const { search, problem, frontier, result } = data;
  const moving: Pick<Figure, "show">[] = [];
  const showAll = (choice: WhatIf) => {
    for (const m of moving) m.show(choice);
  };
  const follow = <T extends { readonly element: HTMLElement; readonly show: Figure["show"] }>(
    figure: T,
  ): HTMLElement => {
    moving.push(figure);
    return figure.element;
  };
  const parts: HTMLElement[] = [headline(data)];
  const widths = html("div", {}, html("h3", {}, "Width of every group"), follow(widthsChart(result.groups)));
  let start: (() => void) | undefined;
  if (search?.solution && problem && frontier) {
    const slider = budgetSlider(openWhatIfs(problem, search), search, showAll);
    start = slider.start;
    const later = search.latencyNs.present < 0.999 * search.latencyNs.dense;
    parts.push(
      section(
        "What another budget would keep",
        html(
          "p",
          { class: "handling" },
          `Move the slider: the problem of the run${later ? "'s last step (it begins with the network that the step before left)" : ""} is solved anew in this page, to the proven best. Between the widths that were measured its latencies are interpolated; a run measures what it chooses.`,
        ),
        slider.element,
        html("h3", {}, "The best importance for every latency"),
        follow(frontierChart(frontier, search, result.importanceKept)),
        widths,
      ),
    );
  } else
    parts.push(
      section(
        "What was kept",
        html(
          "p",
          {},
          problem?.budgets
            ? "Of several devices at once the page solves nothing anew."
            : "The run kept no problem to solve again.",
        ),
        widths,
      ),
    );
  if (search) {
    const free = search.groups.flatMap((group, index) => (group.options.length > 1 ? [{ group, index }] : []));
    if (free.length > 0) parts.push(section("Importance of the channels", follow(importanceChart(free))));
    if (search.layers.length > 0)
      parts.push(
        section(
          "Latency over width",
          html(
            "p",
            {},
            `Each layer as the latency table has it, one width at a time, the others whole; the vertical lines are the widths that were chosen.${data.device?.isThisMachine === false ? " The table is of another device, and what it lacks is estimated." : ""}`,
          ),
          staircaseGrid(search.layers),
        ),
      );
  }
  parts.push(predictionSection(data));
  const training = trainingSection(data);
  if (training) parts.push(training);
  parts.push(frozenSection(data), configSection(data), deviceSection(data));
  start?.();
  return parts;
}

const data = JSON.parse(document.getElementById("data")?.textContent ?? "null") as ReportData;
document.getElementById("page")?.replaceChildren(...build(data));
