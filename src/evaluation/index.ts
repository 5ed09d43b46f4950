export { type AnchorLevel, squareAnchors } from "./anchors.js";
export {
  type Box,
  type BoxFormat,
  intersectionOverUnion,
  type ReadBoxesOptions,
  readBoxes,
  suppressNonMaxima,
} from "./boxes.js";
export {
  type BoxAgreement,
  type BoxComparison,
  type BoxOptions,
  makeBoxComparison,
  rankedScore,
} from "./compare-boxes.js";
export { type Comparison, compareOutputs, type OutputDifference } from "./compare-outputs.js";
export {
  countRanks,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  evaluationOf,
  type RankCounts,
} from "./evaluate.js";
export { datasetFeeds, type Fed, type FeedOptions, noiseFeeds } from "./feeds.js";
export { averagePrecision, type Match, matchBoxes } from "./match-boxes.js";
export {
  type DataSource,
  drawForModel,
  type ModelDataOptions,
  openForModel,
  openSource,
  openSourcesOnce,
  specForModel,
} from "./open-for-model.js";
export { rankOf } from "./rank.js";
