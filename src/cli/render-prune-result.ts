/** What `halp prune` says at the end. */
import type { DeviceResult, GroupReport, PruneResult } from "../pipeline/types.js";
import { formatCount, formatNs, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { renderTable } from "./table.js";

/** @param page of the run, where it has one */
export function renderPruneResult(result: PruneResult, width: number, styles: Styles, page?: string): string {
  const { parameters, accuracy } = result;
  const devices = result.devices ?? [{ name: "", ...result }];
  const rows: [string, string, string][] = [
    ...devices.map((d): [string, string, string] => [
      `latency${d.heldAgainst === "predicted" ? " here" : ""}${d.name === "" ? "" : `, ${printable(d.name)}`}`,
      formatNs(d.latencyNs.dense),
      `${formatNs(d.latencyNs.pruned)}  (${formatPercent(d.measuredRatio)} of dense)`,
    ]),
    [
      "parameters",
      formatCount(parameters.dense),
      `${formatCount(parameters.pruned)}  (${formatPercent(parameters.pruned / parameters.dense)})`,
    ],
  ];
  if (accuracy) rows.push(["accuracy", formatPercent(accuracy.dense, 2), formatPercent(accuracy.pruned, 2)]);
  const facts: [string, string][] = [
    ...devices.flatMap(factsOf),
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

/** What became of a device's budget. */
function factsOf(device: DeviceResult & { readonly name: string }): [string, string][] {
  const { name, budgetRatio, predictedRatio, measuredRatio, spread } = device;
  const elsewhere = device.heldAgainst === "predicted";
  const of = name === "" ? "" : `, ${name}`;
  return [
    [`budget${of}`, formatPercent(budgetRatio)],
    [`predicted${of}`, `${formatPercent(predictedRatio)}${elsewhere ? " on the table's device" : ""}`],
    [
      `${elsewhere ? "measured here" : "measured"}${of}`,
      `${formatPercent(measuredRatio)}, spread ${formatPercent(spread)} between paired runs`,
    ],
  ];
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
