export { type Alignment, probeAlignment, readAlignment } from "./alignment.js";
export {
  compareTables,
  type LayerDifference,
  type MergedTable,
  mergeTables,
  type TableDifference,
} from "./compare-tables.js";
export {
  type ConfigAttribute,
  type ConfigConstant,
  type ConfigInput,
  type ConfigNode,
  type ConfigResult,
  keyDigest,
  type LayerConfig,
  type Layout,
  layerKey,
  layoutDomain,
} from "./config.js";
export { countsConvolutionsOnly, notCounted, paperKey } from "./convolution.js";
export { type Coverage, coverageOf, type KindCoverage } from "./coverage.js";
export { type BankOptions, banksOf } from "./cpu-meter.js";
export { type CheckedConvolution, type CudaCheck, checkCuda } from "./cuda-check.js";
export {
  type DeviceChoice,
  describeDevice,
  deviceFingerprint,
  deviceKind,
  type Machine,
  parseDevice,
  type TableDevice,
} from "./device.js";
export { Estimator } from "./estimate.js";
export { importedKeyForm, importTable } from "./import-table.js";
export { type LayerTimes, measureLayers, type NetworkLayers, predictLayers } from "./layers.js";
export type { Widths } from "./layout.js";
export {
  type CreateOptions,
  createLatencyTable,
  type DeviceOptions,
  isThisMachine,
  type MeasureMissingOptions,
  measureMissing,
  type OwnTable,
  openMeter,
} from "./measure.js";
export type { GpuOptions, Item, Meter, MeterOptions, RemoteMeter } from "./meter.js";
export type { Network, Segment } from "./network.js";
export { Patience } from "./patience.js";
export type { Calibration } from "./probes.js";
export { networkConfigs, networkLayers, segmentConfigs } from "./segment-config.js";
export { networkOf, segmentsOf } from "./segments.js";
export {
  type LatencyTable,
  lookup,
  lookupKey,
  missing,
  missingKeys,
  predictNs,
  type TableEntry,
  tableKey,
} from "./table.js";
export { isTableDevice, isTableEntry, openTable, saveTable, tableFormat } from "./table-file.js";
export { plainTraits, type RuntimeTraits } from "./traits.js";
