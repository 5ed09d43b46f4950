export type { StandIns } from "./absorb.js";
export { type ApplyOptions, applyPlan, type RewriteResult } from "./apply.js";
export { cutTensor } from "./constants.js";
export { type Kept, keptBy } from "./kept.js";
export { buildMasked } from "./masked.js";
export { betaStandIns, meanStandIns } from "./stand-ins.js";
export { groupsThatMayVanish, traceAbsence, type Vanishing, vanishing } from "./vanish.js";
export { type VerifyOptions, type VerifyResult, verifyRewrite } from "./verify.js";
