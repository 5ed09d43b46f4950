/** The page of a run: one file that fetches nothing, holds the run's figures, and takes no name for markup. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openWhatIfs, type ReportData, readRun, reportData, writeReport } from "../../src/report/index.js";
import { escapeHtml, escapeJson } from "../../src/report/render-page.js";
import { solve } from "../../src/solver/index.js";
import { hostileNames, writeBareRun, writeRun } from "./runs.js";

const folder = t.testdir();
const at = (name: string) => join(folder, name);

/** Elements of a page: their starting tags, and what stands in its scripts and styles. */
function read(page: string) {
  const bodies = [...page.matchAll(/<(script|style)([^>]*)>([\s\S]*?)<\/\1>/g)].map(([, tag, attributes, text]) => ({
    tag,
    attributes,
    text: text!,
  }));
  const markup = page.replace(/(<(script|style)[^>]*>)[\s\S]*?(?=<\/\2>)/g, "$1");
  const data = bodies.find((b) => b.attributes === ' id="data" type="application/json"');
  return { bodies, markup, data: JSON.parse(data?.text ?? "") as ReportData };
}

t.test("the page holds the run's figures, and nothing is loaded", async (t) => {
  const made = writeRun(at("run"), { names: ["conv1", "conv2", "conv3", "head"], epochs: 3 });
  const file = await writeReport(made.folder);
  t.equal(file, join(made.folder, "report.html"));
  const page = readFileSync(file, "utf8");
  const { bodies, markup, data } = read(page);
  t.strictSame(
    data,
    JSON.parse(readFileSync(join(made.folder, "report.json"), "utf8")),
    "the JSON beside it is the page's",
  );
  t.strictSame(data.result, made.result);
  t.strictSame(data.problem, made.problem);
  t.strictSame(data.search, made.search);
  t.strictSame(data, JSON.parse(JSON.stringify(reportData(readRun(made.folder)))));
  t.notMatch(page, "secret", "the folder that the command was given in is left out");

  t.notMatch(markup, /\s(src|href|action|style|on[a-z]+)=/i, "no element refers to anything");
  t.notMatch(markup, /<(link|img|iframe|object|embed|base|form)\b/i);
  const style = bodies.find((b) => b.tag === "style")!.text;
  t.notMatch(style, /url\(|@import/i);
  const script = bodies.find((b) => b.tag === "script" && b.attributes === "")!.text;
  t.strictSame(
    [...new Set(script.match(/https?:\/\/[\w./-]+/g))],
    ["http://www.w3.org/2000/svg"],
    "a namespace, no address",
  );
  t.notMatch(script, /<\/script|<!--/i);
  t.notMatch(script, /\b(fetch|XMLHttpRequest|importScripts|WebSocket|EventSource)\s*\(/);
  const [, policy = ""] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(markup) ?? [];
  const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  t.equal(
    policy,
    `default-src 'none'; script-src ${hash(script)} 'wasm-unsafe-eval'; style-src ${hash(style)}; base-uri 'none'; form-action 'none'`,
  );
});

t.test("names are text", async (t) => {
  const made = writeRun(at("hostile"), { names: hostileNames, epochs: 2 });
  const page = readFileSync(await writeReport(made.folder), "utf8");
  const { markup, data } = read(page);
  t.strictSame(data.result, made.result);
  t.strictSame(
    [...markup.matchAll(/<\/?([a-z!][\w-]*)/gi)].map((m) => m[1]),
    [...read(readFileSync(join(folder, "run/report.html"), "utf8")).markup.matchAll(/<\/?([a-z!][\w-]*)/gi)].map(
      (m) => m[1],
    ),
    "the same elements as with tame names",
  );
  const json = escapeJson(hostileNames);
  t.strictSame(JSON.parse(json), hostileNames);
  t.notMatch(json, /[<\u2028\u2029]/);
  t.equal(escapeHtml(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
});

t.test("a run that kept no more than its result", async (t) => {
  writeBareRun(at("bare"));
  const { data } = read(readFileSync(await writeReport(at("bare")), "utf8"));
  t.match(data, { problem: null, search: null, frontier: null, layers: null, device: null, config: null, log: [] });
});

t.test("damaged files are refused by name", async (t) => {
  for (const [name, text] of [
    ["search.json", '{"format": "halp.search/1", "groups": 3}'],
    ["problem.json", '{"format": "halp.problem/1"}'],
    ["device.json", '{"format": "halp.device/1"}'],
    ["log.jsonl", '{"epoch": 1}\n'],
    ["config.json", "[]"],
  ] as const) {
    const made = writeRun(at(`damaged-${name}`), { names: ["a", "b", "c"], epochs: 1 });
    writeFileSync(join(made.folder, name), text);
    await t.rejects(writeReport(made.folder), { code: "HALP_RUN_CORRUPT", message: new RegExp(name) });
    t.notOk(existsSync(join(made.folder, "report.html")));
  }
});

t.test("what-ifs: the solver's answers, and the run's own choice among them", async (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const { problem, search, result } = writeRun(at(`seed${seed}`), { names: ["a", "b", "c", "d", "out"], seed });
    const whatIfs = openWhatIfs(problem, search);
    const own = whatIfs.at(whatIfs.budgets[whatIfs.run]!);
    t.strictSame(
      own.counts,
      search.groups.map((g) => g.options[g.chosen]),
    );
    t.ok(Math.abs(own.share - result.importanceKept) < 1e-9);
    t.ok(Math.abs(own.latencyNs - search.latencyNs.chosen) < 1e-3);
    t.strictSame(
      [...whatIfs.budgets].sort((a, b) => a - b),
      whatIfs.budgets,
    );
    for (const budget of [whatIfs.budgets[0]!, whatIfs.budgets[7]!, whatIfs.budgets.at(-1)!]) {
      const { status, choice, value, latency } = solve(problem, budget);
      t.match(whatIfs.at(budget).solution, { status, choice, value, latency });
    }
    const { latencyNs, share, complete } = whatIfs.frontier({ timeLimitMs: 1e5, maxPoints: 30 });
    t.ok(complete && latencyNs.length <= 30 && latencyNs.length > 2);
    const offset = search.latencyNs.chosen - search.solution!.latency;
    const best = latencyNs.map((ns) => solve(problem, ns - offset).value / search.importance.whole);
    t.ok(
      best.every((value, i) => Math.abs(value - share[i]!) < 1e-9),
      "each point is an optimum",
    );
  }
});
