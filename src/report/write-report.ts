/** The page of a run and its figures, into the run folder or elsewhere. */
import { join } from "node:path";
import { runFiles, writeText } from "../pipeline/index.js";
import { type Run, readRun } from "./read-run.js";
import { renderPage } from "./render-page.js";
import { reportData } from "./report-data.js";

/**
 * Writes `report.html` and `report.json` into the folder of a run that has ended.
 * @returns the path of the page
 * @throws HalpError as {@link readRun}; HALP_OUTPUT_UNWRITABLE
 */
export async function writeReport(folder: string): Promise<string> {
  const data = reportData(readRun(folder));
  const page = join(folder, runFiles.page);
  await writeText(join(folder, runFiles.pageData), `${JSON.stringify(data)}\n`);
  await writeText(page, renderPage(data));
  return page;
}

/** Writes the page of a run to a file of its own. @throws HalpError HALP_OUTPUT_UNWRITABLE */
export async function writePage(run: Run, file: string): Promise<void> {
  await writeText(file, renderPage(reportData(run)));
}
