/** What people come for: latency and accuracy, before and after. */

import { defaultTolerance, highest } from "../../pipeline/schedule.js";
import type { PruneResult } from "../../pipeline/types.js";
import { count, percent, time } from "../format.js";
import type { ReportData } from "../report-data.js";
import { html } from "./dom.js";

/** Spread of paired ratios from which a measurement says little. */
const doubtful = 0.2;

export function headline({ name, result, config }: ReportData): HTMLElement {
  const { latencyNs, parameters, accuracy, measuredRatio, heldAgainst, spread, devices } = result;
  const elsewhere = heldAgainst === "predicted";
  const tolerance = typeof config?.tolerance === "number" ? config.tolerance : defaultTolerance;
  const verdicts = (devices ?? [{ name: "", ...result }]).map((d) => verdictOn(d, tolerance));
  const met = verdicts.every((v) => v.met);
  const verdict = `${devices ? "Budgets" : "Budget"} ${met ? "met" : "missed"}: ${verdicts.map((v) => v.told).join("; ")}`;
  const warnings = result.warnings.map((w) => html("li", {}, w));
  return html(
    "header",
    {},
    html("p", { class: "kicker" }, "halp prune"),
    html("h1", {}, name),
    html("p", { class: met ? "verdict met" : "verdict missed" }, verdict),
    ...(spread > doubtful
      ? [
          html(
            "p",
            { class: "note" },
            `Paired runs spread by ${percent(spread)}: the machine was too busy to tell for sure. Measure again when it is idle (halp measure).`,
          ),
        ]
      : []),
    html(
      "dl",
      { class: "tiles" },
      tile(
        `Latency${elsewhere ? " here" : devices ? ` on ${devices[0]?.name}` : ""}`,
        time(latencyNs.dense),
        time(latencyNs.pruned),
        `${(1 / measuredRatio).toFixed(2)} times as fast; paired runs spread by ${percent(spread)}`,
      ),
      accuracy
        ? tile(
            "Accuracy",
            percent(accuracy.dense, 2),
            percent(accuracy.pruned, 2),
            `${points(accuracy.pruned - accuracy.dense)} points`,
          )
        : single(
            "Accuracy",
            "not evaluated",
            `The run had no labels to hold it against. The outputs are ${percent(result.outputError)} off the dense network's (relative RMS).`,
            "untold",
          ),
      tile(
        "Parameters",
        count(parameters.dense),
        count(parameters.pruned),
        `${percent(parameters.pruned / parameters.dense)} of them`,
      ),
      single(
        "Importance kept",
        percent(result.importanceKept),
        `${result.groups.filter((g) => g.frozen === undefined).length} groups to choose in`,
      ),
    ),
    ...(warnings.length > 0
      ? [
          html(
            "details",
            { class: "warnings" },
            html("summary", {}, `${warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`} of the run`),
            html("ul", {}, ...warnings),
          ),
        ]
      : []),
  );
}

/** What became of a device's budget. */
function verdictOn(device: NonNullable<PruneResult["devices"]>[number], tolerance: number) {
  const { name, budgetRatio, measuredRatio, predictedRatio, heldAgainst } = device;
  const elsewhere = heldAgainst === "predicted";
  const held = elsewhere ? predictedRatio : measuredRatio;
  const met = held <= highest(budgetRatio, tolerance);
  const told = `${percent(held)} of the dense latency ${elsewhere ? "as predicted" : "as measured"}${name === "" ? "" : ` on ${name}`}, ${percent(budgetRatio)} asked for${met && held > budgetRatio ? `, within the tolerance of ${percent(tolerance, 0)}` : ""}`;
  return { met, told };
}

function points(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(100 * difference).toFixed(2)}`;
}

function tile(title: string, before: string, after: string, note: string): HTMLElement {
  return html(
    "div",
    { class: "tile" },
    html("dt", {}, title),
    html(
      "dd",
      {},
      html("span", { class: "before" }, html("span", { class: "unseen" }, "before: "), before),
      html("span", { class: "arrow", "aria-hidden": "true" }, "→"),
      html("span", { class: "after" }, html("span", { class: "unseen" }, ", after: "), after),
      html("span", { class: "note" }, note),
    ),
  );
}

function single(title: string, value: string, note: string, kind = ""): HTMLElement {
  return html(
    "div",
    { class: "tile" },
    html("dt", {}, title),
    html("dd", {}, html("span", { class: `after ${kind}` }, value), html("span", { class: "note" }, note)),
  );
}
