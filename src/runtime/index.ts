export { type Addon, type LoadedAddon, loadAddon } from "./addon.js";
export {
  type Child,
  type ChildOptions,
  childTunables,
  type FreeMemory,
  type Handlers,
  serveParent,
  spawnChild,
} from "./child.js";
export {
  type Conditions,
  doubtsBefore,
  doubtsDuring,
  readConditions,
  readTicks,
  watchConditions,
} from "./conditions.js";
export { randomFeeds } from "./feeds.js";
export { collectGarbage } from "./garbage.js";
export { runtimeProviders, runtimeVersion } from "./load.js";
export {
  type InputDims,
  type MeasureOptions,
  type ModelTimings,
  measureModels,
  measurePair,
  type PairTimings,
  pairOf,
} from "./measure-models.js";
export { type Pin, type Pinned, type PinTask, pinThreads } from "./pinning.js";
export {
  type KernelTimes,
  optimizedModel,
  type Profile,
  type ProfileOptions,
  profileKernels,
  profileModel,
} from "./profile.js";
export { randomTensor, uniform } from "./random-data.js";
export { lowerMean, quantileOf, type Samples, summarize } from "./samples.js";
export {
  createSession,
  type Feeds,
  type Outputs,
  type Session,
  type SessionOptions,
  type SessionValue,
} from "./session.js";
export { isLarge, type ModelSource, type StoredModel, storeModel, weightBytes } from "./stored-model.js";
export {
  floatsOf,
  floatTensor,
  isRuntimeType,
  type RuntimeArray,
  type RuntimeTensor,
  type RuntimeType,
  runtimeTensor,
  zeroTensor,
} from "./tensor.js";
