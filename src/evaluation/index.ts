export { type Comparison, compareOutputs, type OutputDifference } from "./compare-outputs.js";
export { type EvaluateOptions, type Evaluation, evaluate } from "./evaluate.js";
export { datasetFeeds, type Fed, type FeedOptions, noiseFeeds } from "./feeds.js";
export { drawForModel, type ModelDataOptions, openForModel, specForModel } from "./open-for-model.js";
export { rankOf } from "./rank.js";
