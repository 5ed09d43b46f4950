/** halp as a library: the pipeline, and the rooms that tools build upon. */
export { analyzeCoupling, type Coupling, type CouplingGroup, type Plan } from "./coupling/index.js";
export { type Batch, type Dataset, openDataset, syntheticDataset } from "./data/index.js";
export { HalpError } from "./errors.js";
export { compareOutputs, evaluate } from "./evaluation/index.js";
export type { AnalyzedGraph } from "./graph/analysis.js";
export { analyzeGraph } from "./graph/infer.js";
export {
  createLatencyTable,
  type LatencyTable,
  measureMissing,
  networkConfigs,
  networkOf,
  openTable,
  predictNs,
  saveTable,
} from "./latency/index.js";
export { decodeModel, encodeModel, readModel, writeModel } from "./onnx/index.js";
export { findOperator } from "./operators/index.js";
export * from "./pipeline/index.js";
export { type ReportData, type Run, readRun, renderPage, reportData, writeReport } from "./report/index.js";
export { applyPlan, verifyRewrite } from "./rewrite/index.js";
export { createSession, measureModels, measurePair } from "./runtime/index.js";
export * from "./solver/index.js";
