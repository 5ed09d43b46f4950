export { runtimeVersion } from "./load.js";
export {
  createSession,
  type Feeds,
  type Outputs,
  type Session,
  type SessionOptions,
  type SessionValue,
} from "./session.js";
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
