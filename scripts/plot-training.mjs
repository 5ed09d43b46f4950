/** Draws the log of a training: node scripts/plot-training.mjs LOG.jsonl OUT.svg */
import { readFileSync, writeFileSync } from "node:fs";

const [log = "", out = ""] = process.argv.slice(2);
const lines = readFileSync(log, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const [width, height, left, bottom, top, right] = [640, 320, 48, 36, 16, 140];
const last = lines.at(-1).epoch;
const x = (epoch) => left + ((epoch - 1) / Math.max(1, last - 1)) * (width - left - right);
const lowest = Math.floor(10 * Math.min(...lines.flatMap((l) => [l.accuracy, l.trainAccuracy]))) / 10;
const y = (share) => top + ((1 - share) / (1 - lowest)) * (height - top - bottom);
const path = (key) =>
  lines.map((l, i) => `${i === 0 ? "M" : "L"}${x(l.epoch).toFixed(1)} ${y(l[key]).toFixed(1)}`).join("");
const ticks = [];
for (let share = lowest; share <= 1.0001; share += 0.1)
  ticks.push(
    `<path class="grid" d="M${left} ${y(share).toFixed(1)}H${width - right}"/><text x="${left - 6}" y="${(y(share) + 4).toFixed(1)}" text-anchor="end">${Math.round(100 * share)} %</text>`,
  );
for (let epoch = 1; epoch <= last; epoch += Math.max(1, Math.round(last / 7)))
  ticks.push(`<text x="${x(epoch).toFixed(1)}" y="${height - bottom + 18}" text-anchor="middle">${epoch}</text>`);
const curve = (key, label, name) =>
  `<path class="${name}" d="${path(key)}"/><text class="${name}" x="${width - right + 6}" y="${(y(lines.at(-1)[key]) + (name === "held" ? 14 : -2)).toFixed(1)}">${label} ${(100 * lines.at(-1)[key]).toFixed(2)} %</text>`;
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Accuracy by epoch: at the end ${(100 * lines.at(-1).accuracy).toFixed(2)} % on held-out data">
<style>text{font:12px sans-serif;fill:#555}path{fill:none;stroke-width:2}.grid{stroke:#8884;stroke-width:1}path.seen{stroke:#7a9cc6}path.held{stroke:#c2571a}text.held{fill:#c2571a}text.seen{fill:#5a7ca6}</style>
${ticks.join("\n")}
<text x="${(left + width - right) / 2}" y="${height - 2}" text-anchor="middle">epoch</text>
${curve("trainAccuracy", "training", "seen")}
${curve("accuracy", "held out", "held")}
</svg>
`,
);
