export { type Run, readRun } from "./read-run.js";
export { type LayerError, type PredictionReport, worstLayers } from "./worst-layers.js";
