/** Loss and accuracy over the epochs of a training. */
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import type { EpochLine } from "../../pipeline/epochs.js";
import { percent } from "../format.js";
import type { ReportData } from "../report-data.js";
import { axes } from "./axes.js";
import { html, section, svg, table } from "./dom.js";
import { canvas, figure } from "./figure.js";

interface Curve {
  readonly name: string;
  readonly kind: "first" | "second";
  readonly points: readonly (readonly [epoch: number, value: number])[];
}

/** Undefined where there was no training. */
export function trainingSection({ log, result }: ReportData): HTMLElement | undefined {
  const { training } = result;
  if (!training && log.length === 0) return undefined;
  const between =
    training && training.stepsBetween > 0
      ? `${training.stepsBetween} steps of training on each network of the schedule. `
      : "";
  if (log.length === 0) return section("Training", html("p", {}, `${between}No epochs after the last.`));
  const before = training?.accuracyBefore ?? null;
  const pick = (of: (line: EpochLine) => number | null): [number, number][] =>
    log.flatMap((l) => {
      const value = of(l);
      return value === null ? [] : [[l.epoch, value] as [number, number]];
    });
  const accuracy = pick((l) => l.accuracy);
  const curves: readonly Curve[] = [
    {
      name: "on held-out data",
      kind: "first",
      points: [...(before === null ? [] : [[0, before] as const]), ...accuracy],
    },
    { name: "on training data, as they went by", kind: "second", points: pick((l) => l.trainAccuracy) },
  ];
  const told = curves.filter((c) => c.points.length > 0);
  const loss: Curve = { name: "mean of each epoch", kind: "second", points: pick((l) => l.loss) };
  const figures = [
    ...(told.length > 0 ? [curveChart("Accuracy", told, (v) => percent(v, 1))] : []),
    ...(loss.points.length > 0 ? [curveChart("Loss", [loss], (v) => `${Number(v.toPrecision(3))}`)] : []),
  ];
  const shown = (x: number | null, text: (x: number) => string) => (x === null ? "" : text(x));
  const rows = log.map((l) => [
    `${l.epoch}`,
    shown(l.loss, (v) => v.toPrecision(4)),
    shown(l.trainAccuracy, (v) => percent(v, 2)),
    shown(l.accuracy, (v) => percent(v, 2)),
    l.learningRate.toPrecision(3),
    `${Math.round(l.seconds)}`,
  ]);
  return section(
    "Training",
    html("p", {}, `${between}${log.length} epochs after the last.`),
    html("div", { class: "pair" }, ...figures),
    html(
      "details",
      {},
      html("summary", {}, "As a table"),
      table(
        "Epochs of the training",
        ["epoch", "loss", "training accuracy", "accuracy", "learning rate", "seconds"],
        rows,
        0,
      ),
    ),
  );
}

function curveChart(title: string, curves: readonly Curve[], text: (v: number) => string): HTMLElement {
  const values = curves.flatMap((c) => c.points.map(([, v]) => v));
  const epochs = curves.flatMap((c) => c.points.map(([e]) => e));
  const label = `${title} over the epochs: ${curves.map((c) => `${c.name} from ${text(c.points[0]?.[1] ?? 0)} to ${text(c.points.at(-1)?.[1] ?? 0)}`).join("; ")}`;
  const { element } = figure({ label }, (width) => {
    const height = Math.min(280, Math.max(200, Math.round(width * 0.55)));
    const box = { left: 56, right: width - 12, top: 16, bottom: height - 40 };
    const x = scaleLinear([Math.min(...epochs), Math.max(1, ...epochs)], [box.left, box.right]);
    const y = scaleLinear([Math.min(...values), Math.max(...values)], [box.bottom, box.top]).nice();
    const root = canvas(width, height, label);
    root.append(
      axes({
        ...box,
        x: Object.assign((v: number) => x(v), { ticks: (n?: number) => x.ticks(n).filter(Number.isInteger) }),
        y,
        xTicks: Math.min(width / 60, 10),
        yTicks: 5,
        xText: String,
        yText: text,
        xTitle: "epoch",
      }),
    );
    for (const c of curves) {
      const d =
        line<readonly [number, number]>(
          ([e]) => x(e),
          ([, v]) => y(v),
        )([...c.points]) ?? "";
      root.append(svg("path", { d, class: `curve ${c.kind}` }));
      if (c.points.length <= 60)
        for (const [e, v] of c.points)
          root.append(svg("circle", { cx: x(e), cy: y(v), r: 2.5, class: `stair-point ${c.kind}` }));
    }
    return { root };
  });
  element.prepend(
    html("h3", {}, title),
    html("ul", { class: "legend" }, ...curves.map((c) => html("li", { class: c.kind }, c.name))),
  );
  return element;
}
