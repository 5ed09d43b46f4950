/** How far down a network can go on a device, and why no further. */
import type { LatencyShare, Reach } from "../pipeline/index.js";
import { formatNs, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { renderTable, wrap } from "./table.js";

/** Rows beyond this many are added up. */
const shownRows = 8;

export function renderReach(reach: Reach, width: number, styles: Styles): string {
  const { dense, smallest } = reach;
  const opTypes = [...new Set([...dense, ...smallest].map((s) => s.opType))].sort(
    (a, b) => nsOf(dense, b) - nsOf(dense, a),
  );
  const rows = opTypes.slice(0, shownRows).map((opType) => row(opType, dense, smallest, [opType]));
  const rest = opTypes.slice(shownRows);
  if (rest.length > 0) rows.push(row(`${plural(rest.length, "other operator")}`, dense, smallest, rest));
  const table = renderTable(
    [
      { title: "where the time goes", flexible: true },
      { title: "layers", align: "right" },
      { title: "dense", align: "right" },
      { title: "smallest", align: "right" },
      { title: "left", align: "right" },
    ],
    rows,
    width,
    styles.bold,
  );
  const whole = sum(dense);
  const convolutions = nsOf(dense, "Conv") + nsOf(dense, "ConvTranspose") + nsOf(dense, "Gemm") + nsOf(dense, "MatMul");
  const text =
    `With every group as small as it may be, the network takes ${formatPercent(reach.measuredRatio)} of its latency on this device ` +
    `(${formatNs(reach.smallestNs)} of ${formatNs(reach.denseNs)}; ${formatPercent(reach.predictedRatio)} were predicted). ` +
    "No budget below that can be met, whatever accuracy one would give for it. " +
    `Convolutions and linear layers are ${formatPercent(convolutions / whole)} of its time; ` +
    "the rest is paid per operator and per change of layout, and goes only where a whole operator goes.";
  return `${table}\n\n${wrap(text, width)}`;
}

function row(
  title: string,
  dense: readonly LatencyShare[],
  smallest: readonly LatencyShare[],
  opTypes: readonly string[],
) {
  const add = (shares: readonly LatencyShare[]) => opTypes.reduce((ns, opType) => ns + nsOf(shares, opType), 0);
  const layers = dense.filter((s) => opTypes.includes(s.opType)).reduce((n, s) => n + s.layers, 0);
  const [before, after] = [add(dense), add(smallest)];
  return [
    printable(title),
    String(layers),
    formatNs(before),
    formatNs(after),
    before > 0 ? formatPercent(after / before, 0) : "",
  ];
}

function nsOf(shares: readonly LatencyShare[], opType: string): number {
  return sum(shares.filter((s) => s.opType === opType));
}

function sum(shares: readonly LatencyShare[]): number {
  return shares.reduce((total, s) => total + s.ns, 0);
}
