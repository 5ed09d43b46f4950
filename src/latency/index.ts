export { type Alignment, probeAlignment } from "./alignment.js";
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
export { countsConvolutionsOnly, notCounted } from "./convolution.js";
export {
  type DeviceChoice,
  describeDevice,
  deviceFingerprint,
  deviceKind,
  type Machine,
  parseDevice,
  type TableDevice,
} from "./device.js";
export type { Widths } from "./layout.js";
export {
  type CreateOptions,
  createLatencyTable,
  type DeviceOptions,
  isThisMachine,
  type MeasureMissingOptions,
  measureMissing,
  type OwnTable,
} from "./measure.js";
export type { GpuOptions } from "./meter.js";
export type { Network, Segment } from "./network.js";
export type { Calibration } from "./probes.js";
export { networkConfigs, segmentConfigs } from "./segment-config.js";
export { networkOf, segmentsOf } from "./segments.js";
export { type LatencyTable, lookup, lookupKey, missingKeys, predictNs, type TableEntry, tableKey } from "./table.js";
export { openTable, saveTable, tableFormat } from "./table-file.js";
export { plainTraits, type RuntimeTraits } from "./traits.js";
