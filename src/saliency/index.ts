/** Importance of channels. */
export { collectSaliency } from "./collect.js";
export { openScorer, type ScoreFeed, type ScoreRecipe, type Scorer } from "./scorer.js";
export { findSites, type Site } from "./sites.js";
export { prepareScoring, type ScoreSum, type Scoring, type ScoringOptions, sumOfScores } from "./taylor.js";
export type { Criterion, Loss, Saliency, SaliencyOptions } from "./types.js";
