/** ONNX files to IR and back, nothing lost. */
export { compactModel } from "./compact.js";
export { type DecodeOptions, decodeModel } from "./decode.js";
export type { DecodeLimits } from "./decode-context.js";
export { encodeModel } from "./encode.js";
export { mapTensors, tensorsOf } from "./map-tensors.js";
export { readModel } from "./read-model.js";
export { validateModel } from "./validate.js";
export { inlineExternalData, packedModel } from "./write-external.js";
export { type FileToWrite, writeFiles } from "./write-files.js";
export { type WriteOptions, writeModel } from "./write-model.js";
