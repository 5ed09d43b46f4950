/** A contender's time on a group of instances. */
export interface Timed {
  readonly contender: string;
  readonly options: number;
  readonly medianUs: number;
}

const colours = ["#0b6", "#06c", "#c40", "#808", "#888", "#a80", "#088", "#c08", "#444", "#5a0"];
const width = 720;
const height = 440;
const edge = { left: 70, right: 170, top: 20, bottom: 50 };

/** Time against size, both logarithmic, as an SVG document. */
export function plotTimes(rows: readonly Timed[]): string {
  const xs = rows.map((r) => Math.log10(r.options));
  const ys = rows.map((r) => Math.log10(r.medianUs));
  const x0 = Math.floor(Math.min(...xs));
  const x1 = Math.ceil(Math.max(...xs));
  const y0 = Math.floor(Math.min(...ys));
  const y1 = Math.ceil(Math.max(...ys));
  const px = (x: number): number => edge.left + ((x - x0) / Math.max(1, x1 - x0)) * (width - edge.left - edge.right);
  const py = (y: number): number =>
    height - edge.bottom - ((y - y0) / Math.max(1, y1 - y0)) * (height - edge.top - edge.bottom);
  const parts: string[] = [];
  for (let x = x0; x <= x1; x++)
    parts.push(
      `<line x1="${px(x)}" x2="${px(x)}" y1="${edge.top}" y2="${height - edge.bottom}" stroke="#ddd"/>`,
      `<text x="${px(x)}" y="${height - edge.bottom + 18}" text-anchor="middle">${10 ** x}</text>`,
    );
  const unit = (y: number): string => (y < 3 ? `${10 ** y} us` : y < 6 ? `${10 ** (y - 3)} ms` : `${10 ** (y - 6)} s`);
  for (let y = y0; y <= y1; y++)
    parts.push(
      `<line x1="${edge.left}" x2="${width - edge.right}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`,
      `<text x="${edge.left - 8}" y="${py(y) + 4}" text-anchor="end">${unit(y)}</text>`,
    );
  const names = [...new Set(rows.map((r) => r.contender))];
  names.forEach((name, i) => {
    const colour = colours[i % colours.length]!;
    for (const r of rows)
      if (r.contender === name)
        parts.push(
          `<circle cx="${px(Math.log10(r.options)).toFixed(1)}" cy="${py(Math.log10(r.medianUs)).toFixed(1)}" r="4" fill="${colour}"/>`,
        );
    const y = edge.top + 16 + i * 18;
    parts.push(
      `<circle cx="${width - edge.right + 20}" cy="${y - 4}" r="4" fill="${colour}"/>`,
      `<text x="${width - edge.right + 30}" y="${y}">${name}</text>`,
    );
  });
  parts.push(
    `<text x="${(edge.left + width - edge.right) / 2}" y="${height - 10}" text-anchor="middle">options in all</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>${parts.join("")}</svg>\n`;
}
