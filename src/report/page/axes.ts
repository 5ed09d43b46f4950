/** Axes of charts: lines at round numbers, and what they stand for. */
import { svg } from "./dom.js";

export interface Scale {
  (x: number): number;
  ticks(count?: number): number[];
}

export interface AxesOptions {
  readonly x: Scale;
  readonly y: Scale;
  /** In pixels. */
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly xTicks: number;
  readonly yTicks: number;
  readonly xText: (x: number) => string;
  readonly yText: (y: number) => string;
  readonly xTitle?: string;
  readonly yTitle?: string;
}

export function axes(o: AxesOptions): SVGGElement {
  const g = svg("g", { class: "axes" });
  for (const y of o.y.ticks(o.yTicks)) {
    const at = o.y(y);
    g.append(
      svg("line", { x1: o.left, x2: o.right, y1: at, y2: at, class: "grid" }),
      svg("text", { x: o.left - 6, y: at, dy: "0.32em", "text-anchor": "end" }, o.yText(y)),
    );
  }
  for (const x of o.x.ticks(o.xTicks)) {
    const at = o.x(x);
    g.append(
      svg("line", { x1: at, x2: at, y1: o.bottom, y2: o.bottom + 4, class: "tick" }),
      svg("text", { x: at, y: o.bottom + 16, "text-anchor": "middle" }, o.xText(x)),
    );
  }
  g.append(svg("line", { x1: o.left, x2: o.right, y1: o.bottom, y2: o.bottom, class: "base" }));
  if (o.xTitle !== undefined)
    g.append(svg("text", { x: o.right, y: o.bottom + 32, "text-anchor": "end", class: "title" }, o.xTitle));
  if (o.yTitle !== undefined) g.append(svg("text", { x: 0, y: o.top - 10, class: "title" }, o.yTitle));
  return g;
}

/** Nanoseconds in the unit that suits the largest. */
export function timeUnit(largestNs: number): { readonly unit: string; readonly text: (ns: number) => string } {
  const [unit, size] =
    largestNs >= 2e9 ? ["s", 1e9] : largestNs >= 2e6 ? ["ms", 1e6] : largestNs >= 2e3 ? ["µs", 1e3] : ["ns", 1];
  return { unit, text: (ns) => `${Number((ns / size).toPrecision(4))}` };
}
