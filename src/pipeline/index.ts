export { type ProfileOptions, type ProfileResult, profile } from "./profile.js";
export { prune } from "./prune.js";
export type * from "./types.js";
