/** Latency tables, and how two of them differ, for people. */
import type { Coverage, LayerDifference, TableDevice, TableDifference } from "../latency/index.js";
import { formatNs, formatPercent, plural } from "./quantities.js";
import { printable, type Styles } from "./style.js";
import { renderTable } from "./table.js";

interface Layer {
  readonly key: string;
  readonly ns: number;
  readonly samples: { readonly q1: number; readonly q3: number; readonly count: number };
}

/** @param layers listed one by one */
export function renderCoverage(
  device: TableDevice,
  coverage: Coverage,
  layers: readonly Layer[],
  width: number,
  styles: Styles,
): string {
  const { alignment, grid, spread, unchecked, unexpected } = coverage;
  const line = (title: string, text: string) => `${styles.dim(title.padEnd(10))}  ${text}`;
  const clocks = {
    "kernel-profile": "the runtime's profiler",
    "cuda-events": "CUDA events; convolutions alone",
    "wall-differences": "differences of whole runs",
    imported: "another tool; convolutions alone",
  };
  const head = [
    line("device", printable(device.cpu)),
    line("runtime", printable(`${device.runtime.name} ${device.runtime.version}, ${device.runtime.provider}`)),
    line("measured", `${device.precision}, ${plural(device.threads, "thread")}, by ${clocks[device.clock]}`),
    ...conditionLines(device).map((text) => line("machine", text)),
    line("layers", `${coverage.entries}, ${coverage.samples} samples`),
    line("spread", `median ${formatPercent(spread.median)}, worst ${formatPercent(spread.worst)} between quartiles`),
    line(
      "alignment",
      alignment
        ? `outputs ${alignment.outputs}, inputs ${alignment.inputs} (multiples that are cheap), as measured`
        : `not measured; widths in the table lie ${grid} apart`,
    ),
    ...(unexpected > 0 ? [line("layout", `${plural(unexpected, "layer")} laid out otherwise than foreseen`)] : []),
    ...(unchecked > 0 ? [line("unchecked", `${plural(unchecked, "layer")} measured once: a run was ended`)] : []),
  ];
  const kinds = renderTable(
    [
      { title: "operators", flexible: true },
      { title: "layers", align: "right" },
      { title: "kinds", align: "right" },
      { title: "widths", align: "right" },
      { title: "samples", align: "right" },
      { title: "spread", align: "right" },
      { title: "worst", align: "right" },
    ],
    coverage.kinds.map((k) => [
      printable(k.operators),
      String(k.entries),
      String(k.configurations),
      String(k.widths),
      String(k.samples),
      formatPercent(k.spread.median),
      formatPercent(k.spread.worst),
    ]),
    width,
    styles.bold,
  );
  const list = layers.map(
    ({ key, ns, samples: { q1, q3, count } }) =>
      `${formatNs(ns).padStart(10)}  ${formatNs(q1)} to ${formatNs(q3)}, ${count}  ${printable(key)}`,
  );
  return [...head, "", kinds, ...(list.length > 0 ? ["", ...list] : [])].join("\n");
}

function conditionLines({ conditions, gpu }: TableDevice): string[] {
  const lines: string[] = [];
  if (gpu)
    lines.push(
      `compute ${gpu.computeCapability}, ${gpu.multiprocessors} multiprocessors, CUDA ${gpu.driverVersion}, ${gpu.layout}`,
    );
  if (conditions && !gpu) {
    const { cores, currentKHz, governor, load } = conditions;
    const parts = [
      cores.length > 0 ? `pinned to core ${cores.join(", ")}` : "not pinned to a core",
      ...(governor === undefined ? [] : [`governor ${governor}`]),
      ...(currentKHz === undefined ? [] : [`${(currentKHz / 1e6).toFixed(2)} GHz`]),
      `load ${load.toFixed(2)} when it was begun`,
    ];
    lines.push(parts.join(", "));
  }
  return lines;
}

/** @param layers those to list */
export function renderDifference(
  names: readonly [string, string],
  difference: TableDifference,
  layers: readonly LayerDifference[],
  width: number,
  styles: Styles,
): string {
  const { common, onlyFirst, onlySecond, ratios, sameDevice, sumNs } = difference;
  const [first, second] = names.map(printable) as [string, string];
  const line = (title: string, text: string) => `${styles.dim(title.padEnd(10))}  ${text}`;
  const times = (ratio: number) => `${ratio.toFixed(3)}x`;
  const head = [
    line("devices", sameDevice ? "the same" : "different"),
    line("layers", `${common} in both, ${onlyFirst} only in ${first}, ${onlySecond} only in ${second}`),
  ];
  if (!ratios) return head.join("\n");
  return [
    ...head,
    line("sum", `${formatNs(sumNs[0])} and ${formatNs(sumNs[1])}`),
    line(
      "ratio",
      `median ${times(ratios.median)}, quartiles ${times(ratios.q1)} to ${times(ratios.q3)}, from ${times(ratios.min)} to ${times(ratios.max)} (${second} to ${first})`,
    ),
    "",
    renderTable(
      [
        { title: "ratio", align: "right" },
        { title: "first", align: "right" },
        { title: "second", align: "right" },
        { title: "layer", flexible: true },
      ],
      layers.map(({ key, ns, ratio }) => [times(ratio), formatNs(ns[0]), formatNs(ns[1]), printable(key)]),
      width,
      styles.bold,
    ),
  ].join("\n");
}
