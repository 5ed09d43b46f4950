export { corrupt, type Run, readRun, requireDocument } from "./read-run.js";
export { renderPage } from "./render-page.js";
export { type ReportData, reportData } from "./report-data.js";
export { openWhatIfs, type WhatIf, type WhatIfs } from "./what-if.js";
export { type LayerError, type PredictionReport, worstLayers } from "./worst-layers.js";
export { writePage, writeReport } from "./write-report.js";
