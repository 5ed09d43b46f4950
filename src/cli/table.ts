/** Tables of text that fit the terminal. */
import { type Style, visibleLength } from "./style.js";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** May be cut when the table is too wide; the widest of these is cut first. */
  readonly flexible?: boolean;
}

const gap = "  ";

/** Rows under their titles, at most `width` characters a line where the flexible columns allow it; no trailing newline. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  titleStyle: Style = (s) => s,
): string {
  const widths = columns.map((c, i) =>
    Math.max(c.title.length, ...rows.map((row) => visibleLength(row[i] ?? "")), c.flexible ? 8 : 0),
  );
  const total = () => widths.reduce((a, b) => a + b, 0) + gap.length * (columns.length - 1);
  while (total() > width) {
    let widest = -1;
    columns.forEach((c, i) => {
      if (c.flexible && widths[i]! > 8 && (widest < 0 || widths[i]! > widths[widest]!)) widest = i;
    });
    if (widest < 0) break;
    widths[widest]!--;
  }
  const line = (cells: readonly string[], style: Style) =>
    columns
      .map((c, i) => {
        const cell = truncate(cells[i] ?? "", widths[i]!);
        const pad = " ".repeat(Math.max(0, widths[i]! - visibleLength(cell)));
        return c.align === "right" ? pad + style(cell) : style(cell) + pad;
      })
      .join(gap)
      .trimEnd();
  return [
    line(
      columns.map((c) => c.title),
      titleStyle,
    ),
    ...rows.map((row) => line(row, (s) => s)),
  ].join("\n");
}

/** Cuts a text in its middle: both ends of a layer's name tell more than its start alone. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  if (width < 4) return text.slice(0, width);
  const head = Math.ceil((width - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`;
}

/** Breaks a text into lines of at most `width` characters, indented. Lines that it has already are kept. */
export function wrap(text: string, width: number, indent = ""): string {
  const room = Math.max(20, width - indent.length);
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > room) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines.map((l) => (indent + l).trimEnd()).join("\n");
}
