export {
  buildProblem,
  countsOf,
  type DeviceTerms,
  type LatencyTerms,
  type PruneVariable,
  planOf,
  rankVariables,
  type Side,
  widthOf,
} from "./build.js";
export { groupOptions, type OptionGrid } from "./options.js";
export { sumWidths, type WidthSum } from "./sums.js";
export { leastWidths, leastWidthsLeft, type WidthLimit } from "./width-limits.js";
