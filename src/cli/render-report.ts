/** What `halp report` says of a run's predictions. */
import type { LayerError, PredictionReport } from "../report/index.js";
import { formatNs, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { renderTable } from "./table.js";

const signed = (ns: number): string => `${ns < 0 ? "-" : "+"}${formatNs(Math.abs(ns))}`;

export function renderPrediction(what: string, report: PredictionReport, width: number, styles: Styles): string {
  const { compared, untold, predictedNs, measuredNs, unattributedNs, worst } = report;
  const title = styles.bold(`${what}, layer by layer`);
  if (compared === 0)
    return `${title}\nnothing to compare: no layer of it was both predicted and measured on this machine`;
  const facts = [
    `${plural(compared, "layer")} predicted at ${formatNs(predictedNs)} and measured at ${formatNs(measuredNs)} in all: ${formatPercent(measuredNs / predictedNs)} of the prediction`,
    ...(unattributedNs ? [`kernels that belong to no layer took ${formatNs(unattributedNs)} more`] : []),
    ...(untold > 0 ? [`${plural(untold, "layer")} not compared`] : []),
  ];
  return [title, ...facts, ...(worst.length > 0 ? ["", layerTable(worst, measuredNs, width, styles)] : [])].join("\n");
}

function layerTable(worst: readonly LayerError[], wholeNs: number, width: number, styles: Styles): string {
  return renderTable(
    [
      { title: "worst predicted", flexible: true },
      { title: "operators", flexible: true },
      { title: "predicted", align: "right" },
      { title: "measured", align: "right" },
      { title: "missed by", align: "right" },
      { title: "of all", align: "right" },
    ],
    worst.map((l) => [
      printable(l.name),
      printable(l.operators),
      formatNs(l.predictedNs),
      formatNs(l.measuredNs),
      signed(l.missedByNs),
      formatPercent(Math.abs(l.missedByNs) / wholeNs),
    ]),
    width,
    styles.bold,
  );
}
