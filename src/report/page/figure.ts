/** Charts that fit the width they are given, and are drawn anew when it changes. */
import type { WhatIf } from "../what-if.js";
import { details, html, svg } from "./dom.js";

export interface Drawing {
  readonly root: SVGSVGElement;
  /** Moves to another choice. */
  readonly show?: (choice: WhatIf) => void;
}

export interface Figure {
  readonly element: HTMLElement;
  readonly show: (choice: WhatIf) => void;
  /** After something else that the drawing depends on has changed. */
  readonly redraw: () => void;
}

export interface FigureText {
  /** What it shows, in a line, for those who do not see it. */
  readonly label: string;
  /** Below the chart. */
  readonly caption?: string;
  /** The same as a table. */
  readonly table?: () => HTMLElement;
}

export function figure(text: FigureText, draw: (width: number) => Drawing): Figure {
  const holder = html("div", { class: "chart" });
  const element = html("figure", {}, holder);
  if (text.caption !== undefined) element.append(html("figcaption", {}, text.caption));
  if (text.table) element.append(details("As a table", text.table));
  let width = 0;
  let drawing: Drawing | undefined;
  let choice: WhatIf | undefined;
  const redraw = () => {
    if (width === 0) return;
    drawing = draw(width);
    holder.replaceChildren(drawing.root);
    if (choice) drawing.show?.(choice);
  };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry?.contentRect.width ?? 0);
    if (now === 0 || now === width) return;
    width = now;
    redraw();
  }).observe(holder);
  return {
    element,
    redraw,
    show(next) {
      choice = next;
      drawing?.show?.(next);
    },
  };
}

/** A drawing that is read as one image. */
export function canvas(width: number, height: number, label: string): SVGSVGElement {
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    svg("title", {}, label),
  );
}
