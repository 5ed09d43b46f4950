/** Importance of channels. */
export { collectSaliency } from "./collect.js";
export { findSites, type Site } from "./sites.js";
export type { Criterion, Loss, Saliency, SaliencyOptions } from "./types.js";
