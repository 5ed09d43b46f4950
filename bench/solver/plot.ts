/** A contender's time on a group of instances. */
export interface Point {
  readonly contender: string;
  readonly group: string;
  /** Whether it has tables over two variables: another kind of problem, not joined by a line with the others. */
  readonly joint: boolean;
  /** Options over all variables. */
  readonly options: number;
  /** Seconds, above 0. */
  readonly median: number;
  /** Answers that the time limit ended: their time is a lower bound, and is drawn hollow. */
  readonly unfinished: number;
}

// A palette that stays apart for most colour-blind readers (Okabe and Ito), then greys; with a shape of its own each.
const colours = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000", "#777", "#a63", "#36a"];
const width = 860;
const height = 520;
const edge = { left: 86, right: 200, top: 46, bottom: 60 };

function escapeXml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** A mark round (x, y): the shape tells contenders apart without colour. */
function mark(shape: number, x: number, y: number, colour: string, hollow = false): string {
  const r = 4.5;
  const paint = hollow ? `fill="white" stroke="${colour}" stroke-width="1.5"` : `fill="${colour}"`;
  const at = (points: readonly (readonly [number, number])[]): string =>
    `<polygon points="${points.map(([dx, dy]) => `${(x + dx * r).toFixed(1)},${(y + dy * r).toFixed(1)}`).join(" ")}" ${paint}/>`;
  switch (shape % 4) {
    case 0:
      return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${r}" ${paint}/>`;
    case 1:
      return at([
        [-0.9, -0.9],
        [0.9, -0.9],
        [0.9, 0.9],
        [-0.9, 0.9],
      ]);
    case 2:
      return at([
        [0, -1.2],
        [1.1, 0.9],
        [-1.1, 0.9],
      ]);
    default:
      return at([
        [0, -1.2],
        [1.2, 0],
        [0, 1.2],
        [-1.2, 0],
      ]);
  }
}

function unit(exponent: number): string {
  if (exponent < -3) return `${10 ** (exponent + 6)} us`;
  if (exponent < 0) return `${10 ** (exponent + 3)} ms`;
  return `${10 ** exponent} s`;
}

/**
 * Median time against the number of options, both logarithmic, as an SVG document. A contender's groups are joined by a
 * line; hollow marks are lower bounds.
 */
export function plotTimes(all: readonly Point[], title: string): string {
  const points = all.filter((p) => p.options > 0 && p.median > 0);
  const xs = points.map((p) => Math.log10(p.options));
  const ys = points.map((p) => Math.log10(p.median));
  const x0 = Math.floor(Math.min(...xs, 4));
  const x1 = Math.max(x0 + 1, Math.ceil(Math.max(...xs, 2)));
  const y0 = Math.floor(Math.min(-5, ...ys));
  const y1 = Math.max(y0 + 1, Math.ceil(Math.max(-3, ...ys)));
  const right = width - edge.right;
  const bottom = height - edge.bottom;
  const px = (options: number): number => edge.left + ((Math.log10(options) - x0) / (x1 - x0)) * (right - edge.left);
  const py = (seconds: number): number => bottom - ((Math.log10(seconds) - y0) / (y1 - y0)) * (bottom - edge.top);
  const parts: string[] = [];
  const vertical = (x: number, colour: string): void => {
    parts.push(`<path d="M${x.toFixed(1)} ${edge.top}V${bottom}" stroke="${colour}"/>`);
  };
  const horizontal = (y: number, colour: string): void => {
    parts.push(`<path d="M${edge.left} ${y.toFixed(1)}H${right}" stroke="${colour}"/>`);
  };
  for (let e = x0; e <= x1; e++) {
    if (e < x1) for (let k = 2; k < 10; k++) vertical(px(k * 10 ** e), "#f3f3f3");
    vertical(px(10 ** e), "#ccc");
    const label = (10 ** e).toLocaleString("en");
    parts.push(`<text x="${px(10 ** e).toFixed(1)}" y="${bottom + 20}" text-anchor="middle">${label}</text>`);
  }
  for (let e = y0; e <= y1; e++) {
    horizontal(py(10 ** e), "#ccc");
    parts.push(`<text x="${edge.left - 8}" y="${(py(10 ** e) + 4).toFixed(1)}" text-anchor="end">${unit(e)}</text>`);
  }
  const sizes = new Map<number, Set<string>>();
  for (const p of points) sizes.set(p.options, (sizes.get(p.options) ?? new Set()).add(p.group));
  // beyond a dozen the names would cover one another
  if (sizes.size <= 12)
    for (const [options, groups] of sizes) {
      const group = [...groups].slice(0, 3).join(", ") + (groups.size > 3 ? ", ..." : "");
      const at = `translate(${(px(options) - 3).toFixed(1)} ${edge.top + 4}) rotate(-90)`;
      parts.push(`<text transform="${at}" text-anchor="end" font-size="10" fill="#888">${escapeXml(group)}</text>`);
    }
  [...new Set(points.map((p) => p.contender))].forEach((name, i) => {
    const colour = colours[i % colours.length]!;
    const own = points.filter((p) => p.contender === name).sort((a, b) => a.options - b.options || a.median - b.median);
    for (const joint of [false, true]) {
      const joined = own.filter((p) => p.joint === joint);
      if (joined.length < 2) continue;
      const line = joined.map((p) => `${px(p.options).toFixed(1)},${py(p.median).toFixed(1)}`).join(" ");
      parts.push(`<polyline points="${line}" fill="none" stroke="${colour}" stroke-opacity="0.35"/>`);
    }
    for (const p of own) {
      const tip = escapeXml(`${p.group}, ${name}: ${p.options} options, ${p.median.toPrecision(3)} s`);
      parts.push(`<g><title>${tip}</title>${mark(i, px(p.options), py(p.median), colour, p.unfinished > 0)}</g>`);
    }
    const y = edge.top + 12 + i * 20;
    parts.push(mark(i, right + 20, y - 4, colour), `<text x="${right + 32}" y="${y}">${escapeXml(name)}</text>`);
  });
  const middle = (edge.left + right) / 2;
  parts.push(
    `<text x="${middle}" y="${height - 18}" text-anchor="middle">options, over all variables</text>`,
    `<text transform="translate(20 ${(edge.top + bottom) / 2}) rotate(-90)" text-anchor="middle">time of one solve, median</text>`,
    `<text x="${edge.left}" y="26" font-size="15">${escapeXml(title)}</text>`,
    `<text x="${right + 12}" y="${height - 18}" font-size="10" fill="#888">hollow: ended by the limit</text>`,
  );
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`;
  return `${head}<rect width="100%" height="100%" fill="white"/>${parts.join("")}</svg>\n`;
}
