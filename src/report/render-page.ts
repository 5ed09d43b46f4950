/**
 * The page of a run: one file that fetches nothing. Its data lie in it as JSON; the script that draws them, the solver
 * among it, and the style are what the build bundled beside this file.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { percent, time } from "./format.js";
import type { ReportData } from "./report-data.js";

/** @param parts script and style of the page; by default what was built. */
export function renderPage(data: ReportData, parts: PageParts = builtParts()): string {
  const { script, style } = parts;
  const { latencyNs, budgetRatio, measuredRatio } = data.result;
  // Nothing is loaded from anywhere; script and style are these very ones, so that text from a model cannot become one.
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)} 'wasm-unsafe-eval'`,
    `style-src ${hashOf(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="halp">
<title>${escapeHtml(data.name)}, pruned by halp</title>
<style>${style}</style>
</head>
<body>
<main id="page">
<noscript>
<h1>${escapeHtml(data.name)}</h1>
<p>Latency ${time(latencyNs.dense)} before, ${time(latencyNs.pruned)} after: ${percent(measuredRatio)} of the dense network's, the budget being ${percent(budgetRatio)}. The rest of this page is drawn by the script in it, which this browser does not run.</p>
</noscript>
</main>
<script id="data" type="application/json">${escapeJson(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

export interface PageParts {
  readonly script: string;
  readonly style: string;
}

function builtParts(): PageParts {
  const read = (name: string) => readFileSync(new URL(`./page/${name}`, import.meta.url), "utf8").trim();
  return { script: read("bundle.min.js"), style: read("bundle.min.css") };
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** For text and for attributes in double quotes. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (c) => entities[c] as string);
}

/** JSON for a script element: no `</script` and no `<!--` can be in it. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
