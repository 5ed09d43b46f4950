/** What `halp demo` says at the end. */
import type { DemoResult } from "./demo/run-demo.js";
import { formatCount, formatDuration, formatNs, formatPercent } from "./quantities.js";
import { renderGroups } from "./render-prune-result.js";
import { printable, type Styles } from "./style.js";
import { renderTable } from "./table.js";

export function renderDemo(result: DemoResult, width: number, styles: Styles): string {
  const { accuracy, files, latencyNs, parameters, ratio } = result;
  const right = "right" as const;
  const table = renderTable(
    [{ title: "" }, { title: "trained", align: right }, { title: "pruned", align: right }, { title: "" }],
    [
      [
        `latency, batch ${result.batch}`,
        formatNs(latencyNs.dense),
        formatNs(latencyNs.pruned),
        `${formatPercent(ratio)}, spread ${formatPercent(result.spread)} between paired runs; the budget was ${formatPercent(result.budgetRatio)}`,
      ],
      [
        "accuracy",
        formatPercent(accuracy.dense, 2),
        formatPercent(accuracy.pruned, 2),
        `on ${result.images.test} held-out images${accuracy.cut === null ? "" : `; ${formatPercent(accuracy.cut, 2)} before the last training`}`,
      ],
      [
        "parameters",
        formatCount(parameters.dense),
        formatCount(parameters.pruned),
        formatPercent(parameters.pruned / parameters.dense),
      ],
    ],
    width,
    styles.bold,
  );
  return [
    renderGroups(result.groups, width, styles),
    "",
    table,
    "",
    `${styles.dim("images ")}  ${printable(files.data)}`,
    `${styles.dim("trained")}  ${printable(files.trained)}`,
    `${styles.dim("pruned ")}  ${printable(files.pruned)}`,
    ...(result.page === null ? [] : [`${styles.dim("page   ")}  ${printable(result.page)}`]),
    "",
    "The same by hand:",
    "",
    ...result.commands.map((line) => `    ${printable(line)}`),
    "",
    `This took ${formatDuration(result.seconds * 1000)} minutes.`,
  ].join("\n");
}
