/** The page in a real browser, opened from disk: what its slider says is what the solver says in Node. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium } from "playwright-core";
import t from "tap";
import { percent, time } from "../../src/report/format.js";
import { openWhatIfs, writeReport } from "../../src/report/index.js";
import { solve } from "../../src/solver/index.js";
import { chromiumPath, noChromium } from "./browser.js";
import { hostileNames, type MadeRun, writeBareRun, writeRun, writeRunForTwo } from "./runs.js";

const folder = t.testdir();
const options = { skip: noChromium };
const inPage = readFileSync("test/report/in-page.js", "utf8");
let browser: Browser;
t.before(async () => {
  if (chromiumPath)
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
});
t.teardown(async () => await browser?.close());

interface Slider {
  readonly index: number;
  readonly spoken: string;
  readonly asked: string;
  readonly latencyNs: number;
  readonly latency: string;
  readonly share: number;
  readonly proof: string;
  readonly widths: readonly string[];
}

/** Opens a page and keeps what it complains of and asks for. */
async function open(file: string, given: BrowserContextOptions = {}) {
  const context = await browser.newContext(given);
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (m) => complaints.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("request", (r) => requests.push(r.url()));
  const url = pathToFileURL(file).href;
  await page.goto(url);
  await page.waitForSelector("h1");
  await page.evaluate(inPage);
  const ask = <T>(what: string) => page.evaluate<T>(`inPage.${what}`);
  /** Everything that is folded away, too. */
  const unfold = async () => {
    for (const summary of await page.locator("summary").all()) await summary.click();
  };
  return { page, ask, unfold, complaints, requests, url, close: () => context.close() };
}

/** What the page has to say, by the solver in Node. */
function expected({ problem, search, result }: MadeRun, budget: number) {
  const { choice, value, latency, status } = solve(problem, budget);
  const offset = search.latencyNs.chosen - search.solution!.latency;
  const widths = result.groups.map((g) => {
    const at = search.groups.find((s) => s.name === g.name);
    return at ? `${at.options[choice[g.name]!]} / ${g.dense}` : `${g.dense}, frozen`;
  });
  return { latencyNs: latency + offset, share: value / search.importance.whole, status, widths };
}

const names = ["conv1", "layer1.conv1", "layer1.conv2", "layer2.conv1", "layer2.conv2", "logits"];

t.test("opened from disk; the slider, by keyboard", options, async (t) => {
  const made = writeRun(join(folder, "run"), { names, epochs: 4 });
  const { page, ask, complaints, requests, url, close } = await open(await writeReport(made.folder));
  const { budgets, run } = openWhatIfs(made.problem, made.search);
  const dense = made.search.latencyNs.dense;
  const check = async (what: string) => {
    const found = await ask<Slider>("readSlider()");
    const wanted = expected(made, budgets[found.index]!);
    t.ok(
      Math.abs(found.latencyNs - wanted.latencyNs) < 1e-3,
      `${what}: ${found.latencyNs} ns, ${wanted.latencyNs} in Node`,
    );
    t.ok(Math.abs(found.share - wanted.share) < 1e-9, `${what}: importance`);
    t.equal(found.latency, `${time(wanted.latencyNs)}, ${percent(wanted.latencyNs / dense)}`);
    t.strictSame(found.widths, wanted.widths, `${what}: widths`);
    t.equal(wanted.status, "optimal");
    t.match(found.proof, /^proven best, [\d.]+ ms$/);
    t.ok(found.spoken.startsWith(`${found.asked} of the dense latency, `), found.spoken);
    return found;
  };
  const first = await check("at first");
  t.equal(first.index, run, "it begins with what the run chose");
  t.ok(Math.abs(first.latencyNs - made.search.latencyNs.chosen) < 1e-3);

  for (let tabs = 0; tabs < 10 && (await page.evaluate("document.activeElement.id")) !== "budget"; tabs++)
    await page.keyboard.press("Tab");
  const keys = ["ArrowLeft", "ArrowLeft", "PageDown", "End", "PageDown", "PageDown", "ArrowUp", "Home", "ArrowRight"];
  const seen = new Set<number>();
  for (const key of keys) {
    await page.keyboard.press(key);
    const { index } = await check(key);
    seen.add(index);
    if (key === "End") t.equal(index, budgets.length - 1);
    if (key === "Home") t.equal(index, 0);
  }
  t.ok(seen.size >= 8, "the keys moved it");
  await page.locator("[role=status]", { hasText: "Budget" }).waitFor({ state: "attached" });
  t.match(
    await page.textContent("[role=status]"),
    /^Budget .* predicted .* importance kept/,
    "told to those who listen",
  );
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  t.equal((await check("back")).index, run);

  const { before, after } = await ask<Record<"before" | "after", Record<string, string>>>("moveToLeast()");
  for (const what of ["bars", "dot", "marks"]) t.not(before[what], after[what], `${what} moved before the next frame`);
  await check("in one task");

  t.strictSame(complaints, []);
  t.strictSame(requests, [url], "nothing was fetched");
  await close();
});

t.test("for those who do not see it", options, async (t) => {
  const made = writeRun(join(folder, "heard"), { names, epochs: 2 });
  const { page, ask, unfold, close } = await open(await writeReport(made.folder));
  const found = await ask<{
    readonly lang: string;
    readonly headings: readonly number[];
    readonly unnamed: number;
    readonly charts: number;
    readonly label: string;
    readonly ids: readonly string[];
  }>("outline()");
  t.equal(found.lang, "en");
  t.equal(found.headings[0], 1);
  t.ok(
    found.headings.every((h, i) => i === 0 || (h > 1 && h - found.headings[i - 1]! <= 1)),
    found.headings.join(" "),
  );
  t.equal(found.unnamed, 0, "every drawing has a name");
  t.ok(found.charts > 8, `${found.charts} charts`);
  t.match(found.label, /Latency budget/);
  t.equal(new Set(found.ids).size, found.ids.length);
  await unfold();
  const rows = await page.locator("table tbody tr").count();
  t.ok(rows > 50, `${rows} rows in tables`);
  await close();
});

t.test("light and dark, wide and narrow: legible, and no wider than the window", options, async (t) => {
  const made = writeRun(join(folder, "seen"), { names: [...names, "a name ".repeat(30)], epochs: 2 });
  const file = await writeReport(made.folder);
  for (const colorScheme of ["light", "dark"] as const)
    for (const width of [320, 390, 1280]) {
      const { ask, unfold, close } = await open(file, { colorScheme, viewport: { width, height: 800 } });
      await unfold();
      const [needed = 0, there = 0] = await ask<readonly number[]>("sizes()");
      t.ok(needed <= there, `${colorScheme}: ${needed} of ${width}`);
      t.strictSame(await ask("paleTexts()"), [], `${colorScheme}, ${width}: contrast`);
      await close();
    }
});

t.test("names that would be markup are shown and do nothing", options, async (t) => {
  const made = writeRun(join(folder, "hostile"), { names: hostileNames, epochs: 2 });
  const { page, unfold, complaints, requests, url, close } = await open(await writeReport(made.folder));
  await unfold();
  await page.focus("#budget");
  await page.keyboard.press("PageDown");
  t.equal(await page.evaluate("globalThis.injected"), undefined);
  t.equal(await page.locator("img, iframe, svg[onload]").count(), 0);
  const text = (await page.textContent("main")) ?? "";
  for (const name of hostileNames) t.ok(text.includes(name), name);
  t.strictSame(complaints, []);
  t.strictSame(requests, [url]);
  await close();
});

t.test("the policy holds: markup that came into the page after all would do nothing", options, async (t) => {
  const made = writeRun(join(folder, "policy"), { names });
  const { page, ask, complaints, close } = await open(await writeReport(made.folder));
  const responses: string[] = [];
  page.on("response", (r) => responses.push(r.url()));
  await ask("inject()");
  const refused = (kind: string) => complaints.some((c) => c.includes("Content Security Policy") && c.includes(kind));
  for (const kind of ["inline script", "Loading the image"]) {
    for (let turn = 0; turn < 100 && !refused(kind); turn++) await page.waitForTimeout(100);
    t.ok(refused(kind), `${kind} was refused`, { complaints });
  }
  t.equal(await page.evaluate("globalThis.injected"), undefined);
  t.strictSame(responses, []);
  await close();
});

t.test("a run that kept no more than its result", options, async (t) => {
  writeBareRun(join(folder, "bare"));
  const { page, complaints, close } = await open(await writeReport(join(folder, "bare")));
  t.equal(await page.locator("#budget").count(), 0);
  const text = (await page.textContent("main")) ?? "";
  t.match(text, /not evaluated/);
  t.match(text, /kept no problem/);
  t.match(text, /kept no times/);
  t.notMatch(text, /Training/);
  t.strictSame(complaints, []);
  await close();
});

t.test("a run for two devices is judged on both, and has no slider", options, async (t) => {
  const [first, second] = hostileNames as [string, string];
  writeRunForTwo(join(folder, "two"), [first, second]);
  const { page, complaints, close } = await open(await writeReport(join(folder, "two")));
  const text = (await page.textContent("main")) ?? "";
  t.match(text, "Budgets missed: 61.0 % of the dense latency as measured on ");
  t.match(text, `75.0 % of the dense latency as measured on ${second}, 70.0 % asked for`);
  t.match(text, `Latency on ${first}`);
  t.match(text, /Of several devices at once/);
  t.equal(await page.locator("#budget").count(), 0);
  t.equal(await page.evaluate("globalThis.injected"), undefined);
  t.strictSame(complaints, []);
  await close();
});
