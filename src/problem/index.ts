export { buildProblem, countsOf, type LatencyTerms, type PruneVariable, planOf, rankVariables } from "./build.js";
export { groupOptions, type OptionGrid } from "./options.js";
