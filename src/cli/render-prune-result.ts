/** What `halp prune` says at the end. */
import type { GroupReport, PruneResult } from "../pipeline/types.js";
import { formatCount, formatNs, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { renderTable } from "./table.js";

/** @param page of the run, where it has one */
export function renderPruneResult(result: PruneResult, width: number, styles: Styles, page?: string): string {
  const { latencyNs, parameters, accuracy } = result;
  const elsewhere = result.heldAgainst === "predicted";
  const rows: [string, string, string][] = [
    [
      elsewhere ? "latency here" : "latency",
      formatNs(latencyNs.dense),
      `${formatNs(latencyNs.pruned)}  (${formatPercent(result.measuredRatio)} of dense)`,
    ],
    [
      "parameters",
      formatCount(parameters.dense),
      `${formatCount(parameters.pruned)}  (${formatPercent(parameters.pruned / parameters.dense)})`,
    ],
  ];
  if (accuracy) rows.push(["accuracy", formatPercent(accuracy.dense, 2), formatPercent(accuracy.pruned, 2)]);
  const facts: [string, string][] = [
    ["budget", formatPercent(result.budgetRatio)],
    ["predicted", `${formatPercent(result.predictedRatio)}${elsewhere ? " on the table's device" : ""}`],
    [
      elsewhere ? "measured here" : "measured",
      `${formatPercent(result.measuredRatio)}, spread ${formatPercent(result.spread)} between paired runs`,
    ],
    ["importance kept", formatPercent(result.importanceKept)],
    ["output error", `${formatPercent(result.outputError, 2)} of the dense network's outputs (relative RMS)`],
    ["masked against removed", `${result.maskedError.toExponential(1)} (rounding only)`],
    ["steps, rounds", `${result.steps}, ${result.rounds}`],
    ["written", result.output],
    ...(page === undefined ? [] : [["page", page] as [string, string]]),
  ];
  const labelWidth = Math.max(...facts.map(([label]) => label.length));
  return [
    renderGroups(result.groups, width, styles),
    "",
    renderTable(
      [{ title: "" }, { title: "dense", align: "right" }, { title: "pruned", align: "left" }],
      rows,
      width,
      styles.bold,
    ),
    "",
    ...facts.map(([label, value]) => `${styles.dim(label.padEnd(labelWidth))}  ${printable(value)}`),
  ].join("\n");
}

/** Groups with a choice, and how many were frozen. */
export function renderGroups(groups: readonly GroupReport[], width: number, styles: Styles): string {
  const free = groups.filter((g) => g.frozen === undefined);
  const frozen = groups.length - free.length;
  const bar = (g: GroupReport) => {
    const filled = g.dense === 0 ? 0 : Math.round((g.kept / g.dense) * 16);
    return "#".repeat(filled) + ".".repeat(16 - filled);
  };
  const table = renderTable(
    [
      { title: "group", flexible: true },
      { title: "dense", align: "right" },
      { title: "kept", align: "right" },
      { title: "share", align: "left" },
    ],
    free.map((g) => [printable(g.name), String(g.dense), g.kept === 0 ? "gone" : String(g.kept), bar(g)]),
    width,
    styles.bold,
  );
  return frozen === 0
    ? table
    : `${table}\n${styles.dim(`and ${plural(frozen, "frozen group")} (halp inspect tells why)`)}`;
}
