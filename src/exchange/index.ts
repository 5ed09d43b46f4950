export {
  type ExportedLayer,
  type ExportedPlan,
  type ExportedTensor,
  exportPlan,
  type TensorState,
} from "./export-plan.js";
export { type ImportOptions, type ImportResult, importWeights } from "./import-weights.js";
export { type ExportedRun, exportRun, type ModelFile } from "./open-run.js";
export { type NamedArray, readArrays } from "./read-arrays.js";
