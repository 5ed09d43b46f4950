/** halp as a library: the pipeline, and the rooms that are of use on their own. The solver alone is `halp/solver`. */
export { analyzeCoupling, type Coupling, type CouplingGroup, type Plan } from "./coupling/index.js";
export { HalpError, type HalpErrorFields } from "./errors.js";
export {
  type Comparison,
  compareOutputs,
  datasetFeeds,
  type Evaluation,
  evaluate,
  noiseFeeds,
  type OutputDifference,
} from "./evaluation/index.js";
export type { AnalyzedGraph, ValueType } from "./graph/analysis.js";
export { type AnalyzeOptions, analyzeGraph } from "./graph/infer.js";
export type * from "./graph/ir.js";
export { findOperator } from "./operators/index.js";
export * from "./pipeline/index.js";
export { createSession, type MeasureOptions, measureModels, measurePair, type Session } from "./runtime/index.js";
