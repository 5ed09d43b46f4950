/** Elements, made so that no text can become markup: everything goes in as text nodes and attributes. */

export type Attributes = Readonly<Record<string, string | number | undefined>>;
type Child = Node | string;

function fill<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, `${value}`);
  made.append(...children);
  return made;
}

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A section with a heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  return html("section", {}, html("h2", {}, title), ...children);
}

/** @param numeric columns from this one on are numbers */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numeric = 1,
): HTMLElement {
  const kind = (i: number) => (i >= numeric ? "number" : undefined);
  const titles = head.map((title, i) => html("th", { scope: "col", class: kind(i) }, title));
  const body = rows.map((row) =>
    html(
      "tr",
      {},
      ...row.map((cell, i) => (i === 0 ? html("th", { scope: "row" }, cell) : html("td", { class: kind(i) }, cell))),
    ),
  );
  // What is wider than the page is scrolled by itself, also by keyboard.
  return html(
    "div",
    { class: "scrolled", tabindex: 0, role: "region", "aria-label": caption },
    html(
      "table",
      {},
      html("caption", {}, caption),
      html("thead", {}, html("tr", {}, ...titles)),
      html("tbody", {}, ...body),
    ),
  );
}

/** What is there for those who ask. */
export function details(summary: string, make: () => Child): HTMLElement {
  const made = html("details", {}, html("summary", {}, summary));
  made.addEventListener("toggle", () => made.childElementCount === 1 && made.append(make()));
  return made;
}
