export { prune } from "./prune.js";
export type * from "./types.js";
