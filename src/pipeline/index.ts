export type { EpochLine } from "./epochs.js";
export { type FinetuneOptions, type FinetuneResult, finetune } from "./finetune.js";
export type { LayerRecord } from "./layer-record.js";
export { type ProfileOptions, type ProfileResult, profile } from "./profile.js";
export { prune } from "./prune.js";
export { type LatencyShare, measureReach, type Reach } from "./reach.js";
export { canResume } from "./run-folder.js";
export type { StepTrainingOptions } from "./step-training.js";
export type * from "./types.js";
